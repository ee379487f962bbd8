"""The reference runs the five files: kernels for what it recognises, the interpreter for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, Steps, Tree, train_by_steps
from tflite_transfer.reference import head, optimizers
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState
from tflite_transfer.reference.recognize import recognize_head, recognize_inference, recognize_optimizer
from tflite_transfer.reference.tflite.bundle import ROLES, Bundle


class NumpyBackend:
    """See ``Backend``. No TensorFlow, no LiteRT: the flatbuffers are read here, and NumPy and numba compute.

    Which kernel runs is decided by the graphs' operators, wiring and constants (``reference/recognize.py``).
    Raises UnsupportedOpError, naming every operator that is missing, for a graph that neither covers.
    """

    name = "numpy"

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        graphs = {role: model.main for role, model in bundle.models.items()}
        softmax_head = tuple(bundle.parameters) and len(bundle.parameters) == 2
        self.head = recognize_head(graphs["train_head"]) if softmax_head else None
        self.rule = recognize_optimizer(graphs["optimizer"], len(bundle.parameters))
        self.softmax = bool(softmax_head) and recognize_inference(graphs["inference"])
        recognized = {"train_head": self.head, "optimizer": self.rule, "inference": self.softmax}
        self._interpreters = {
            role: Interpreter(bundle.models[role]) for role in ROLES if not recognized.get(role)
        }

    def initialize(self) -> Tree:
        return dict(zip(self.bundle.parameters, self._run("initialize", np.float32(0)), strict=True))

    def bottlenecks(self, images: Array) -> Array:
        return self._by_rows("bottleneck", images).reshape(len(images), -1)

    def gradients(self, params: Tree, bottlenecks: Array, labels: Array) -> tuple[np.float32, Tree]:
        names = self.bundle.parameters
        if self.head is not None:
            weights = (params[k] for k in names)
            loss, *grads = head.gradients(bottlenecks, labels, *weights, l2=self.head.l2, divisor=self.head.divisor)
        else:
            loss, *grads = self._run("train_head", self._shaped(bottlenecks), labels, *(params[k] for k in names))
        return np.float32(loss), dict(zip(names, grads, strict=True))

    def update(self, params: Tree, grads: Tree, slots: Tree) -> tuple[Tree, Tree]:
        if isinstance(self.rule, SGD):
            return optimizers.sgd(params, grads, self.rule), {}
        if isinstance(self.rule, Adam):
            new, state = optimizers.adam(params, grads, self._adam_state(slots), self.rule)
            return new, dict(zip(self.bundle.slots, _slots(state), strict=True))
        names = tuple(self.bundle.parameters)
        state = (slots[k] for k in self.bundle.slots)
        values = self._run("optimizer", *(params[k] for k in names), *(grads[k] for k in names), *state)
        new, slots_ = values[: len(names)], values[len(names) :]
        return dict(zip(names, new, strict=True)), dict(zip(self.bundle.slots, slots_, strict=True))

    def train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        return train_by_steps(self, params, slots, bottlenecks, classes, batches)

    def predict(self, params: Tree, bottlenecks: Array) -> Array:
        weights = (params[k] for k in self.bundle.parameters)
        if self.softmax:
            return head.predict(bottlenecks, *weights)
        return self._by_rows("inference", self._shaped(bottlenecks), *weights)

    def kernels(self) -> dict[str, str]:
        found: dict[str, str] = dict.fromkeys(ROLES, "interpreter")
        if self.head is not None:
            found["train_head"] = "softmax cross-entropy" + (" with L2" if self.head.l2 is not None else "")
        if self.rule is not None:
            found["optimizer"] = str(self.rule)
        if self.softmax:
            found["inference"] = "softmax"
        return found

    def _adam_state(self, slots: Tree) -> AdamState:
        names, values = tuple(self.bundle.parameters), [slots[k] for k in self.bundle.slots]
        n = len(names)
        mean, square = (dict(zip(names, values[i : i + n], strict=True)) for i in (0, n))
        return AdamState(mean, square, np.float32(values[-1]))

    def _run(self, role: str, *values: Any) -> list[Array]:
        """A graph by position."""
        interpreter = self._interpreters[role]
        names = [interpreter.graph.tensors[i].name for i in interpreter.graph.inputs]
        return list(interpreter.run(None, **dict(zip(names, values, strict=True))).values())

    def _by_rows(self, role: str, batch: Array, *rest: Array) -> Array:
        """A graph's first output for a batch: in one run where the file leaves the batch free, else row by row."""
        graph = self._interpreters[role].graph
        if graph.tensors[graph.inputs[0]].free_shape[0] == -1:
            return self._run(role, batch, *rest)[0]
        return np.concatenate([self._run(role, row[None], *rest)[0] for row in batch])

    def _shaped(self, bottlenecks: Array) -> Array:
        return bottlenecks.reshape(len(bottlenecks), *self.bundle.bottleneck_shape)


def _slots(state: AdamState) -> list[Array]:
    return [*state.mean.values(), *state.square.values(), np.asarray(state.step)]
