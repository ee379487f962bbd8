"""A network as functions of its variables: what every source gives, and all that is trained begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tflite_transfer.converter.expressions import Expression, Graph
from tflite_transfer.reference.tflite.graph import Array


@dataclass(frozen=True)
class Function:
    """A graph from x and variables to an output. Tensors are held by number.

    ``updates`` are new values of variables that the network itself moves, such as a batch-norm's means; ``penalty`` is
    a scalar that the loss has on top, such as a regulariser's.
    """

    graph: Graph
    x: int
    variables: Mapping[str, int]
    output: int
    updates: Mapping[str, int] = field(default_factory=dict)
    penalty: int | None = None

    def __getitem__(self, variable: str) -> Expression:
        """A variable of the graph."""
        return self.graph[self.variables[variable]]


@dataclass(frozen=True)
class Weight:
    """A variable's first value, and what may be said of it on the command line.

    ``layer`` counts the layers that have weights, from 0; ``bias`` is what is added to a layer's sums.
    """

    value: Array
    layer: int
    bias: bool = False
    trainable: bool = True


@dataclass(frozen=True)
class Network:
    """``infer`` is the network in use, ``train`` the same as it behaves while it trains, if that is another."""

    infer: Function
    train: Function
    weights: Mapping[str, Weight]
    source: str

    @property
    def trainable(self) -> tuple[str, ...]:
        """The weights that training moves, by name."""
        return tuple(name for name, w in self.weights.items() if w.trainable)
