"""The TensorFlow node inside a Flex operator's options: its name and its attributes.

The options are a FlexBuffer, a vector of two strings: the node's operation and its serialised ``NodeDef``
(``tensorflow/lite/delegates/flex/kernel.cc``; https://flatbuffers.dev/internals/ for FlexBuffers,
``tensorflow/core/framework/{node_def,attr_value,types}.proto`` for the message).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from tflite_transfer.reference.checkpoint.wire import field, fields, varint

TYPES = {  # TensorFlow's DataType -> the type's name here
    1: "FLOAT32", 2: "FLOAT64", 3: "INT32", 4: "UINT8", 5: "INT16", 6: "INT8", 7: "STRING", 8: "COMPLEX64",
    9: "INT64", 10: "BOOL", 17: "UINT16", 19: "FLOAT16", 20: "RESOURCE", 22: "UINT32", 23: "UINT64",
}  # fmt: skip

_NUMBERS = {name: number for number, name in TYPES.items()}
_STRING, _VECTOR = 5, 10  # FlexBuffer types


def node_attributes(options: bytes) -> dict[str, Any]:
    """A Flex operator's attributes by name. Raises ValueError for options that hold no node."""
    _, node = _strings(options)
    return dict(_attribute(value) for number, _, value in fields(node) if number == 5)


def node_options(operation: str, inputs: int, attributes: Mapping[str, bytes]) -> bytes:
    """A Flex operator's options: a node of so many inputs, its attributes as serialised ``AttrValue`` messages."""
    node = field(2, operation.encode()) + field(3, b"") * inputs
    for name, value in attributes.items():
        node += field(5, field(1, name.encode()) + field(2, value))
    return _vector_of_strings([operation.encode(), node])


def type_value(kind: str) -> bytes:
    """A type, as an attribute's value."""
    return field(6, _NUMBERS[kind])


def types_value(kinds: Sequence[str]) -> bytes:
    """A list of types, as an attribute's value."""
    return field(1, field(6, b"".join(varint(_NUMBERS[k]) for k in kinds)))


def _vector_of_strings(texts: Sequence[bytes]) -> bytes:
    """The FlexBuffer that ``_strings`` reads, every number in 4 bytes."""
    data, starts = bytearray(), []
    for text in texts:
        data += len(text).to_bytes(4, "little")
        starts.append(len(data))
        data += text + bytes(1 + -(len(text) + 1) % 4)
    data += len(texts).to_bytes(4, "little")
    vector = len(data)
    for start in starts:
        data += (len(data) - start).to_bytes(4, "little")
    data += bytes([_STRING << 2 | 2]) * len(texts)
    data += bytes(-len(data) % 4)
    data += (len(data) - vector).to_bytes(4, "little")
    return bytes(data) + bytes([_VECTOR << 2 | 2, 4])


def _strings(data: bytes) -> list[bytes]:
    """The two strings of a FlexBuffer that is a vector of them.

    The last byte is the root's width, the one before it its type; a vector is preceded by its length and followed by
    one type for each element; elements are offsets back from where they stand.
    """
    if len(data) < 3 or data[-2] >> 2 != _VECTOR:
        raise ValueError("a Flex operator's options are no vector")
    width = data[-1]
    at = len(data) - 2 - width
    vector = at - _number(data, at, width)
    width = 1 << (data[-2] & 3)
    count = _number(data, vector - width, width)
    if count != 2:
        raise ValueError(f"a Flex operator's options hold {count} values, and not 2")
    found = []
    for i in range(count):
        kind = _number(data, vector + count * width + i, 1)
        if kind >> 2 != _STRING:
            raise ValueError(f"a Flex operator's options hold a value of type {kind >> 2}")
        place = vector + i * width
        start = place - _number(data, place, width)
        size = _number(data, start - (1 << (kind & 3)), 1 << (kind & 3))
        if not 0 <= start <= start + size <= len(data):
            raise ValueError(f"a text of {size} bytes stands at byte {start} of {len(data)}")
        found.append(data[start : start + size])
    return found


def _number(data: bytes, at: int, width: int) -> int:
    if width not in (1, 2, 4, 8) or not 0 <= at <= len(data) - width:
        raise ValueError(f"a number of {width} bytes stands at byte {at} of {len(data)}")
    return int.from_bytes(data[at : at + width], "little")


def _attribute(entry: bytes | int) -> tuple[str, Any]:
    """An entry of the map ``attr``: name and value."""
    parts = {number: value for number, _, value in fields(_message(entry))}
    return _message(parts.get(1, b"")).decode(), _value(_message(parts.get(2, b"")))


def _value(message: bytes) -> Any:
    """An ``AttrValue``: list = 1, s = 2, i = 3, f = 4, b = 5, type = 6; None for what is none of these."""
    for number, _, value in fields(message):
        if number == 1:
            return _list(_message(value))
        if number in (2, 3, 4, 5, 6):
            return _scalar(number, value)
    return None


def _list(message: bytes) -> tuple[Any, ...]:
    """A ``ListValue``: the same numbers as a value's; numbers may be packed together."""
    found: list[Any] = []
    for number, kind, value in fields(message):
        if kind == 2 and number in (3, 5, 6):
            found.extend(_scalar(number, v) for v in _varints(_message(value)))
        elif kind == 2 and number == 4:
            packed = _message(value)
            found.extend(struct.unpack(f"<{len(packed) // 4}f", packed[: len(packed) // 4 * 4]))
        else:
            found.append(_scalar(number, value))
    return tuple(found)


def _scalar(number: int, value: int | bytes) -> Any:
    if number == 2:
        return _message(value).decode()
    if number == 4:
        return struct.unpack("<f", _message(value))[0]
    if not isinstance(value, int):
        raise ValueError("a number is missing from a Flex operator's attribute")
    if number == 3:
        return value - 2**64 if value >= 2**63 else value
    if number == 6:
        return TYPES.get(value, f"TensorFlow type {value}")
    return bool(value)


def _varints(data: bytes) -> list[int]:
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value & (2**64 - 1))
            value = shift = 0
        elif shift > 63:
            raise ValueError("a number of more than 64 bits")
    return found


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a message is missing from a Flex operator's node")
    return value
