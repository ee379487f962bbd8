"""What a backend must do. B examples, F features, C classes, N samples, K steps, H W image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.bundle import Bundle

Array = NDArray[Any]
Tree = Mapping[str, Array]  # a tensor's name -> its value


class Steps(NamedTuple):
    """What K training steps left."""

    losses: Array  # (K,) float32, each before its update
    params: Tree
    slots: Tree


class Backend(Protocol):
    """The functions of a bundle. No call changes an array it is given, but ``train`` may reuse the slots' memory."""

    name: str
    bundle: Bundle

    def initialize(self) -> Tree:
        """The converted parameters."""
        ...

    def bottlenecks(self, images: Array) -> Array:
        """(B, H, W, D) float32 in the base's input range -> (B, F). Threads may call it together."""
        ...

    def gradients(self, params: Tree, bottlenecks: Array, labels: Array) -> tuple[np.float32, Tree]:
        """Loss and its gradient for each parameter. (B, F), one-hot (B, C)."""
        ...

    def update(self, params: Tree, grads: Tree, slots: Tree) -> tuple[Tree, Tree]:
        """New parameters and new slots."""
        ...

    def train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        """One step for each row of ``batches``. (N, F), class numbers (N,), rows of both (K, B)."""
        ...

    def predict(self, params: Tree, bottlenecks: Array) -> Array:
        """Probabilities. (B, F) -> (B, C)."""
        ...

    def kernels(self) -> dict[str, str]:
        """What runs each of the five files, for people to read."""
        ...


def one_hot(classes: Array, count: int) -> Array:
    """Class numbers (B,) -> float32 (B, C), 1 in the column of the class."""
    return np.eye(count, dtype=np.float32)[classes]


def train_by_steps(
    backend: Backend, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array
) -> Steps:
    """``Backend.train`` out of ``gradients`` and ``update``, for every backend without a faster way."""
    losses = np.empty(len(batches), np.float32)
    for k, rows in enumerate(batches):
        labels = one_hot(classes[rows], backend.bundle.classes)
        losses[k], grads = backend.gradients(params, bottlenecks[rows], labels)
        params, slots = backend.update(params, grads, slots)
    return Steps(losses, params, slots)
