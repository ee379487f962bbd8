"""What this project leaves in each of its files: one JSON text under the name ``tflite_transfer``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tflite_transfer.reference.tflite.errors import BundleError, ModelError
from tflite_transfer.reference.tflite.graph import Model

KEY = "tflite_transfer"
FORMAT = 1


@dataclass(frozen=True)
class Metadata:
    """One file's part in its bundle. H W image, S bottleneck without the batch."""

    bundle: str  # the same 16 hex digits in all files that belong together
    role: str  # the file's name without its ending
    classes: tuple[str, ...] | None  # in the order of the labels' columns; None where the user names them later
    image_size: tuple[int, int] | None  # H, W; None where the model takes no images
    input_range: tuple[float, float]  # what the base takes black and white as
    bottleneck_shape: tuple[int, ...]  # S
    head: Mapping[str, Any]  # type, classes, batch, l2; of a model in one file also loss and trainable
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
    except (ValueError, KeyError, OverflowError, RecursionError) as e:
        what = f"it has no {e}" if isinstance(e, KeyError) else str(e)
        raise ModelError(
            f"{model.source}: its metadata {KEY!r} cannot be read: {what}; convert the model again."
        ) from e


def common_metadata(models: Mapping[str, Model], source: str) -> Metadata | None:
    """What the files of a folder, by role, say alike, or None where none says anything. Raises BundleError."""
    found = {role: metadata(model) for role, model in models.items()}
    for role, said in found.items():
        if said is not None and said.role != role:
            raise BundleError(f"{role}.tflite was written as {said.role}.tflite.")
    ids = {role: said.bundle if said else "none" for role, said in found.items()}
    if len(set(ids.values())) > 1:
        listed = ", ".join(f"{role}.tflite {i}" for role, i in ids.items())
        raise BundleError(f"the files of {source} come from different conversions: {listed}.")
    first, *others = found.items()
    for role, said in others:
        for name, value in vars(said).items() if said else ():
            expected = getattr(first[1], name)
            if name != "role" and value != expected:
                raise BundleError(
                    f"{source}: in {first[0]}.tflite {name} is {expected}, and in {role}.tflite {value}; "
                    "convert the model again."
                )
    return first[1]


def _parse(fields: Any) -> Metadata:
    if _as("it", fields, dict).get("format") != FORMAT:
        raise ValueError(f"format {fields.get('format')}, this program reads format {FORMAT}")
    low, high = _pair(fields, "input_range", int | float)
    if not -math.inf < low < high < math.inf:  # written so that NaN fails too
        raise ValueError(f"input_range must be two rising numbers, but is {low}, {high}")
    parsed = Metadata(
        bundle=_as("bundle", fields["bundle"], str),
        role=_as("role", fields["role"], str),
        classes=None if fields["classes"] is None else tuple(_list(fields, "classes", str)),
        image_size=None if fields["image_size"] is None else _pair(fields, "image_size", int),
        input_range=(float(low), float(high)),
        bottleneck_shape=tuple(_list(fields, "bottleneck_shape", int)),
        head=_as("head", fields["head"], dict),
        optimizer=_as("optimizer", fields["optimizer"], dict),
    )
    parsed.to_bytes()  # refuses half a surrogate pair, which nobody could print
    return parsed


def _as(name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} must be {getattr(kind, '__name__', kind)}, but is {type(value).__name__}")
    return value


def _list(fields: dict[str, Any], name: str, kind: Any) -> list[Any]:
    return [_as(f"each of {name}", v, kind) for v in _as(name, fields[name], list)]


def _pair(fields: dict[str, Any], name: str, kind: Any) -> tuple[Any, Any]:
    values = _list(fields, name, kind)
    if len(values) != 2:
        raise ValueError(f"{name} must hold 2 values, but holds {len(values)}")
    return values[0], values[1]
