"""One operator of a graph: what goes in and comes out, its definition, float64 beside it, and what LiteRT says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.bounds import inputs_in_8_bits
from tflite_transfer.diagnostics.explain.operations import Operation, completed, first_line, plain_options, tensor
from tflite_transfer.diagnostics.explain.runs import run
from tflite_transfer.diagnostics.explain.stage import Check, Value, check
from tflite_transfer.diagnostics.explain.subject import Graph
from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.diagnostics.page.code import Source, source
from tflite_transfer.diagnostics.page.names import quoted
from tflite_transfer.diagnostics.rules import allowed
from tflite_transfer.diagnostics.sides import ORACLE, Read, is_litert, open_side
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.tflite.errors import MissingExtraError, ModelError, OptionError

PLAIN = "numpy-nojit"


@dataclass(frozen=True, eq=False)
class Detail:
    """One operator with all that can be said of it."""

    model: str
    operation: Operation
    values: tuple[Value, ...]
    source: Source
    checks: tuple[Check, ...]
    engine: str
    without: str | None  # why there are no checks


def detailed(graph: Graph, number: int, *, engine: str, exact: bool) -> Detail:
    """Operator ``number`` of a sub-graph, on what it is given in a run. Raises OptionError, ModelError."""
    plain = NumpySide(PLAIN, graph.source)
    count = len(plain.graph.operators)
    if not 0 <= number < count:
        raise OptionError(f"--op must be 0 to {count - 1} in {graph.source.name}, but is {number}.")
    read = _read(graph, plain)
    operation, ours = _operation(plain, number, read), plain.alone(number, read)
    step = plain.steps[number]
    if ours is None:
        why = "it needs the rest of the file, and means nothing alone"
        return Detail(graph.source.name, operation, tuple(_values(operation)), source(step.kernel), (), engine, why)
    wide = _exactly(graph, number, read) if exact else None
    checks, without = _held(graph, plain, number, read, ours, engine)
    values = tuple(_values(operation, ours, wide))
    return Detail(graph.source.name, operation, values, source(step.kernel), checks, engine, without)


def _read(graph: Graph, plain: NumpySide) -> Read:
    """Every tensor of a run on the graph's arguments."""
    given = completed(graph.source.model, graph.source.key, graph.given)
    tensors = run("numpy", replace(graph, given=given)).tensors
    return lambda i: tensors[i] if i in tensors else plain.fixed[i]


def _operation(plain: NumpySide, number: int, read: Read) -> Operation:
    step, tensors = plain.steps[number], plain.graph.tensors

    def told(i: int) -> Any:
        try:
            return tensor(tensors[i].name, read(i))
        except KeyError:  # a resource
            return tensor(tensors[i].name, None)

    inputs, outputs = (tuple(told(i) for i in side if i >= 0) for side in (step.operator.inputs, step.operator.outputs))
    options = plain_options({k: v for k, v in step.options.items() if k != "place"})
    return Operation(0, number, step.operator.name, first_line(step.kernel), inputs, outputs, options)


def _held(
    graph: Graph, plain: NumpySide, number: int, read: Read, ours: Sequence[Array], engine: str
) -> tuple[tuple[Check, ...], str | None]:
    """The operator alone in the other engine, on the same inputs, and what compare allows between the two."""
    try:
        theirs = open_side(engine, graph.source).alone(number, read)
    except (MissingExtraError, ModelError) as e:  # XNNPACK refuses some operators that have no input
        return (), str(e)
    call, tensors = plain.call(number, read), plain.graph.tensors
    found = []
    for i, a, b in zip(plain.graph.operators[number].outputs, ours, theirs or (), strict=True):
        may = allowed((PLAIN, engine), call, a, stored=is_narrow(tensors[i]))
        if is_litert(engine) and plain.is_hybrid(number):
            may = may + inputs_in_8_bits(call)
        found.append(check(quoted(tensors[i].name), a, b, np.asarray(may)))
    return tuple(found), None


def _exactly(graph: Graph, number: int, read: Read) -> tuple[Array, ...] | None:
    """The operator in float64, on the same inputs; None for stored integers."""
    try:
        return NumpySide(ORACLE, graph.source).alone(number, read)
    except ModelError:
        return None


def _values(
    operation: Operation, results: Sequence[Array] | None = None, wide: Sequence[Array] | None = None
) -> Iterator[Value]:
    for t in operation.inputs:
        if t.value is not None:
            yield Value(quoted(t.name), f"goes in, {t.kind}", t.value)
    for i, t in enumerate(operation.outputs):
        if t.value is not None:
            exact = None if wide is None or t.value.dtype.kind != "f" else wide[i]
            array = t.value if results is None else results[i]
            yield Value(quoted(t.name), f"comes out, {t.kind}", np.asarray(array), exact=exact)
