"""Any graph, operator by operator: what each does, by the first line of its definition, and what it did this time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tflite_transfer.diagnostics.explain.decision import Decision
from tflite_transfer.diagnostics.explain.stage import is_image, seen
from tflite_transfer.diagnostics.explain.subject import Graph, Infer
from tflite_transfer.diagnostics.inputs import drawn
from tflite_transfer.diagnostics.page.code import Source as Code
from tflite_transfer.diagnostics.page.code import source as code
from tflite_transfer.diagnostics.page.names import printable
from tflite_transfer.reference.binding import kernel_of
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.run import Executed
from tflite_transfer.reference.signatures import arguments, names
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Array, Model, Operator, Subgraph

NUMBERS = 6  # of an output, in the list
PICTURES, LONG = 80, 400  # how many the list has; operators from which on it is brief, to be read at all


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor's name and value, or None where it is a resource or a text."""

    name: str
    value: Array | None
    shape: tuple[int, ...]
    kind: str  # its type

    @property
    def first(self) -> list[float]:
        """The first numbers."""
        return [] if self.value is None else [float(v) for v in self.value.reshape(-1)[:NUMBERS]]

    @property
    def ends(self) -> tuple[float, float] | None:
        """The least and the largest number."""
        return None if self.value is None or not self.value.size else (float(self.value.min()), float(self.value.max()))

    @property
    def picture(self) -> Array | None:
        """An image, or a matrix; nothing of what is too small to see."""
        value = self.value
        if value is None or value.dtype.kind not in "fiu" or not value.size:
            return None
        return seen(value[0]) if is_image(value) else value if value.ndim == 2 and min(value.shape) >= 4 else None


@dataclass(frozen=True, eq=False)
class Operation:
    """One operator of a run."""

    subgraph: int
    number: int
    op: str
    says: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Trace:
    """A run of a signature, and what it did to the file's variables: name -> before, after."""

    model: str
    signature: str
    told: str  # of the inputs
    operations: tuple[Operation, ...]
    results: Mapping[str, Array]
    variables: Mapping[str, tuple[Array, Array]]
    sources: tuple[Code, ...]  # each operator's definition once
    decision: Decision | None = None  # of a classifier that was trained by the run
    why: str = ""  # it is not told stage by stage

    @cached_property
    def pictured(self) -> frozenset[int]:
        """The operators that get a picture: all, or as many of a large graph as a page can hold."""
        numbers = [o.number for o in self.operations if o.outputs and o.outputs[0].picture is not None]
        return frozenset(numbers[:: -(-len(numbers) // PICTURES) or 1])

    @property
    def is_long(self) -> bool:
        """Are there too many operators to tell of each what goes in?"""
        return len(self.operations) > LONG

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """The operators by name, the most frequent first."""
        ops = [o.op for o in self.operations]
        return sorted(((op, ops.count(op)) for op in set(ops)), key=lambda pair: (-pair[1], pair[0]))


def traced(graph: Graph, infer: Infer | None = None, why: str = "") -> Trace:
    """Run a sub-graph on its arguments; those that are not known are random. Raises ModelError, ShapeError.

    ``infer`` asks the model for probabilities, before the run and after it. ``why`` it is not told stage by stage.
    """
    model, key = graph.source.model, graph.source.key
    inputs = completed(model, key, graph.given)
    interpreter = Interpreter(model)
    interpreter.variables.update(graph.variables)
    before, opinion = dict(interpreter.variables), infer and infer.of(interpreter)
    told = list(interpreter.trace(key, **inputs))
    after, changed = dict(interpreter.variables), infer and infer.of(interpreter)
    interpreter.forget()
    interpreter.variables.update(graph.variables)
    functions = {kernel_of(*_operator(model, o)) for o in told}
    given = ", ".join(n if n in graph.given else f"{n} random" for n in inputs) or "nothing"
    return Trace(
        printable(graph.source.name), printable(key or model.main.name), printable(given),
        tuple(_operation(model, o) for o in told),
        {printable(name): v for name, v in interpreter.run(key, **inputs).items()},
        {printable(name): (before.get(name, v), v) for name, v in after.items()},
        tuple(sorted(map(code, functions))),
        None if infer is None or opinion is None or changed is None else Decision(infer.batch, opinion, changed),
        why,
    )  # fmt: skip


def completed(model: Model, key: str | None, given: Mapping[str, Any]) -> dict[str, Array]:
    """A signature's arguments, those that are not given drawn. Raises ShapeError, ModelError."""
    found, rng = names(model, key), np.random.default_rng(0)
    tensors = model.subgraphs[found.subgraph].tensors
    unknown = sorted(set(given) - set(found.inputs))
    if unknown:
        raise OptionError(f"{model.source} has no argument {unknown[0]!r}; it takes {sorted(found.inputs)}.")
    drawn_too = {name: drawn(tensors[i], rng) for name, i in found.inputs.items() if name not in given}
    return arguments(model, found, {**given, **drawn_too})


def _operation(model: Model, told: Executed) -> Operation:
    inputs, outputs = (tuple(tensor(n, v) for n, v in side.items()) for side in (told.inputs, told.outputs))
    says = first_line(kernel_of(*_operator(model, told)))
    return Operation(told.subgraph, told.number, told.op, says, inputs, outputs, plain_options(told.options))


def _operator(model: Model, told: Executed) -> tuple[Subgraph, Operator]:
    graph = model.subgraphs[told.subgraph]
    return graph, graph.operators[told.number]


def first_line(function: Callable[..., Any]) -> str:
    """What a definition says that it computes."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


def tensor(name: str, value: Any) -> Tensor:
    """A value as it is told."""
    dtype = getattr(value, "dtype", None)
    told = value if dtype is not None and dtype.kind in "fiubc" else None
    return Tensor(name, told, np.shape(value), "resource" if dtype is None else str(dtype))


def plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that people can read."""
    return {
        k: printable(v) if isinstance(v, str) else v
        for k, v in options.items()
        if isinstance(v, int | float | str | bool)
    }
