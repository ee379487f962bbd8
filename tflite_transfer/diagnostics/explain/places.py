"""Where the quantities of a last layer's step stand in a file, by the letters that the formulas use for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tflite_transfer.backends.base import Tree
from tflite_transfer.diagnostics.explain.layout import Part
from tflite_transfer.diagnostics.sides import Side
from tflite_transfer.reference.optimizers import Rule
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array


@dataclass(frozen=True)
class Places:
    """The tensors of one sub-graph, by letter. ``of_rows``: the file has all that is of W transposed, (C, F)."""

    part: Part
    tensors: Mapping[str, int]
    of_rows: bool = False

    def computed(self, side: Side, given: Mapping[str, Array], *wanted: str) -> dict[str, Array]:
        """What is wanted, computed by the side operator by operator from what is given, and from nothing else."""
        value = self.reader(side, given)
        return {name: value(name) for name in wanted}

    def reader(self, side: Side, given: Mapping[str, Array]) -> Callable[[str], Array]:
        """The same letter by letter, each operator once. It raises ModelError for one that has no value by itself."""
        graph, same = self.part.graph, self.part.same
        producer = {t: n for n, o in enumerate(graph.operators) for t in o.outputs}
        made = {*producer, *graph.inputs}
        values = {i: t.data for i, t in enumerate(graph.tensors) if t.data is not None}
        # Constants of no elements, which a file keeps no bytes of.
        empty = ((i, t) for i, t in enumerate(graph.tensors) if 0 in t.shape and i not in values and i not in made)
        values |= {i: np.empty(t.shape, t.dtype) for i, t in empty}
        values |= {self.tensors[name]: self._as_filed(name, v) for name, v in given.items() if name in self.tensors}

        def read(number: int) -> Array:
            number = same.get(number, number)
            if number not in values:
                results = side.alone(producer[number], read) if number in producer else None
                if results is None:
                    raise ModelError(f"{self.part.source.name}: {graph.tensors[number].name} has no value by itself.")
                values.update(zip(graph.operators[producer[number]].outputs, results, strict=True))
            return values[number]

        return lambda name: self.turned(name, read(self.tensors[name]))

    def turned(self, name: str, value: Array) -> Array:
        """From the file's form to the formulas', (F, C), or back."""
        return np.ascontiguousarray(value.T) if self.of_rows and "W" in name else value

    def _as_filed(self, name: str, value: Array) -> Array:
        """Features (B, F) as the file takes them, (B, S); labels as class numbers where it has those; a whole step."""
        tensor = self.part.graph.tensors[self.tensors[name]]
        if name == "x":
            return value.reshape(len(value), *tensor.shape[1:])
        if name == "y" and tensor.dtype.kind in "iu":
            return value.argmax(axis=-1).astype(tensor.dtype)
        return np.asarray(value, tensor.dtype) if tensor.dtype.kind in "iu" else self.turned(name, value)


@dataclass(frozen=True)
class Head:
    """A recognised last layer with its rule. What trains of it is called W and b, whatever the file calls it.

    ``rule`` None: another than those that are known. ``layers`` are the other parameters that train: name -> the tensor
    that is its gradient. ``terms``: in how many tensors, as R0, r_W0 and so on, what regularisers add stands.
    """

    l2: float | None
    divisor: float | None
    rule: Rule | None
    step: Places  # (x) y W (b) -> z, p, log p, e = p - y, d, L, g_W, (g_b), of which the file may lack what is between
    update: Places  # W b g_W g_b (m_W ... t) -> W' b' (m_W' m̂_W ... t')
    names: Mapping[str, str]  # W and b -> the file's names; likewise m_W, v_W, ..., t
    layers: Mapping[str, int]
    terms: Mapping[str, int]

    @property
    def dense(self) -> bool:
        """Are the scores x W + b?"""
        return "x" in self.step.tensors

    @property
    def parameters(self) -> tuple[str, ...]:
        """W, and b where that trains too."""
        return tuple(k for k in ("W", "b") if k in self.names)

    def values(self, tree: Tree) -> dict[str, Array]:
        """By letter what a tree has by the file's names."""
        return {letter: self.step.turned(letter, tree[n]) for letter, n in self.names.items() if n in tree}
