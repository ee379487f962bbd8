"""Graphs written as formulas: an expression is a tensor, and arithmetic on it writes operators.

>>> g = Graph()
>>> x = g.argument("x", (-1, 3))
>>> g.result("y", 2.0 * x + 1.0)
>>> [o.opcode for o in g.operators]
['MUL', 'ADD']

Shapes follow from the operands, with -1 for a free size. What was written before is not written again: the same
operator on the same tensors is the same expression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.builder import TYPES, GraphBuilder
from tflite_transfer.reference.tflite.graph import DTYPES, Array, Subgraph

Shape = tuple[int, ...]
Scalar = float | int | np.generic


class Graph(GraphBuilder):
    """A builder that knows expressions. ``scope`` goes before the names of tensors that have none of their own."""

    def __init__(self, base: Subgraph | None = None, *, batch: int = 1) -> None:
        super().__init__(base, batch=batch)
        self._written: dict[Hashable, int] = {}
        self._names = Counter(t.name for t in self.tensors)
        self._scope = ""

    def copy(self) -> Graph:
        """The same graph, to be written on by itself."""
        new = copy(self)
        new.tensors, new.operators = list(self.tensors), list(self.operators)
        new.inputs, new.outputs = dict(self.inputs), dict(self.outputs)
        new._written, new._names = dict(self._written), Counter(self._names)
        return new

    def sized(self, batch: int) -> Graph:
        """The same graph; the file's shapes hold another batch where a size is free."""
        for number, t in enumerate(self.tensors):
            if t.signature is not None:
                self.tensors[number] = replace(t, shape=tuple(batch if n == -1 else n for n in t.signature))
        self.batch = batch
        return self

    def __getitem__(self, number: int) -> Expression:
        """A tensor that is there, as an expression."""
        return Expression(self, number)

    def argument(self, name: str, shape: Sequence[int], kind: str = "FLOAT32") -> Expression:
        """An input of the graph."""
        return self[self.input(name, shape, kind)]

    def result(self, name: str, value: Expression) -> None:
        """Make an expression an output of the graph."""
        self.output(name, value.number)

    def literal(self, value: Array | Scalar, kind: str = "FLOAT32") -> Expression:
        """A constant; equal ones are one tensor. A Python number takes ``kind``, an array has its own type."""
        array = np.asarray(value) if isinstance(value, np.ndarray | np.generic) else np.array(value, DTYPES[kind])
        key = ("constant", array.dtype.str, array.shape, array.tobytes())
        if key not in self._written:
            self._written[key] = self.constant(self._name("constant"), array)
        return self[self._written[key]]

    def number(self, name: str, value: float) -> Expression:
        """A constant float32 with a name of its own, which people look for in a file."""
        return self[self.constant(self._unique(name), np.float32(value))]

    def write(
        self,
        opcode: str,
        inputs: Sequence[Expression],
        shape: Sequence[int],
        kind: str = "FLOAT32",
        *,
        version: int = 1,
        **options: Any,
    ) -> Expression:
        """An operator with one output, unless it was written before."""
        numbers = [i.number for i in inputs]
        key = (opcode, *numbers, *sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in options.items()))
        if key not in self._written:
            name = self._name(opcode.lower())
            self._written[key] = self.op(opcode, numbers, name, shape, kind, version=version, **options)
        return self[self._written[key]]

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names of what is written within begin with ``name``."""
        outer, self._scope = self._scope, f"{name}/"
        try:
            yield
        finally:
            self._scope = outer

    def rename(self, number: int, name: str) -> None:
        """Call a tensor by another name."""
        if self.tensors[number].name != name:
            self.tensors[number] = replace(self.tensors[number], name=self._unique(name))

    def _name(self, what: str) -> str:
        return self._unique(self._scope + what)

    def _unique(self, name: str) -> str:
        """``name``, or with a number behind it where another tensor has it."""
        self._names[name] += 1
        count = self._names[name]
        return name if count == 1 else self._unique(f"{name}_{count - 1}")


@dataclass(frozen=True, eq=False)
class Expression:
    """A tensor of a graph that is being written."""

    graph: Graph
    number: int

    @property
    def shape(self) -> Shape:
        """With -1 for a free size."""
        return self.graph.tensors[self.number].free_shape

    @property
    def kind(self) -> str:
        """The tensor's type, as the schema calls it."""
        return self.graph.tensors[self.number].type

    @property
    def value(self) -> Array | None:
        """What the file fixes, if it is a constant."""
        return self.graph.tensors[self.number].data

    def named(self, name: str) -> Expression:
        """The same, by another name."""
        self.graph.rename(self.number, name)
        return self

    def like(self, value: Operand) -> Expression:
        """``value`` as an expression: a number becomes a constant of this one's type."""
        return value if isinstance(value, Expression) else self.graph.literal(value, self.kind)

    def __neg__(self) -> Expression:
        return self.graph.write("NEG", [self], self.shape, self.kind)

    def __add__(self, other: Operand) -> Expression:
        return binary("ADD", self, other)

    def __radd__(self, other: Scalar) -> Expression:
        return binary("ADD", self.like(other), self)

    def __sub__(self, other: Operand) -> Expression:
        return binary("SUB", self, other)

    def __rsub__(self, other: Scalar) -> Expression:
        return binary("SUB", self.like(other), self)

    def __mul__(self, other: Operand) -> Expression:
        return binary("MUL", self, other)

    def __rmul__(self, other: Scalar) -> Expression:
        return binary("MUL", self.like(other), self)

    def __truediv__(self, other: Operand) -> Expression:
        return binary("DIV", self, other)

    def __rtruediv__(self, other: Scalar) -> Expression:
        return binary("DIV", self.like(other), self)

    def __gt__(self, other: Operand) -> Expression:
        return binary("GREATER", self, other, "BOOL")

    def __ge__(self, other: Operand) -> Expression:
        return binary("GREATER_EQUAL", self, other, "BOOL")

    def __lt__(self, other: Operand) -> Expression:
        return binary("LESS", self, other, "BOOL")

    def __le__(self, other: Operand) -> Expression:
        return binary("LESS_EQUAL", self, other, "BOOL")


Operand = Expression | Scalar
_FOLDED = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "DIV": np.divide}  # of two constant numbers


def binary(opcode: str, a: Expression, b: Operand, kind: str | None = None) -> Expression:
    """An operator on two operands that are broadcast; the result has ``kind``, or the first one's type."""
    b = a.like(b)
    numbers = [e.value for e in (a, b) if e.value is not None and e.value.size == 1 and e.kind == "FLOAT32"]
    if opcode in _FOLDED and len(numbers) == 2:
        return a.graph.literal(_FOLDED[opcode](*numbers).astype(np.float32))
    return a.graph.write(opcode, [a, b], broadcast(a.shape, b.shape), kind or a.kind)


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape of two arrays side by side; a free size beside a fixed one takes it, as 1 would.

    >>> broadcast((-1, 1, 4), (3, 1))
    (-1, 3, 4)
    """
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return tuple(_wider(n, m) for n, m in pairs)


def _wider(n: int, m: int) -> int:
    if n != m and -1 not in (n, m) and 1 not in (n, m):
        raise ValueError(f"sizes {n} and {m} cannot be broadcast")
    return m if n == 1 or (n == -1 and m > 1) else n


def type_of(array: Array) -> str:
    """The schema's name of an array's type."""
    return TYPES[array.dtype]
