"""Recognising what a graph computes from its operators, wiring and constants; never from names or metadata.

A pattern is an expression: ``op("ADD", a, b)`` matches the output of an ADD whose inputs match a and b.
``Anything("x")`` matches any tensor and remembers it; the same name must then meet the same tensor again. ADD and MUL
match their inputs in either order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.graph import Operator, Subgraph

_COMMUTATIVE = frozenset({"ADD", "MUL"})


@dataclass(frozen=True)
class Anything:
    """Any tensor, remembered by name."""

    name: str


@dataclass(frozen=True)
class Scalar:
    """A float32 constant of one element, remembered by name; with ``value``, only that one."""

    name: str
    value: float | None = None


@dataclass(frozen=True)
class Integers:
    """An integer constant with these elements."""

    values: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """The output of an operator without fused activation, with these options (others may be anything)."""

    opcode: str
    inputs: tuple[Pattern, ...]
    options: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Reshaped:
    """What the inner pattern matches, or a RESHAPE of it."""

    inner: Pattern


@dataclass(frozen=True)
class Either:
    """What one of these matches; the first that does."""

    patterns: tuple[Pattern, ...]


Pattern = Anything | Scalar | Integers | Call | Reshaped | Either
Bindings = Mapping[str, Any]  # a tensor's number, or a constant's value


def op(opcode: str, *inputs: Pattern, **options: Any) -> Call:
    """The output of one operator."""
    return Call(opcode, inputs, tuple(options.items()))


class Matcher:
    """Matches patterns against the tensors of one sub-graph."""

    def __init__(self, graph: Subgraph) -> None:
        self.graph = graph
        self.producer = {t: o for o in graph.operators for t in o.outputs}

    def match(self, patterns: Mapping[int, Pattern], known: Bindings) -> Bindings | None:
        """Bindings under which every tensor (the keys) matches its pattern, or None."""
        waiting: list[Iterator[Bindings]] = []  # what else would do for each tensor so far: no recursion, for hundreds
        todo = list(patterns.items())
        found: Bindings | None = known
        while found is None or len(waiting) < len(todo):
            if found is not None:
                tensor, pattern = todo[len(waiting)]
                waiting.append(self._match(pattern, tensor, found))
            elif not waiting:
                return None
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
        return found

    def _each(self, pattern: Pattern, tensor: int, found: Iterator[Bindings]) -> Iterator[Bindings]:
        for bindings in found:
            yield from self._match(pattern, tensor, bindings)

    def _match(self, pattern: Pattern, tensor: int, known: Bindings) -> Iterator[Bindings]:
        if isinstance(pattern, Anything):
            yield from _bind(pattern.name, tensor, known)
        elif isinstance(pattern, Scalar):
            value = self._scalar(tensor)
            if value is not None and (pattern.value is None or np.float32(pattern.value) == value):
                yield from _bind(pattern.name, value, known)
        elif isinstance(pattern, Integers):
            data = self.graph.tensors[tensor].data if tensor >= 0 else None
            if data is not None and data.dtype.kind == "i" and tuple(data.reshape(-1).tolist()) == pattern.values:
                yield known
        elif isinstance(pattern, Reshaped):
            yield from self._match(pattern.inner, tensor, known)
            producer = self.producer.get(tensor)
            if producer is not None and producer.opcode == "RESHAPE":
                yield from self._match(pattern.inner, producer.inputs[0], known)
        elif isinstance(pattern, Either):
            for inner in pattern.patterns:
                yield from self._match(inner, tensor, known)
        else:
            yield from self._match_call(pattern, tensor, known)

    def _match_call(self, pattern: Call, tensor: int, known: Bindings) -> Iterator[Bindings]:
        producer = self.producer.get(tensor)
        if producer is None or not _is(producer, pattern):
            return
        orders = [producer.inputs]
        if pattern.opcode in _COMMUTATIVE and len(set(producer.inputs)) > 1:
            orders.append(producer.inputs[::-1])
        for inputs in orders:
            found: Iterator[Bindings] = iter([known])
            for inner, given in zip(pattern.inputs, inputs, strict=True):
                found = self._each(inner, given, found)
            yield from found

    def _scalar(self, tensor: int) -> np.float32 | None:
        data = self.graph.tensors[tensor].data if tensor >= 0 else None
        if data is None or data.size != 1 or data.dtype != np.float32:
            return None
        return np.float32(data.reshape(()))


def _bind(name: str, value: int | np.float32, known: Bindings) -> Iterator[Bindings]:
    if name not in known:
        yield {**known, name: value}
    elif known[name] == value:
        yield known


def _is(operator: Operator, call: Call) -> bool:
    options = operator.options
    return (
        operator.opcode == call.opcode
        and len(operator.inputs) == len(call.inputs)
        and not options.get("fused_activation_function")
        and all(options.get(k, 0) == v for k, v in call.options)
    )
