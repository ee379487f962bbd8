"""What this project leaves in each of its files: one JSON text under the name ``tflite_transfer``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Model

KEY = "tflite_transfer"
FORMAT = 1


@dataclass(frozen=True)
class Metadata:
    """One file's part in its bundle. H W image, S bottleneck without the batch."""

    bundle: str  # the same 16 hex digits in all files that belong together
    role: str  # the file's name without its ending
    classes: tuple[str, ...] | None  # in the order of the labels' columns; None where the user names them later
    image_size: tuple[int, int]  # H, W
    input_range: tuple[float, float]  # what the base takes black and white as
    bottleneck_shape: tuple[int, ...]  # S
    head: Mapping[str, Any]  # type, classes, batch, l2
    optimizer: Mapping[str, Any]  # type and its hyper-parameters
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        """UTF-8 JSON with sorted keys: the same metadata, the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()


def metadata(model: Model) -> Metadata | None:
    """The metadata of a file, or None where it has none. Raises ModelError."""
    content = model.metadata.get(KEY)
    if content is None:
        return None
    try:
        return _parse(json.loads(content.decode().rstrip("\0")))
    except (ValueError, TypeError, KeyError) as e:
        raise ModelError(f"{model.source}: its metadata {KEY!r} cannot be read: {e}") from e


def _parse(fields: dict[str, Any]) -> Metadata:
    if fields.get("format") != FORMAT:
        raise ValueError(f"format {fields.get('format')}, this program reads format {FORMAT}")
    low, high = (float(v) for v in fields["input_range"])
    height, width = (int(v) for v in fields["image_size"])
    return Metadata(
        bundle=str(fields["bundle"]),
        role=str(fields["role"]),
        classes=None if fields["classes"] is None else tuple(str(c) for c in fields["classes"]),
        image_size=(height, width),
        input_range=(low, high),
        bottleneck_shape=tuple(int(n) for n in fields["bottleneck_shape"]),
        head=dict(fields["head"]),
        optimizer=dict(fields["optimizer"]),
    )
