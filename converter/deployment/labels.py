"""What an image classifier's file says of itself to other tools: TFLite's model metadata, with the labels.

A flatbuffer in the file's metadata says how an image becomes the input, and which packed file names the classes; that
file is a zip behind the model. TFLite Task and MediaPipe read both. The schema is that of ``metadata_schema.fbs``
(tensorflow/tflite-support, Apache-2.0), version 1.0.0, as far as it is needed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tflite_transfer.reference.tflite.encode import encode
from tflite_transfer.reference.tflite.schema import Schema, parse

KEY = "TFLITE_METADATA"
LABELS = "labels.txt"
_TEXT = """
ModelMetadata: name:string description:string version:string subgraph_metadata:[SubGraphMetadata] author:string
  license:string associated_files:[AssociatedFile] min_parser_version:string
SubGraphMetadata: name:string description:string input_tensor_metadata:[TensorMetadata]
  output_tensor_metadata:[TensorMetadata]
TensorMetadata: name:string description:string _:_ content:Content process_units:[ProcessUnit] stats:Stats
  associated_files:[AssociatedFile]
Content: content_properties_type:ubyte content_properties:union
ImageProperties: color_space:byte
ProcessUnit: options_type:ubyte options:union
NormalizationOptions: mean:[float] std:[float]
Stats: max:[float] min:[float]
AssociatedFile: name:string description:string type:byte locale:string
"""
_UNIONS = {
    "content_properties": ("NONE", "FeatureProperties", "ImageProperties"),
    "options": ("NONE", "NormalizationOptions"),
}
SCHEMA = Schema(parse(_TEXT), _UNIONS, "ModelMetadata", b"M001")
_FEATURE, _IMAGE, _NORMALIZATION, _AXIS_LABELS = 1, 2, 1, 2
_COLOURS = {3: 1, 1: 2}  # channels -> RGB, grey


def model_metadata(channels: int, limits: tuple[float, float], *, labels: bool) -> bytes:
    """The flatbuffer for an image of 0 to 255 that is rescaled to ``limits``, and probabilities of classes."""
    low, high = limits
    std = 255 / (high - low)
    image = {
        "name": "image",
        "content": {"content_properties_type": _IMAGE, "content_properties": {"color_space": _COLOURS[channels]}},
        "process_units": [
            {"options_type": _NORMALIZATION, "options": {"mean": [-low * std], "std": [std]}},
        ],
        "stats": {"min": [low], "max": [high]},
    }
    output: dict[str, Any] = {
        "name": "probability",
        "content": {"content_properties_type": _FEATURE, "content_properties": {}},
        "stats": {"min": [0.0], "max": [1.0]},
    }
    if labels:
        output["associated_files"] = [{"name": LABELS, "description": "The classes.", "type": _AXIS_LABELS}]
    graph = {"input_tensor_metadata": [image], "output_tensor_metadata": [output]}
    root = {"name": "image classifier", "subgraph_metadata": [graph], "min_parser_version": "1.0.0"}
    return encode(root, schema=SCHEMA)


def labels_of(file: bytes | Path) -> tuple[str, ...] | None:
    """The names that ``with_labels`` put behind a file; None where there are none. Of a path only the end is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file) as archive:
            text = archive.read(LABELS).decode()
    except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, UnicodeDecodeError, OSError, EOFError):
        return None
    return tuple(text.splitlines()) or None


def with_labels(content: bytes, names: Sequence[str]) -> bytes:
    """The file with a zip of the labels, one a line, behind it. The same names, the same bytes."""
    packed = io.BytesIO(content)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS), "\n".join(names) + "\n")
    return packed.getvalue()
