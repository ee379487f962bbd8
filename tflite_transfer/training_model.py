"""A training model in one file, for arrays: train, infer, save, restore."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, one_hot
from tflite_transfer.backends.runner import open_runner
from tflite_transfer.reference.signatures import Signature, signatures
from tflite_transfer.reference.tflite.errors import DataError, ModelError, OptionError
from tflite_transfer.reference.tflite.one_file import load_one_file
from tflite_transfer.state import Position, State, load_state, save_state
from tflite_transfer.training import check_batch_size, check_epochs, check_seed, epoch_batches


class TrainingModel:
    """A file with the signatures train and infer, as ``make_trainable`` and the on-device-training tutorial make them.

    >>> model = TrainingModel("net.tflite", backend="tflite")           # doctest: +SKIP
    >>> model.fit(images, labels, epochs=5)                             # doctest: +SKIP
    >>> model.infer(images[:1])["output"]                               # doctest: +SKIP

    What it has learned is inside the file's variables. One thread at a time.

    Parameters
    ----------
    path : the .tflite
    backend : ``numpy`` (the reference, which has TensorFlow's kernels of the tutorial's files too) or ``tflite``
    num_threads : by default one for each core with numpy, what LiteRT chooses with tflite
    folder : where signatures of the file that save and restore by themselves may do so
    seed : of the shuffle in ``fit``; drawn if None. A state that is restored brings its own
    """

    def __init__(
        self,
        path: str | Path,
        *,
        backend: str = "numpy",
        num_threads: int | None = None,
        folder: str | Path = ".",
        seed: int | None = None,
    ) -> None:
        self._model = load_one_file(path)
        check_seed(seed)
        self._runner = open_runner(backend, self._model.content, num_threads, folder)
        self.backend = backend
        self.seed = secrets.randbits(32) if seed is None else seed
        self.epoch = 0  # finished, over all calls of ``fit``

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """What the file can be asked, by key."""
        return signatures(self._model.model)

    @property
    def variables(self) -> dict[str, Array]:
        """A copy of every variable, by name: parameters, optimizer slots, the learning rate."""
        return self._runner.variables()

    @property
    def parameters(self) -> dict[str, Array]:
        """A copy of the variables that ``infer`` reads: weights, and a batch norm's means."""
        found = self.variables
        return {name: found[name] for name in self._model.parameters}

    def set_variables(self, values: Mapping[str, Any]) -> None:
        """Assign variables by name; the others stay. Raises ModelError, ShapeError."""
        known = self._model.parameters.keys() | self._model.slots.keys()
        if unknown := values.keys() - known:
            raise ModelError(f"{self._model.model.source} has no variable {min(unknown)!r}; it has {sorted(known)}.")
        self._runner.assign(values)

    def run(self, signature: str, /, **inputs: Any) -> dict[str, Array]:
        """Any of the signatures, by its own argument names."""
        return self._runner.run(signature, **inputs)

    def train_step(self, x: Any, y: Any) -> float:
        """One step on a batch; the loss before it. x (B, ...), y as the file takes it, or class numbers (B,)."""
        x, y = self._examples(x, y)
        return self._step(x, y)

    def fit(
        self,
        x: Any,
        y: Any,
        epochs: int = 1,
        batch_size: int | None = None,
        *,
        shuffle: bool = True,
        on_loss: Callable[[int, float], None] | None = None,
    ) -> list[float]:
        """Train on x (N, ...), y (N, ...); each epoch's mean loss. The order is drawn from the seed and the epoch.

        x goes in as it is, whatever its type: bytes of an image are not rescaled to what the network was made for.
        Without ``shuffle`` it is that of x. Where the batch does not divide N, the last one overlaps the one before it.
        ``on_loss(epoch, loss)`` is called after each epoch. Raises DataError, OptionError, ShapeError.
        """
        check_epochs(epochs, "epochs")
        x, y = self._examples(x, y)
        batch_size = self._model.batch if batch_size is None else batch_size
        check_batch_size(batch_size)
        size = min(batch_size, len(x))
        losses = []
        for _ in range(epochs):
            batches = epoch_batches(self.seed, self.epoch, len(x), size, shuffle=shuffle)
            losses.append(float(np.mean([self._step(x[rows], y[rows]) for rows in batches], dtype=np.float64)))
            self.epoch += 1
            if on_loss is not None:
                on_loss(self.epoch, losses[-1])
        return losses

    def infer(self, x: Any) -> dict[str, Array]:
        """What the file's infer gives for a batch: ``output``, and ``logits`` where there are any."""
        x = _array("x", x)
        if not x.size:
            raise DataError(f"x must hold at least one example, but is {x.shape}.")
        signature = self.signatures["infer"]
        return self._runner.run("infer", **{next(iter(signature.inputs)): x})

    def initialize(self) -> None:
        """Every variable's first value, the optimizer's slots included."""
        self._own("initialize")
        self.epoch = 0

    def set_learning_rate(self, value: float) -> None:
        """The rate of the steps from now on; it is saved with the variables. Raises OptionError."""
        with np.errstate(over="ignore"):
            rate = np.float32(value) if isinstance(value, Real) else np.float32(np.nan)
        if not 0 <= rate < math.inf:
            raise OptionError(f"the learning rate must be a number, 0 or more and finite in float32, but is {value!r}.")
        self._own("set_learning_rate", value=rate)

    def save(self, path: str | Path) -> None:
        """Write everything that training changes to a ``.safetensors`` file, whole or not at all. Raises StateError."""
        found = self.variables
        params, slots = ({n: found[n] for n in side} for side in (self._model.parameters, self._model.slots))
        save_state(Path(path), State(params, slots, None, self.seed, Position(self.epoch)), self._model)

    def restore(self, path: str | Path) -> None:
        """Go on from a saved state: the next steps are bit for bit what they would have been. Raises StateError."""
        state = load_state(Path(path), self._model)
        self._runner.assign({**state.params, **state.slots})
        self.seed, self.epoch = state.seed, state.epoch

    def _step(self, x: Array, y: Array) -> float:
        roles = self._model.roles
        return float(
            self._runner.run(roles.train.key, **{roles.train.argument: x, roles.labels: y})[roles.train.result]
        )

    def _examples(self, x: Any, y: Any) -> tuple[Array, Array]:
        """Data and labels as the file takes them, as many of one as of the other."""
        x, y = _array("x", x), self._labels(_array("y", y))
        if x.shape[:1] != y.shape[:1] or not x.size:
            raise DataError(f"x and y must hold as many examples, at least one, but are {x.shape} and {y.shape}.")
        return x, y

    def _labels(self, y: Array) -> Array:
        """As the file takes them: class numbers one-hot where it takes these, and a last axis of 1 as it has it."""
        wanted, model = self.signatures["train"].inputs[self._model.roles.labels], self._model
        rank, integers = len(wanted.shape), y.dtype.kind in "iu"
        if model.sparse:
            y = y[..., 0] if y.ndim == rank + 1 and y.shape[-1] == 1 else y
            return self._class_numbers(y) if integers else y
        if y.ndim != rank - 1:
            return y
        if wanted.shape[-1] == 1:
            return y[..., None]
        if integers and rank == 2 and model.loss in (None, "categorical_crossentropy"):
            return one_hot(self._class_numbers(y), model.classes)
        return y

    def _class_numbers(self, y: Array) -> Array:
        if y.size and not 0 <= y.min() <= y.max() < self._model.classes:
            raise DataError(f"class numbers must be 0 to {self._model.classes - 1}, but are {y.min()} to {y.max()}.")
        return y

    def _own(self, key: str, **inputs: Any) -> None:
        """A signature that other converters' files lack."""
        if key not in self.signatures:
            raise ModelError(f"{self._model.model.source} has no signature {key}; it has {sorted(self.signatures)}.")
        self._runner.run(key, **inputs)


def _array(name: str, value: Any) -> Array:
    """Raises DataError for what is no array, as lists of unlike lengths."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as e:
        raise DataError(f"{name} must be an array of examples, and is none: {e}") from e
    if not array.ndim:
        raise DataError(f"{name} must be an array of examples, but is {value!r}.")
    return array
