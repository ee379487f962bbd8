"""A sub-graph made ready to run: each operator bound to its function, what depends on no input computed once."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from tflite_transfer.reference.binding import (
    activation_of,
    is_hybrid,
    is_quantised,
    kernel_of,
    options_of,
    parameters,
)
from tflite_transfer.reference.budget import Budget, Room
from tflite_transfer.reference.constants import constant, is_widened, zeros
from tflite_transfer.reference.cost import cost_of, pieces_of
from tflite_transfer.reference.ops.limit import ALLOWED, FREE, in_time
from tflite_transfer.reference.steady import Program, Shaped, shaped
from tflite_transfer.reference.step import FAILURES, Step, execute
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import DTYPES, Array, Model, Subgraph

FOLDED = 2**26  # bytes that folding may add, beside
GROWN = 8  # times the constants: int8 weights as float32, and these once more as a kernel reads them


@dataclass(frozen=True)
class Plan:
    """A sub-graph's steps. ``steps`` go with ``constants``; ``every`` step, unfolded, with ``fixed``: the same bits."""

    graph: Subgraph
    steps: tuple[Step, ...]
    constants: Mapping[int, Array]
    every: tuple[Step, ...]
    fixed: Mapping[int, Array]
    shaped: Shaped | None  # where shapes follow from the inputs' shapes
    programs: dict[Hashable, Program] = field(default_factory=dict)  # what ran before: see ``steady.py``


def plans(model: Model, budget: Budget, room: Room, *, jit: bool) -> list[Plan]:
    """Every sub-graph, bound and folded within a budget; with ``jit`` to compiled kernels. Raises ModelError."""
    constants = [t.data for graph in model.subgraphs for t in graph.tensors if t.data is not None]
    stored = sum({id(a if a.base is None else a.base): a.nbytes for a in constants}.values())
    room = Room(min(FOLDED + GROWN * stored, room.bytes), time.monotonic() + budget.seconds)
    token = ALLOWED.set(room)
    try:
        return [_plan(model, number, room, jit=jit) for number in range(len(model.subgraphs))]
    finally:
        ALLOWED.reset(token)


def _plan(model: Model, number: int, room: Room, *, jit: bool) -> Plan:
    graph = model.subgraphs[number]
    every = tuple(_bind(number, graph, jit=jit))
    try:
        fixed = _constants(graph, every, room)
    except (ValueError, LookupError, MemoryError) as e:
        raise ModelError(f"{model.source} is damaged: a constant cannot be read: {e}.") from e
    unfolded, constants = _fold(model, graph, every, fixed, room)
    steps = {s.number: _prepared(s, constants, room) for s in unfolded}
    left, told = tuple(steps.values()), tuple(steps.get(s.number, s) for s in every)
    return Plan(graph, left, constants, told, fixed, shaped(graph, left, constants))


def _bind(number: int, graph: Subgraph, *, jit: bool) -> Iterable[Step]:
    last_use = {t: n for n, o in enumerate(graph.operators) for t in (*o.inputs, *o.outputs)}
    keep = {*graph.inputs, *graph.outputs, *(i for i, t in enumerate(graph.tensors) if t.data is not None), -1}
    released: dict[int, list[int]] = {}
    for t, n in last_use.items():
        if t not in keep:
            released.setdefault(n, []).append(t)
    for n, operator in enumerate(graph.operators):
        kernel = kernel_of(graph, operator, jit=jit)
        options = options_of(graph, operator, kernel, (number, n))
        wide = {i for i in operator.inputs if is_widened(graph.tensors[i])} if is_hybrid(graph, operator) else set()
        inputs = tuple(i + len(graph.tensors) if i in wide else i for i in operator.inputs)
        types = tuple(DTYPES.get(graph.tensors[i].type) for i in operator.outputs)
        activation = activation_of(operator, options)
        stored, release = is_quantised(graph, operator), tuple(released.get(n, ()))
        cost, pieces = cost_of(operator.name, stored=stored), pieces_of(operator.name, stored=stored)
        pieces = pieces if kernel is kernel_of(graph, operator) else None  # a compiled one takes large arrays whole
        yield Step(n, operator, inputs, kernel, options, activation, types, release, cost, pieces)


def _constants(graph: Subgraph, steps: Iterable[Step], room: Room) -> dict[int, Array]:
    """The value of each tensor that nothing writes, as it stands or widened: see ``Step``."""
    tensors, count = graph.tensors, len(graph.tensors)
    written = {*graph.inputs, *(i for o in graph.operators for i in o.outputs), -1}
    used = {i for s in steps for i in s.inputs} | set(graph.outputs)
    values: dict[int, Array] = {}
    for i in used:
        tensor = tensors[i % count] if i >= 0 else None
        # A constant without elements has no data either: whatever nothing writes is one.
        if tensor and i % count not in written and (tensor.data is not None or 0 in tensor.shape):
            room.take(4 * math.prod(tensor.shape) if i >= count else 0)
            values[i] = constant(tensor, wide=i >= count)
        elif tensor and i % count not in written and tensor.is_variable:  # an LSTM's state: zeros at first
            room.take(DTYPES[tensor.type].itemsize * math.prod(tensor.shape))
            values[i] = zeros(tensor)
    return values


def _fold(
    model: Model, graph: Subgraph, every: Iterable[Step], fixed: Mapping[int, Array], room: Room
) -> tuple[list[Step], dict[int, Array]]:
    """The steps that depend on an input, and the values that the others make; what grows too large is not folded."""
    known = dict(fixed)
    left: list[Step] = []
    for step in every:
        results = None
        in_time()
        if room.bytes > 0 and not step.impure and all(i in known or i == -1 for i in step.inputs):
            results = _small_results(step, [known.get(i) for i in step.inputs], model.source, room)
        if results is None:
            left.append(step)
        else:
            room.bytes -= sum(getattr(r, "nbytes", 0) for r in results)
            known.update(zip(step.operator.outputs, results, strict=True))
    needed = {*graph.outputs, *(i for s in left for i in s.inputs)}
    return left, {i: v for i, v in known.items() if i in needed}


def _small_results(step: Step, inputs: list[Any], source: str, room: Room) -> tuple[Any, ...] | None:
    """What a step makes of constants, or None where that takes too much room, or fails: a run will tell."""
    room.cost = step.cost
    try:
        with np.errstate(all="ignore"):
            return execute(step, inputs, source)
    except ModelError:
        return None


def _prepared(step: Step, constants: Mapping[int, Array], room: Room) -> Step:
    """``step`` with its second input, if constant, in the layout that its kernel wants: made once, not at each run."""
    prepare = getattr(step.kernel, "prepare", None)
    value = constants.get(step.inputs[1]) if prepare is not None else None
    if (
        prepare is None
        or value is None
        or value.dtype not in (np.float32, np.int8)
        or value.ndim < 2
        or value.size == 0
    ):
        return step
    in_time()
    room.cost = FREE
    try:
        with np.errstate(all="ignore"):
            packed = prepare(value, **{k: v for k, v in step.options.items() if k in parameters(prepare)})
    except FAILURES:  # it takes too much room: each run makes it, if it can; or a run will tell
        return step
    if packed is None:
        return step
    room.bytes -= packed.nbytes
    return replace(step, kernel=partial(step.kernel, packed=packed))
