"""Plain dicts -> flatbuffer bytes, by the same literal schema that ``decode`` follows."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np

from tflite_transfer.reference.tflite.decode import SCALARS, Table
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.schema import Field, Schema, tflite

_BUFFER_ALIGNMENT = 16  # schema.fbs: Buffer.data (force_align: 16); kernels map constants where they lie

_PREPEND = {
    "bool": "PrependBoolSlot", "byte": "PrependInt8Slot", "ubyte": "PrependUint8Slot", "short": "PrependInt16Slot",
    "ushort": "PrependUint16Slot", "int": "PrependInt32Slot", "uint": "PrependUint32Slot",
    "long": "PrependInt64Slot", "ulong": "PrependUint64Slot", "float": "PrependFloat32Slot",
    "double": "PrependFloat64Slot",
}  # fmt: skip


def encode(root: Table, size_hint: int = 1 << 16, schema: Schema | None = None) -> bytes:
    """The bytes of a file with this root table; ``size_hint`` spares the builder from growing."""
    schema = schema or tflite()
    builder = flatbuffers.Builder(size_hint)
    builder.Finish(_Encoder(builder, schema).table(schema.root, root), file_identifier=schema.identifier)
    return bytes(builder.Output())


class _Encoder:
    def __init__(self, builder: flatbuffers.Builder, schema: Schema) -> None:
        self.builder, self.schema = builder, schema

    def table(self, name: str, values: Table) -> int:
        if values.get("unknown"):
            raise ModelError(
                f"this table {name} was made by a newer schema (fields {values['unknown']}): it cannot be copied."
            )
        fields = self.schema.tables.get(name, ())
        # Children first: a flatbuffer is built from its end.
        offsets = {f.name: self.child(name, f, values) for f in fields if values.get(f.name) is not None}
        self.builder.StartObject(len(fields))
        for slot, field in enumerate(fields):
            if offsets.get(field.name) is not None:
                self.builder.PrependUOffsetTRelativeSlot(slot, offsets[field.name], 0)
            elif field.type in _PREPEND and field.name in values:
                default = field.default if field.type in ("float", "double") else int(field.default)
                getattr(self.builder, _PREPEND[field.type])(slot, values[field.name], default)
        return self.builder.EndObject()

    def child(self, table: str, field: Field, values: Table) -> int | None:
        value, kind = values[field.name], field.type
        if kind in _PREPEND:
            return None
        if kind == "string":
            return self.builder.CreateString(value)
        if kind == "union":
            number, members = values[field.name + "_type"], self.schema.unions[field.name]
            if number >= len(members):
                raise ModelError(
                    f"this table {table} was made by a newer schema (member {number}): it cannot be copied."
                )
            return self.table(members[number], value)
        if not kind.startswith("["):
            return self.table(kind, value)
        inner = kind[1:-1]
        if inner in SCALARS:
            aligned = _BUFFER_ALIGNMENT if table == "Buffer" else 1
            return _numbers(self.builder, np.asarray(value, SCALARS[inner]), aligned)
        return _offsets(self.builder, [self.table(inner, v) for v in value])


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
