"""Where the quantities of a last layer's step stand in a file, by the letters that the formulas use for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tflite_transfer.backends.base import Tree
from tflite_transfer.diagnostics.sides import Side, Source
from tflite_transfer.reference.optimizers import Rule
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Subgraph


@dataclass(frozen=True)
class Places:
    """The tensors of one sub-graph, by letter. ``of_rows``: the file has all that is of W transposed, (C, F)."""

    source: Source
    graph: Subgraph
    tensors: Mapping[str, int]
    of_rows: bool = False

    def computed(self, side: Side, given: Mapping[str, Array], *wanted: str) -> dict[str, Array]:
        """What is wanted, computed by the side operator by operator from what is given, and from nothing else."""
        values = {i: t.data for i, t in enumerate(self.graph.tensors) if t.data is not None}
        values |= {self.tensors[name]: self._as_filed(name, v) for name, v in given.items() if name in self.tensors}
        producer = {t: n for n, o in enumerate(self.graph.operators) for t in o.outputs}

        def read(number: int) -> Array:
            if number not in values:
                results = side.alone(producer[number], read)
                if results is None:
                    raise ModelError(f"{self.source.name}: {self.graph.tensors[number].name} has no value by itself.")
                values.update(zip(self.graph.operators[producer[number]].outputs, results, strict=True))
            return values[number]

        return {name: self.turned(name, read(self.tensors[name])) for name in wanted}

    def turned(self, name: str, value: Array) -> Array:
        """From the file's form to the formulas', (F, C), or back."""
        return np.ascontiguousarray(value.T) if self.of_rows and "W" in name else value

    def _as_filed(self, name: str, value: Array) -> Array:
        """Features (B, F) as the file takes them, (B, S)."""
        if name == "x":
            return value.reshape(len(value), *self.graph.tensors[self.tensors[name]].shape[1:])
        return self.turned(name, value)


@dataclass(frozen=True)
class Head:
    """A recognised last layer with its rule. Parameters are called W and b, whatever the file calls them.

    ``layers`` are the parameters in front of it that train: name -> the tensor that is its gradient.
    """

    l2: float | None
    divisor: float | None
    rule: Rule
    step: Places  # x y W b (R) -> z, p, log p, e = p - y, d (where the file has it), L, g_W, g_b
    update: Places  # W b g_W g_b (m_W ... t) -> W' b' (m_W' m̂_W ... t')
    names: Mapping[str, str]  # W and b -> the file's names; likewise m_W, v_W, ..., t
    layers: Mapping[str, int] = field(default_factory=dict)

    def values(self, tree: Tree) -> dict[str, Array]:
        """By letter what a tree has by the file's names."""
        return {letter: self.step.turned(letter, tree[n]) for letter, n in self.names.items() if n in tree}
