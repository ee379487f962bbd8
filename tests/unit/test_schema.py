"""The literal schema equals the PyPI package ``tflite``, which flatc generated from TensorFlow's ``schema.fbs``."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

import pytest
import tflite
from flatbuffers import number_types

from tflite_transfer.reference.tflite.enums import (
    ACTIVATIONS,
    BUILTIN_OPTIONS,
    BUILTIN_OPTIONS_2,
    OPCODES,
    PADDINGS,
    TENSOR_TYPES,
    UNIONS,
)
from tflite_transfer.reference.tflite.schema import Field, tables

_MODULES = {m.name: import_module(f"tflite.{m.name}") for m in pkgutil.iter_modules(tflite.__path__)}
_GENERATED = {name: vars(module)[name] for name, module in _MODULES.items() if inspect.isclass(vars(module).get(name))}
_TABLES = {name: found for name, found in _GENERATED.items() if hasattr(found, "Init")}

_KINDS = {  # flatbuffers' name of a scalar -> the schema's
    number_types.BoolFlags: "bool", number_types.Int8Flags: "byte", number_types.Uint8Flags: "ubyte",
    number_types.Int16Flags: "short", number_types.Uint16Flags: "ushort", number_types.Int32Flags: "int",
    number_types.Uint32Flags: "uint", number_types.Int64Flags: "long", number_types.Uint64Flags: "ulong",
    number_types.Float32Flags: "float", number_types.Float64Flags: "double",
}  # fmt: skip


class _Recorder:
    """Stands where an accessor expects its table: notes what the accessor asks for first.

    First, because the package mends ``BuiltinCode``: below 127 it goes on to ask for ``DeprecatedBuiltinCode``.
    """

    def __init__(self, present: bool) -> None:
        self.Bytes, self.Pos = bytearray(1), 0
        self.present = present
        self.slot = -1
        self.kind = ""
        self.is_vector = False

    def Offset(self, entry):
        self.slot = (entry - 4) // 2 if self.slot < 0 else self.slot
        return 4 if self.present else 0

    def Get(self, flags, _place):
        self.kind = self.kind or _KINDS[flags]
        return flags.py_type(0)

    def Vector(self, _place):
        self.is_vector = True
        return 0

    def Indirect(self, _place):
        return 0

    def String(self, _place):
        self.kind = "string"

    def Union(self, _member, _place):
        self.kind = "union"


def _accessor_field(table: str, accessor: str) -> tuple[int, str, float]:
    """Slot, type and default, as the accessor ``table.accessor`` uses them."""
    given = _Recorder(present=True)
    found = _call(table, accessor, given)
    if type(found).__name__ in _TABLES:
        given.kind = type(found).__name__
    kind = f"[{given.kind}]" if given.is_vector else given.kind
    default = None if given.is_vector else _call(table, accessor, _Recorder(present=False))
    return given.slot, kind, float(default or 0)


def _call(table: str, accessor: str, recorder: _Recorder) -> object:
    stub = _TABLES[table]()
    stub._tab = recorder
    method = getattr(stub, accessor)
    return method(*[0] * len(inspect.signature(method).parameters))


def _accessors(table: str) -> list[str]:
    helpers = ("GetRootAs", "AsNumpy", "Length", "IsNone", "BufferHasIdentifier")
    return [n for n in vars(_TABLES[table]) if n[0] != "_" and n != "Init" and not any(h in n for h in helpers)]


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def test_the_schema_holds_exactly_the_tables_that_have_fields():
    assert set(tables()) == {name for name in _TABLES if _accessors(name)}
    assert len(tables()) > 80  # the introspection above found something


@pytest.mark.parametrize("table", sorted(tables()))
def test_every_field_has_flatc_s_name_slot_type_and_default(table):
    generated = {}
    for accessor in _accessors(table):
        slot, kind, default = _accessor_field(table, accessor)
        generated[slot] = (accessor, kind, default)
    literal = {
        slot: (_camel(field.name), field.type, field.default)
        for slot, field in enumerate(tables()[table])
        if field != Field("_", "_", 0.0)
    }
    assert literal == generated


@pytest.mark.parametrize(
    ("literal", "generated"),
    [
        (TENSOR_TYPES, "TensorType"),
        (ACTIVATIONS, "ActivationFunctionType"),
        (PADDINGS, "Padding"),
        (OPCODES, "BuiltinOperator"),
        (BUILTIN_OPTIONS, "BuiltinOptions"),
        (BUILTIN_OPTIONS_2, "BuiltinOptions2"),
        (UNIONS["builtin_options"], "BuiltinOptions"),
        (UNIONS["builtin_options_2"], "BuiltinOptions2"),
        (UNIONS["details"], "QuantizationDetails"),
        (UNIONS["array_segments"], "SparseIndexVector"),
        (UNIONS["array_indices"], "SparseIndexVector"),
    ],
)
def test_every_enumeration_has_flatc_s_numbers(literal, generated):
    numbers = {k: v for k, v in vars(_GENERATED[generated]).items() if not k.startswith("_")}
    assert dict(zip(literal, range(len(literal)), strict=True)) == numbers


def test_every_union_field_of_the_schema_has_its_members():
    unions = {f.name for fields in tables().values() for f in fields if f.type == "union"}
    assert unions == set(UNIONS)


def test_every_union_member_is_a_table():
    assert {m for members in UNIONS.values() for m in members} - {"NONE"} <= set(_TABLES)
