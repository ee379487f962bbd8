"""Plain dicts -> flatbuffer bytes, by the same literal schema that ``decode`` follows."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np

from tflite_transfer.reference.tflite.decode import SCALARS, Table
from tflite_transfer.reference.tflite.enums import UNIONS
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.schema import Field, tables

_BUFFER_ALIGNMENT = 16  # schema.fbs: Buffer.data (force_align: 16); kernels map constants where they lie

_PREPEND = {
    "bool": "PrependBoolSlot", "byte": "PrependInt8Slot", "ubyte": "PrependUint8Slot", "short": "PrependInt16Slot",
    "ushort": "PrependUint16Slot", "int": "PrependInt32Slot", "uint": "PrependUint32Slot",
    "long": "PrependInt64Slot", "ulong": "PrependUint64Slot", "float": "PrependFloat32Slot",
    "double": "PrependFloat64Slot",
}  # fmt: skip


def encode(model: Table, size_hint: int = 1 << 16) -> bytes:
    """The bytes of a file whose root table is ``model``; ``size_hint`` spares the builder from growing."""
    builder = flatbuffers.Builder(size_hint)
    root = _table(builder, "Model", model)
    builder.Finish(root, file_identifier=b"TFL3")
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, name: str, values: Table) -> int:
    if values.get("unknown"):
        raise ModelError(
            f"this table {name} was made by a newer schema (fields {values['unknown']}): it cannot be copied."
        )
    fields = tables().get(name, ())
    # Children first: a flatbuffer is built from its end.
    offsets = {f.name: _child(builder, name, f, values) for f in fields if values.get(f.name) is not None}
    builder.StartObject(len(fields))
    for slot, field in enumerate(fields):
        if offsets.get(field.name) is not None:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[field.name], 0)
        elif field.type in _PREPEND and field.name in values:
            default = field.default if field.type in ("float", "double") else int(field.default)
            getattr(builder, _PREPEND[field.type])(slot, values[field.name], default)
    return builder.EndObject()


def _child(builder: flatbuffers.Builder, table: str, field: Field, values: Table) -> int | None:
    value, kind = values[field.name], field.type
    if kind in _PREPEND:
        return None
    if kind == "string":
        return builder.CreateString(value)
    if kind == "union":
        number, members = values[field.name + "_type"], UNIONS[field.name]
        if number >= len(members):
            raise ModelError(f"this table {table} was made by a newer schema (member {number}): it cannot be copied.")
        return _table(builder, members[number], value)
    if not kind.startswith("["):
        return _table(builder, kind, value)
    inner = kind[1:-1]
    if inner in SCALARS:
        return _numbers(builder, np.asarray(value, SCALARS[inner]), _BUFFER_ALIGNMENT if table == "Buffer" else 1)
    return _offsets(builder, [_table(builder, inner, v) for v in value])


def _numbers(builder: flatbuffers.Builder, values: Any, alignment: int) -> int:
    """A vector of numbers, copied in one piece (``Builder.CreateNumpyVector`` cannot align it)."""
    content = values.tobytes()
    builder.StartVector(values.itemsize, values.size, max(values.itemsize, alignment))
    builder.head = builder.head - len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    return builder.EndVector()


def _offsets(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
