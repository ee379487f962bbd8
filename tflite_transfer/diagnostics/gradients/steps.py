"""A file's training step in float64, as functions of the values that training moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.training import Batch
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.graph import Model, Tensor


class Stepped(NamedTuple):
    """The loss and the gradients before a step, and all values after it."""

    loss: float
    gradients: Tree
    after: Tree


class TrainingStep(Protocol):
    """What a file does in one step. ``parameters`` have a gradient; ``state`` is what their update needs besides."""

    @property
    def source(self) -> str:
        """The file's name."""
        ...

    @property
    def knows_rate(self) -> bool:
        """Are the gradients found in front of the learning rate? If not, they are so many times too large."""
        ...

    @property
    def parameters(self) -> tuple[str, ...]:
        """In the file's order."""
        ...

    @property
    def unknown(self) -> tuple[str, ...]:
        """Those that learn without a gradient that could be looked at."""
        ...

    @property
    def state(self) -> tuple[str, ...]:
        """In the file's order."""
        ...

    @property
    def written(self) -> tuple[str, ...]:
        """What of the state a step writes; a learning rate it only reads."""
        ...

    @property
    def arguments(self) -> tuple[Tensor, Tensor]:
        """Those of x and y."""
        ...

    def first(self) -> dict[str, Array]:
        """Every value as the file has it at first."""
        ...

    def loss(self, values: Tree, batch: Batch) -> float:
        """The loss alone."""
        ...

    def step(self, values: Tree, batch: Batch) -> Stepped:
        """A whole step from these values."""
        ...

    def candidates(self, parameter: str, values: Tree, batch: Batch) -> Mapping[int, Array]:
        """What else may be the loss's gradient, by tensors, from the last one on: of the parameter's shape each."""
        ...


def oracle(model: Model) -> Interpreter:
    """A model in float64."""
    return Interpreter(model, precision="float64")
