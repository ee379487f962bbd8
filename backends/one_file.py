"""A training model in one file, on either backend: its state is inside the runner, and comes out by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from tflite_transfer.backends.arrays import check_array, check_numbers, check_tree
from tflite_transfer.backends.base import Array, Steps, Tree, one_hot
from tflite_transfer.backends.runner import Runner
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.one_file import Call, OneFile


class OneFileBackend:
    """See ``Backend``. One call at a time: each puts the variables that it is given into the runner first."""

    def __init__(self, name: str, model: OneFile, runner: Runner) -> None:
        self.name, self.model = name, model
        self._runner, self._turn = runner, threading.Lock()
        self._inside: tuple[Tree, Tree] | None = None  # whose values the runner holds now

    def initialize(self) -> tuple[Tree, Tree]:
        with self._turn:
            if any(s.key == "initialize" for s in self.model.model.signatures):
                self._runner.run("initialize")
            return self._taken()

    def bottlenecks(self, images: Array) -> Array:
        check_array("images", images, ("B", *self.model.image_shape))
        base = self.model.roles.base
        if base is None:
            return images.reshape(len(images), -1)
        with self._turn:
            return self._run(base, self.model.as_x(images)).reshape(len(images), -1)

    def train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        check_tree("params", params, self.model.parameters)
        check_array("bottlenecks", bottlenecks, ("N", self.model.features))
        check_array("classes", classes, (len(bottlenecks),), integers=True)
        check_array("batches", batches, ("K", "B"), integers=True)
        check_numbers("classes", classes, self.model.classes)
        check_numbers("batches", batches, len(bottlenecks))
        losses = np.empty(len(batches), np.float32)
        with self._turn:
            self._put(params, slots)
            for k, rows in enumerate(batches):
                losses[k] = self._step(self._shaped(bottlenecks[rows]), self._labels(classes[rows]))
            return Steps(losses, *self._taken())

    def predict(self, params: Tree, bottlenecks: Array) -> Array:
        check_array("bottlenecks", bottlenecks, ("B", self.model.features))
        with self._turn:
            if self._inside is None or self._inside[0] is not params:
                self._runner.assign(params)
                self._inside = None
            found = self._run(self.model.roles.infer, self._shaped(bottlenecks))
        return np.hstack([1 - found, found]) if self.model.binary else found

    def _step(self, x: Array, y: Array) -> float:
        """A step from where the runner stands; the loss before it."""
        roles = self.model.roles
        self._inside = None
        result = self._runner.run(roles.train.key, **{roles.train.argument: x, roles.labels: y})
        return float(result[roles.train.result])

    def _run(self, call: Call, x: Array) -> Array:
        return self._runner.run(call.key, **{call.argument: x})[call.result]

    def _shaped(self, bottlenecks: Array) -> Array:
        if self.model.roles.base is None:
            return self.model.as_x(bottlenecks)
        return bottlenecks.reshape(len(bottlenecks), *self.model.bottleneck_shape)

    def _labels(self, classes: Array) -> Array:
        if self.model.binary:
            return classes[:, None].astype(np.float32)
        return classes.astype(np.int32) if self.model.sparse else one_hot(classes, self.model.classes)

    def _put(self, params: Tree, slots: Tree) -> None:
        if self._inside is None or self._inside[0] is not params or self._inside[1] is not slots:
            self._runner.assign({**params, **slots})

    def _taken(self) -> tuple[Tree, Tree]:
        found: Mapping[str, Array] = self._runner.variables()
        unset = sorted({*self.model.parameters, *self.model.slots} - found.keys())
        if unset:
            raise ModelError(
                f"{self.model.model.source} has variables without a value: {', '.join(unset)}. A signature initialize, "
                "or one run by CALL_ONCE, must assign them before train reads them."
            )
        self._inside = {n: found[n] for n in self.model.parameters}, {n: found[n] for n in self.model.slots}
        return self._inside
