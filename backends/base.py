"""What a backend must do. B examples, F features, C classes, N samples, K steps, H W image, D channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tree = Mapping[str, Array]  # a tensor's name -> its value


class Steps(NamedTuple):
    """What K training steps left."""

    losses: Array  # (K,) float32, each before its update
    params: Tree
    slots: Tree


class Backend(Protocol):
    """The functions of a model that trains. Of five files both backends take ``GraphBackend``'s way to them.

    No call changes an array it is given, but ``train`` may reuse the slots' memory. An array of another shape or type
    raises ShapeError: all are float32, but for class numbers and rows.
    """

    name: str

    def initialize(self) -> tuple[Tree, Tree]:
        """The converted parameters and slots. Raises BundleError where they are not as the files declare."""
        ...

    def bottlenecks(self, images: Array) -> Array:
        """(B, H, W, D) float32 in the base's input range -> (B, F). Threads may call it together."""
        ...

    def train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        """One step for each row of ``batches``. (N, F), class numbers (N,), rows of both (K, B)."""
        ...

    def predict(self, params: Tree, bottlenecks: Array) -> Array:
        """Probabilities. (B, F) -> (B, C)."""
        ...


def one_hot(classes: Array, count: int) -> Array:
    """Class numbers (...,) -> float32 (..., C), 1 in the column of the class."""
    return (classes[..., None] == np.arange(count)).astype(np.float32)
