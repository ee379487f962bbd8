"""What both backends share: the five files by position on one side, tensors by name on the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from tflite_transfer.backends.arrays import check_array, check_numbers, check_tree
from tflite_transfer.backends.base import Array, Steps, Tree, one_hot
from tflite_transfer.reference.tflite.bundle import Bundle, Shape
from tflite_transfer.reference.tflite.errors import BundleError, ModelError, ShapeError


class GraphBackend(ABC):
    """Five files. ``gradients`` and ``update`` are the halves of a step.

    A subclass says how a file is run, and may know a faster way to train.
    """

    name: str

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._one_row_only: set[str] = set()  # the roles whose file turned out to take a batch of 1 alone

    @abstractmethod
    def run(self, role: str, *values: Any) -> Sequence[Array]:
        """A file's outputs, of its inputs, by position. Raises ShapeError or ModelError."""

    def initialize(self) -> tuple[Tree, Tree]:
        values = self.run("initialize", np.float32(0))
        for (name, shape), value in zip(self.bundle.parameters.items(), values, strict=True):
            if value.shape != shape or value.dtype != np.float32:
                raise BundleError(
                    f"initialize.tflite declares {name} as float32 {shape}, but gives {value.dtype} {value.shape}; "
                    "convert the model again."
                )
        slots = {name: np.zeros(shape, np.float32) for name, shape in self.bundle.slots.items()}
        return dict(zip(self.bundle.parameters, values, strict=True)), slots

    def bottlenecks(self, images: Array) -> Array:
        check_array("images", images, ("B", *self.bundle.image_shape))
        return self._batch("bottleneck", self.bundle.bottleneck_shape, images).reshape(len(images), -1)

    def gradients(self, params: Tree, bottlenecks: Array, labels: Array) -> tuple[np.float32, Tree]:
        """Loss and its gradient for each parameter. (B, F), one-hot (B, C)."""
        check_array("bottlenecks", bottlenecks, ("B", self.bundle.features))
        check_array("labels", labels, (len(bottlenecks), self.bundle.classes))
        loss, *grads = self.run("train_head", self._shaped(bottlenecks), labels, *self._values(params))
        return np.float32(loss), dict(zip(self.bundle.parameters, grads, strict=True))

    def update(self, params: Tree, grads: Tree, slots: Tree) -> tuple[Tree, Tree]:
        """New parameters and new slots."""
        check_tree("grads", grads, self.bundle.parameters)
        check_tree("slots", slots, self.bundle.slots)
        gradients, state = [grads[k] for k in self.bundle.parameters], [slots[k] for k in self.bundle.slots]
        return self._trees(self.run("optimizer", *self._values(params), *gradients, *state))

    def train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        check_tree("params", params, self.bundle.parameters)
        check_tree("slots", slots, self.bundle.slots)
        check_array("bottlenecks", bottlenecks, ("N", self.bundle.features))
        check_array("classes", classes, (len(bottlenecks),), integers=True)
        check_array("batches", batches, ("K", "B"), integers=True)
        check_numbers("classes", classes, self.bundle.classes)
        check_numbers("batches", batches, len(bottlenecks))
        return self._train(params, slots, bottlenecks, classes, batches)

    def predict(self, params: Tree, bottlenecks: Array) -> Array:
        check_array("bottlenecks", bottlenecks, ("B", self.bundle.features))
        return self._batch("inference", (self.bundle.classes,), self._shaped(bottlenecks), *self._values(params))

    def _train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        """``train`` of checked arrays, out of ``gradients`` and ``update``."""
        losses = np.empty(len(batches), np.float32)
        for k, rows in enumerate(batches):
            labels = one_hot(classes[rows], self.bundle.classes)
            losses[k], grads = self.gradients(params, bottlenecks[rows], labels)
            params, slots = self.update(params, grads, slots)
        return Steps(losses, params, slots)

    def _values(self, params: Tree) -> list[Array]:
        """The parameters in the files' order."""
        check_tree("params", params, self.bundle.parameters)
        return [params[k] for k in self.bundle.parameters]

    def _trees(self, values: Sequence[Array]) -> tuple[Tree, Tree]:
        """Parameters and slots in the files' order -> both by name."""
        n = len(self.bundle.parameters)
        new = dict(zip(self.bundle.parameters, values[:n], strict=True))
        return new, dict(zip(self.bundle.slots, values[n:], strict=True))

    def _shaped(self, bottlenecks: Array) -> Array:
        """(B, F) -> (B, S), which the files take."""
        return bottlenecks.reshape(len(bottlenecks), *self.bundle.bottleneck_shape)

    def _batch(self, role: str, shape: Shape, batch: Array, *rest: Array) -> Array:
        """A file's output for a batch, (B, *shape): in one run where the file can, else row by row.

        Only trying tells: a signature may leave the batch free, and a RESHAPE further in have 1 baked into it.
        """
        if len(batch) > 1 and role not in self._one_row_only:
            with suppress(ShapeError, ModelError):
                return self._output(role, shape, batch, *rest)
            self._one_row_only.add(role)
        return np.concatenate([self._output(role, shape, row[None], *rest) for row in batch])

    def _output(self, role: str, shape: Shape, batch: Array, *rest: Array) -> Array:
        output = self.run(role, batch, *rest)[0]
        if output.shape != (len(batch), *shape):
            raise ModelError(
                f"{role}.tflite must give {(len(batch), *shape)} for {batch.shape}, but gives {output.shape}."
            )
        return output
