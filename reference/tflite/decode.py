"""Flatbuffer bytes -> plain dicts, every access checked against the file's bounds.

The flatbuffers library has no verifier for Python: its accessors trust each offset. Here no byte is read before it is
known to lie inside the file, and what a file can make us read is bounded by its own size, so that tables pointed at
many times cannot grow into more memory than a small multiple of the file.
Format: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.schema import Field, Schema, tflite

SCALARS = {  # schema name -> NumPy's name, all little-endian
    "bool": "<u1", "byte": "<i1", "ubyte": "<u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4",
    "long": "<i8", "ulong": "<u8", "float": "<f4", "double": "<f8",
}  # fmt: skip

_FORMATS = {
    "bool": "<B", "byte": "<b", "ubyte": "<B", "short": "<h", "ushort": "<H", "int": "<i", "uint": "<I",
    "long": "<q", "ulong": "<Q", "float": "<f", "double": "<d",
}  # fmt: skip

# Well-formed files are read once, plus strings and vtables that writers share: 1.0 to 1.4 bytes a byte. With what a
# table or vector costs on top, because Python's objects take ten times the room of the bytes they came from, they
# reach 4.4.
_READS_PER_BYTE = 6
_READS_PER_OBJECT = 32

Table = dict[str, Any]


def decode(data: bytes | memoryview, source: str, schema: Schema | None = None) -> Table:
    """The root table (a .tflite's ``Model``) as a dict; a field that is absent has its default, or None.

    Vectors of numbers are read-only views of ``data``. ``source`` names the file in errors. Raises ModelError.
    """
    schema = schema or tflite()
    if len(data) < 8 or bytes(data[4:8]) != schema.identifier:
        raise ModelError(
            f"{source} is not a .tflite file: bytes 4 to 8 must be {schema.identifier.decode()}, and the file has "
            f"{len(data)} bytes."
        )
    decoder = _Decoder(memoryview(data), source, schema)
    return decoder.table(schema.root, decoder.offset(0))


class _Decoder:
    def __init__(self, data: memoryview, source: str, schema: Schema) -> None:
        self.data, self.schema = data, schema
        self.source = source
        self.budget = _READS_PER_BYTE * len(data) + 4096

    def damaged(self, what: str) -> ModelError:
        return ModelError(f"{self.source} is damaged: {what}, and the file has {len(self.data)} bytes.")

    def scalar(self, kind: str, at: int) -> Any:
        size = struct.calcsize(_FORMATS[kind])
        if not 0 <= at <= len(self.data) - size:
            raise self.damaged(f"a value of {size} bytes stands at byte {at}")
        self.budget -= size
        if self.budget < 0:
            raise self.damaged("its tables point at one another so often that reading it would not end")
        return struct.unpack_from(_FORMATS[kind], self.data, at)[0]

    def offset(self, at: int) -> int:
        """The place that the unsigned offset at ``at`` points to."""
        return at + self.scalar("uint", at)

    def vector(self, at: int, size: int) -> tuple[int, int]:
        """Start and length of the vector at ``at``, whose elements take ``size`` bytes."""
        length = self.scalar("uint", at)
        if length * size > len(self.data) - at - 4:
            raise self.damaged(f"the vector at byte {at} has {length} entries")
        self.budget -= _READS_PER_OBJECT + length * size
        return at + 4, length

    def numbers(self, kind: str, at: int) -> np.ndarray:
        dtype = np.dtype(SCALARS[kind])
        start, length = self.vector(at, dtype.itemsize)
        return np.frombuffer(self.data, dtype, length, start)

    def string(self, at: int) -> str:
        start, length = self.vector(at, 1)
        if self.scalar("ubyte", start + length):  # what C++ stops at
            raise self.damaged(f"the text at byte {at} does not end with a zero")
        try:
            return bytes(self.data[start : start + length]).decode()
        except UnicodeDecodeError as e:
            raise self.damaged(f"the text at byte {at} is not UTF-8") from e

    def table(self, name: str, at: int) -> Table:
        self.budget -= _READS_PER_OBJECT
        vtable = at - self.scalar("int", at)
        entries = (self.scalar("ushort", vtable) - 4) // 2
        size = self.scalar("ushort", vtable + 2)
        fields = self.schema.tables.get(name, ())
        found: Table = {}
        for slot in range(max(entries, len(fields))):
            inside = self.scalar("ushort", vtable + 4 + 2 * slot) if slot < entries else 0
            if inside >= max(size, 1):
                raise self.damaged(f"field {slot} of table {name} at byte {at} lies outside the table")
            if slot < len(fields):
                field = fields[slot]
                found[field.name] = self.field(field, at + inside, found) if inside else _absent(field)
            elif inside:
                found.setdefault("unknown", []).append(slot)
        found.pop("_", None)
        return found

    def field(self, field: Field, at: int, found: Table) -> Any:
        kind = field.type
        if kind in _FORMATS:
            return bool(self.scalar(kind, at)) if kind == "bool" else self.scalar(kind, at)
        if kind == "_":
            return None
        at = self.offset(at)
        if kind == "string":
            return self.string(at)
        if kind == "union":
            return self.table(self.member(field.name, found[field.name + "_type"]), at)
        if not kind.startswith("["):
            return self.table(kind, at)
        inner = kind[1:-1]
        if inner in _FORMATS:
            return self.numbers(inner, at)
        start, length = self.vector(at, 4)
        return [self.table(inner, self.offset(start + 4 * i)) for i in range(length)]

    def member(self, union: str, number: int) -> str:
        members = self.schema.unions[union]
        if number >= len(members):
            return "NONE"  # of a newer schema: read as a table whose fields are all unknown
        return members[number]


def _absent(field: Field) -> Any:
    if field.type in ("float", "double"):
        return field.default
    if field.type == "bool":
        return bool(field.default)
    return int(field.default) if field.type in _FORMATS else None
