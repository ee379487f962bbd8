"""A run that goes as one before it went: where shapes are the same, nothing is checked again.

Checks are most of what a small operator takes: they ask for types, for memory, for the number of operators. In a graph
whose shapes follow from its inputs' shapes alone the answers are those of the first run, within the same budget. A
budget of seconds must be looked at in every run: such runs, and those that are observed, are checked as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from tflite_transfer.reference.cost import pieces_of
from tflite_transfer.reference.ops.elementwise import unchecked
from tflite_transfer.reference.ops.pieces import is_large
from tflite_transfer.reference.step import FAILURES, Step, Value, compact, failure, results_of
from tflite_transfer.reference.tflite.errors import TransferError

MOST = 8  # programs of a sub-graph: a model that is given ever new shapes keeps those it met first

# Operators whose results' shapes follow from their inputs' shapes, beside those that are cut in pieces (``cost.py``).
_SHAPED = frozenset(
    """
    ADD_N ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL CALL_ONCE CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE
    FULLY_CONNECTED GATHER L2_POOL_2D MAX_POOL_2D PACK QUANTIZE READ_VARIABLE SHAPE SQUEEZE UNPACK VAR_HANDLE
    """.split()  # noqa: SIM905
)
# And those of which further inputs, by position, say more: they must be constant, or follow from shapes themselves.
_TOLD: Mapping[str, tuple[int, ...]] = {
    "BROADCAST_TO": (1,), "EXPAND_DIMS": (1,), "FILL": (0,), "MEAN": (1,), "PAD": (1,), "PADV2": (1,),
    "REDUCE_MAX": (1,), "RESHAPE": (1,), "SLICE": (1, 2), "SPLIT": (0,), "STRIDED_SLICE": (1, 2, 3), "SUM": (1,),
    "TILE": (1,), "TRANSPOSE": (1,), "TRANSPOSE_CONV": (0,),
}  # fmt: skip


class Call(NamedTuple):
    """A step, ready to be called on the values that are held."""

    function: Callable[..., Any]
    inputs: tuple[int, ...]  # -1 is None
    outputs: tuple[int, ...]
    release: tuple[int, ...]
    step: Step


def is_steady(steps: Iterable[Step], constants: Iterable[int]) -> bool:
    """Do all shapes follow from the inputs' shapes?"""
    told = {*constants, -1}  # values that do
    for step in steps:
        opcode = step.operator.opcode
        shaped = pieces_of(opcode, stored=False) is not None or opcode in _SHAPED or opcode in _TOLD
        if opcode == "CUSTOM" or not shaped:
            return False
        if any(step.inputs[n] not in told for n in _TOLD.get(opcode, ()) if n < len(step.inputs)):
            return False
        if opcode == "SHAPE" or (not step.impure and all(i in told for i in step.inputs)):
            told.update(step.operator.outputs)
    return True


def key_of(values: Iterable[Value], variables: Mapping[str, Value]) -> Hashable:
    """What must be the same in two runs: types and shapes of the inputs, and of the variables."""
    return tuple((v.dtype, v.shape) for v in values), tuple((k, v.dtype, v.shape) for k, v in variables.items())


def call_of(step: Step, inputs: Sequence[Value], *, copied: bool) -> Call:
    """A step that was run, and checked, on such inputs. ``copied``: what it gave was copied by ``compact``."""
    function = unchecked(step.kernel)
    if copied or (step.pieces is not None and is_large(inputs, step.pieces)):
        return Call(partial(_all, step), step.inputs, step.operator.outputs, step.release, step)
    if step.options:
        function = partial(function, **step.options)
    if step.activation is not None:
        function = partial(_activated, step.activation, function)
    return Call(function, step.inputs, step.operator.outputs, step.release, step)


def repeat(calls: Iterable[Call], held: dict[int, Value], run: Any) -> None:
    """Run them all on the values ``held``, and hold their results. Raises ModelError."""
    held[-1] = None
    for function, inputs, outputs, release, step in calls:
        values = [held[i] for i in inputs]
        try:
            result = function(*values, run=run) if step.impure else function(*values)
        except TransferError:
            raise
        except FAILURES as e:
            raise failure(step, values, run.model.source, e) from e
        if type(result) is tuple:
            held.update(zip(outputs, result, strict=True))
        else:
            held[outputs[0]] = result
        for i in release:
            held.pop(i, None)


def _activated(activation: Callable[..., Any], function: Callable[..., Any], *inputs: Value) -> Value:
    return activation(function(*inputs))


def _all(step: Step, *inputs: Value, **more: Any) -> tuple[Value, ...]:
    return tuple(map(compact, results_of(step, inputs, more)))
