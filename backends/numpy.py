"""The reference runs the five files: kernels for what it recognises, the interpreter for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, Steps, Tree, train_by_steps
from tflite_transfer.reference import head, optimizers
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState
from tflite_transfer.reference.recognize import SoftmaxHead, recognize_head, recognize_inference, recognize_optimizer
from tflite_transfer.reference.tflite.bundle import ROLES, Bundle


@dataclass(frozen=True)
class Recognized:
    """What was recognised in a bundle's graphs (``reference/recognize.py``); None and False go to the interpreter."""

    head: SoftmaxHead | None
    rule: SGD | Adam | None
    softmax: bool

    def kernels(self) -> dict[str, str]:
        """What runs each of the five files, for people to read."""
        found = dict.fromkeys(ROLES, "interpreter")
        if self.head is not None:
            decay = "" if self.head.l2 is None else f", L2 {self.head.l2:g}"
            found["train_head"] = f"softmax cross-entropy{decay}"
        if self.rule is not None:
            numbers = ", ".join(f"{k} {v:g}" for k, v in vars(self.rule).items())
            found["optimizer"] = f"{type(self.rule).__name__} ({numbers})"
        if self.softmax:
            found["inference"] = "softmax"
        return found


def recognize(bundle: Bundle) -> Recognized:
    """Match a bundle's graphs by operators, wiring and constants."""
    graphs = {role: model.main for role, model in bundle.models.items()}
    return Recognized(
        recognize_head(graphs["train_head"]),
        recognize_optimizer(graphs["optimizer"], len(bundle.parameters)),
        recognize_inference(graphs["inference"]),
    )


class NumpyBackend:
    """See ``Backend``. No TensorFlow, no LiteRT: the flatbuffers are read here, and NumPy and numba compute.

    Raises UnsupportedOpError, naming every missing operator, for a graph that is neither recognised nor covered.
    """

    name = "numpy"

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._found = recognize(bundle)
        handled = {
            "train_head": self._found.head, "optimizer": self._found.rule, "inference": self._found.softmax,
        }  # fmt: skip
        self._interpreters = {role: Interpreter(bundle.models[role]) for role in ROLES if not handled.get(role)}

    def initialize(self) -> Tree:
        return dict(zip(self.bundle.parameters, self._run("initialize", np.float32(0)), strict=True))

    def bottlenecks(self, images: Array) -> Array:
        return self._by_rows("bottleneck", images).reshape(len(images), -1)

    def gradients(self, params: Tree, bottlenecks: Array, labels: Array) -> tuple[np.float32, Tree]:
        weights = [params[k] for k in self.bundle.parameters]
        found = self._found.head
        if found is not None:
            loss, *grads = head.gradients(bottlenecks, labels, *weights, l2=found.l2, divisor=found.divisor)
        else:
            loss, *grads = self._run("train_head", self._shaped(bottlenecks), labels, *weights)
        return np.float32(loss), dict(zip(self.bundle.parameters, grads, strict=True))

    def update(self, params: Tree, grads: Tree, slots: Tree) -> tuple[Tree, Tree]:
        rule, names = self._found.rule, tuple(self.bundle.parameters)
        if isinstance(rule, SGD):
            return optimizers.sgd(params, grads, rule), {}
        if isinstance(rule, Adam):
            new, state = optimizers.adam(params, grads, self._adam_state(slots), rule)
            values = [*state.mean.values(), *state.square.values(), np.asarray(state.step)]
            return new, dict(zip(self.bundle.slots, values, strict=True))
        given = (*(params[k] for k in names), *(grads[k] for k in names), *(slots[k] for k in self.bundle.slots))
        values = self._run("optimizer", *given)
        new = dict(zip(names, values[: len(names)], strict=True))
        return new, dict(zip(self.bundle.slots, values[len(names) :], strict=True))

    def train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        found, rule = self._found.head, self._found.rule
        if found is None or rule is None:
            return train_by_steps(self, params, slots, bottlenecks, classes, batches)
        from tflite_transfer.reference.kernels.head import AdamSlots, Head, train_steps

        ws, bs = (params[k] for k in self.bundle.parameters)
        weights = Head(np.array(ws.T, order="C"), np.array(bs))  # copies: the old set may be read meanwhile
        step = partial(train_steps, bottlenecks, classes, batches, weights, rule, l2=found.l2, divisor=found.divisor)
        if isinstance(rule, SGD):
            return Steps(step(), self._params(weights), {})
        values = [np.require(slots[k].T, np.float32, ["C", "W"]) for k in self.bundle.slots]
        moments = AdamSlots(Head(*values[0:2]), Head(*values[2:4]), values[4].reshape(1))
        losses = step(slots=moments)
        new = [m.T for m in (*moments.mean, *moments.square)]
        return Steps(
            losses, self._params(weights), dict(zip(self.bundle.slots, [*new, moments.step.reshape(())], strict=True))
        )

    def predict(self, params: Tree, bottlenecks: Array) -> Array:
        weights = [params[k] for k in self.bundle.parameters]
        if self._found.softmax:
            return head.predict(bottlenecks, *weights)
        return self._by_rows("inference", self._shaped(bottlenecks), *weights)

    def kernels(self) -> dict[str, str]:
        return self._found.kernels()

    def _params(self, weights: Any) -> Tree:
        return dict(zip(self.bundle.parameters, (weights.wt.T, weights.bs), strict=True))

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
