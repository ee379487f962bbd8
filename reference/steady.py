"""A run that goes as one before it went: where shapes are the same, nothing is checked again.

Checks are most of what a small operator takes: they ask for types, for memory, for the number of operators. In a graph
whose shapes follow from its inputs' shapes alone the answers are those of the first run, within the same budget. A
budget of seconds must be looked at in every run: such runs, and those that are observed, are checked as ever.

Beside that, what follows from shapes alone is kept and not computed again, and results take the place of inputs that
nothing needs any more: a step of a dense network (784-128-10, 32 examples) took 554 us, and so 410.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tflite_transfer.reference.cost import pieces_of
from tflite_transfer.reference.memory import Handle
from tflite_transfer.reference.ops.elementwise import UFUNCS
from tflite_transfer.reference.ops.limit import unchecked
from tflite_transfer.reference.ops.pieces import is_large
from tflite_transfer.reference.step import FAILURES, Step, Value, compact, failure, results_of
from tflite_transfer.reference.tflite.errors import TransferError
from tflite_transfer.reference.tflite.graph import Subgraph

MOST = 8  # programs of a sub-graph: a model that is given ever new shapes keeps those it met first

# Operators whose results' shapes follow from their inputs' shapes, beside those that are cut in pieces (``cost.py``).
_SHAPED = frozenset(
    """
    ADD_N ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL CALL_ONCE CONCATENATION CONV_2D CUMSUM DEPTHWISE_CONV_2D
    DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FULLY_CONNECTED GATHER GATHER_ND L2_POOL_2D MAX_POOL_2D PACK QUANTIZE
    READ_VARIABLE REVERSE_V2 SELECT SHAPE SPACE_TO_DEPTH SQUEEZE UNPACK VAR_HANDLE
    """.split()  # noqa: SIM905
)
# And those of which further inputs, by position, say more: they must be constant, or follow from shapes themselves.
_TOLD: Mapping[str, tuple[int, ...]] = {
    "ARG_MAX": (1,), "ARG_MIN": (1,), "BATCH_TO_SPACE_ND": (1, 2), "BROADCAST_TO": (1,), "DILATE": (1,),
    "EXPAND_DIMS": (1,), "FILL": (0,), "MEAN": (1,), "MIRROR_PAD": (1,), "ONE_HOT": (1,), "PAD": (1,), "PADV2": (1,),
    "REDUCE_ALL": (1,), "REDUCE_ANY": (1,), "REDUCE_MAX": (1,), "REDUCE_MIN": (1,), "REDUCE_PROD": (1,),
    "RESHAPE": (1,), "RESIZE_BILINEAR": (1,), "RESIZE_NEAREST_NEIGHBOR": (1,), "SLICE": (1, 2),
    "SPACE_TO_BATCH_ND": (1, 2), "SPLIT": (0,), "STRIDED_SLICE": (1, 2, 3), "SUM": (1,), "TILE": (1,),
    "TRANSPOSE": (1,), "TRANSPOSE_CONV": (0,),
}  # fmt: skip
# Operators that always give new memory, never a view of an input, and keep none.
_NEW = (
    frozenset(
        """
    AVERAGE_POOL_2D BATCH_MATMUL CONV_2D DEPTHWISE_CONV_2D EQUAL FULLY_CONNECTED GREATER GREATER_EQUAL LESS LESS_EQUAL
    LOGISTIC LOG_SOFTMAX MAX_POOL_2D MEAN NOT_EQUAL POW REDUCE_MAX SELECT_V2 SOFTMAX SQUARED_DIFFERENCE SUM
    """.split()  # noqa: SIM905
    )
    | UFUNCS.keys()
)


class Shaped(NamedTuple):
    """What the operators of a sub-graph alone tell, one whose shapes follow from its inputs' shapes."""

    told: frozenset[int]  # values that are the same in all runs of the same shapes
    own: frozenset[int]  # values in memory that no other value shares


class Call(NamedTuple):
    """A step, ready to be called on the values that are held."""

    function: Callable[..., Any]
    inputs: tuple[int, ...]  # -1 is None
    outputs: tuple[int, ...]
    release: tuple[int, ...]
    step: Step


@dataclass(frozen=True)
class Program:
    """A run to be repeated."""

    shaped: Shaped
    calls: list[Call] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)  # what needs no call

    def add(self, step: Step, inputs: Sequence[Value], results: Sequence[Value], *, copied: bool) -> None:
        """A step that was run, and checked, on such inputs. ``copied``: what it gave was copied by ``compact``."""
        if all(i in self.shaped.told for i in step.operator.outputs) and step.operator.outputs:
            self.values.update(zip(step.operator.outputs, results, strict=True))
            return
        function, more = _function(step, inputs, results, self.shaped.own, copied=copied)
        self.calls.append(Call(function, step.inputs + more, step.operator.outputs, step.release, step))


def shaped(graph: Subgraph, steps: Sequence[Step], constants: Iterable[int]) -> Shaped | None:
    """None where a shape may depend on values."""
    known, told = {*constants, -1}, set[int]()
    for step in steps:
        opcode, outputs = step.operator.opcode, step.operator.outputs
        if opcode == "CUSTOM" or not (pieces_of(opcode, stored=False) or opcode in _SHAPED or opcode in _TOLD):
            return None
        if any(step.inputs[n] not in known for n in _TOLD.get(opcode, ()) if n < len(step.inputs)):
            return None
        if opcode in ("SHAPE", "VAR_HANDLE") or (not step.impure and all(i in known for i in step.inputs)):
            known.update(outputs)
            told.update(outputs)
    return Shaped(frozenset(told.difference(graph.outputs)), frozenset(_own(steps)))


def _own(steps: Sequence[Step]) -> set[int]:
    """Results in new memory, of which no operator makes a view."""
    new = [s for s in steps if s.operator.opcode in _NEW]
    others = [s for s in steps if s.operator.opcode not in _NEW and s.operator.opcode != "ASSIGN_VARIABLE"]
    return {i for s in new for i in s.operator.outputs} - {i for s in others for i in s.inputs}


def key_of(values: Iterable[Value], variables: Mapping[str, Value]) -> Hashable:
    """What must be the same in two runs: types and shapes of the inputs, and of the variables."""
    return tuple((v.dtype, v.shape) for v in values), tuple((k, v.dtype, v.shape) for k, v in variables.items())


def repeat(program: Program, held: dict[int, Value], run: Any) -> None:
    """Run a program on the values ``held``, and hold its results. Raises ModelError."""
    held.update(program.values)
    held[-1] = None
    value_of = held.__getitem__
    for function, inputs, outputs, release, step in program.calls:
        values = [*map(value_of, inputs)]
        try:
            result = function(*values, run=run) if step.impure else function(*values)
        except TransferError:
            raise
        except FAILURES as e:
            raise failure(step, values[: len(step.inputs)], run.model.source, e) from e
        if type(result) is tuple:
            held.update(zip(outputs, result, strict=True))
        else:
            held[outputs[0]] = result
        for i in release:
            held.pop(i, None)


def _function(
    step: Step, inputs: Sequence[Value], results: Sequence[Value], own: Collection[int], *, copied: bool
) -> tuple[Callable[..., Any], tuple[int, ...]]:
    """What is called for a step, and which values it takes beyond the step's own."""
    opcode = step.operator.opcode
    if copied or (step.pieces is not None and is_large(inputs, step.pieces)):
        return partial(_all, step), ()
    if opcode == "ASSIGN_VARIABLE" and step.inputs[1] in step.release and step.inputs[1] in own:
        return _take if isinstance(inputs[1], np.ndarray) else step.kernel, ()
    spare = ()
    if opcode in UFUNCS and results[0].dtype.kind == "f":
        function = UFUNCS[opcode]
        spare = [i for i, value in zip(step.inputs, inputs, strict=True) if _is_spare(step, i, value, results[0], own)]
    else:
        function = unchecked(step.kernel)
        function = partial(function, **step.options) if step.options else function
    if step.activation is not None:
        function = partial(_activated, step.activation, function, in_place=opcode in _NEW and results[0].ndim > 0)
    return function, tuple(spare[:1])


def _is_spare(step: Step, number: int, value: Value, result: Value, own: Collection[int]) -> bool:
    """May a step's result take the place of this input? It takes an array."""
    fits = isinstance(value, np.ndarray) and (value.shape, value.dtype) == (result.shape, result.dtype)
    return fits and number in own and number in step.release


def _take(handle: Handle, value: Value, *, run: Any) -> tuple[()]:
    """``assign_variable`` of what nothing else looks at, and which is as large as the value before."""
    run.memory.variables.assign(handle, value, copy=False)
    return ()


def _activated(activation: Callable[..., Any], function: Callable[..., Any], *inputs: Value, in_place: bool) -> Value:
    result = function(*inputs)
    return activation(result, result if in_place else None)


def _all(step: Step, *inputs: Value, **more: Any) -> tuple[Value, ...]:
    return tuple(map(compact, results_of(step, inputs, more)))
