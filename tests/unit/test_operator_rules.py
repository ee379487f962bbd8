"""What the verifier says of an operator is what its function takes, and every operator has a cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from tflite_transfer.reference import cost
from tflite_transfer.reference.flex.table import FLEX
from tflite_transfer.reference.ops.quantized.table import QUANTIZED
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite import Operator
from tflite_transfer.reference.tflite.enums import OPCODES
from tflite_transfer.reference.tflite.graph import Tensor
from tflite_transfer.reference.tflite.operators import tensor_faults
from tflite_transfer.reference.tflite.options import options_table
from tflite_transfer.reference.tflite.schema import tables

FUNCTIONS = [(name, f) for table in (TABLE, QUANTIZED, FLEX) for name, f in table.items()]
NAMES = sorted({name for name, _ in FUNCTIONS})


def counts(function: Callable[..., Any]) -> Iterator[tuple[int, bool]]:
    """Numbers of inputs, and whether a function takes so many."""
    given = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    least = sum(p.default is p.empty for p in given if p.kind is p.POSITIONAL_OR_KEYWORD)
    several = any(p.kind is p.VAR_POSITIONAL for p in given)
    for count in range(8):
        yield count, least <= count and (several or count <= len(given))


def accepted(name: str, inputs: int) -> bool:
    """Does the verifier let so many inputs through, of any types, with any outputs?"""
    tensors = [Tensor(k, (1,), k) for k in ("FLOAT32", "RESOURCE")]
    opcode, custom = ("CUSTOM", name) if name in FLEX else (name, None)
    operators = (
        Operator(opcode, given, made, custom_code=custom)
        for given in product(range(2), repeat=inputs)
        for made in (*((0,) * n for n in range(7)), (1,))
    )
    return any(not list(tensor_faults(tensors, o)) for o in operators)


@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_no_function_gets_another_number_of_inputs_than_it_takes(name: str, function: Callable[..., Any]) -> None:
    takes = dict(counts(function))
    found = {count: accepted(name, count) for count in takes if count < 7}
    assert any(found.values()) or name.endswith("SEQUENCE_LSTM") or "BIDIRECTIONAL" in name  # which take 12 to 48
    assert all(takes[count] for count, lets in found.items() if lets)


def test_every_operator_has_a_cost() -> None:
    listed = [*cost._lines(cost._PLAIN), *cost._lines(cost._ELEMENTS), *cost._lines(cost._ROWS)]
    assert {*NAMES} == {*listed}


def test_every_table_of_options_belongs_to_an_operator() -> None:
    known = {options_table(opcode) for opcode in OPCODES}
    of_operators = {t for t in tables() if t.endswith("Options")}
    assert of_operators <= known
