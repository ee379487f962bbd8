"""The reference runs the five files: kernels for what it recognises, the interpreter for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, Steps, Tree
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.reference import head, optimizers
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.kernels.threads import cores
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState
from tflite_transfer.reference.recognize import SoftmaxHead, recognize_head, recognize_inference, recognize_optimizer
from tflite_transfer.reference.tflite.bundle import ROLES, Bundle
from tflite_transfer.reference.tflite.errors import UnsupportedOpError

Function = Callable[..., Sequence[Array]]  # a file's inputs by position -> its outputs by position


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

    def functions(self) -> dict[str, Function]:
        """The plain definitions of what was recognised, by role."""
        found: dict[str, Function] = {}
        if self.head is not None:
            found["train_head"] = partial(_gradients, self.head)
        if self.rule is not None:
            found["optimizer"] = partial(_sgd if isinstance(self.rule, SGD) else _adam, self.rule)
        if self.softmax:
            found["inference"] = _predict
        return found


def recognize(bundle: Bundle) -> Recognized:
    """Match a bundle's graphs by operators, wiring and constants."""
    graphs = {role: model.main for role, model in bundle.models.items()}
    return Recognized(
        recognize_head(graphs["train_head"]),
        recognize_optimizer(graphs["optimizer"], len(bundle.parameters)),
        recognize_inference(graphs["inference"]),
    )


class NumpyBackend(GraphBackend):
    """See ``Backend``. No TensorFlow, no LiteRT: the flatbuffers are read here, and NumPy and numba compute.

    Raises UnsupportedOpError, naming every missing operator of every file, for graphs that are neither recognised nor
    covered.
    """

    name = "numpy"

    def __init__(self, bundle: Bundle, num_threads: int | None = None) -> None:
        super().__init__(bundle)
        self._num_threads = num_threads or cores()
        self._found = recognize(bundle)
        self._functions = self._found.functions()
        rest = [role for role in ROLES if role not in self._functions]
        self._functions |= {role: i.call for role, i in _interpreters(bundle, rest).items()}

    def run(self, role: str, *values: Any) -> Sequence[Array]:
        return self._functions[role](*values)

    def _train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        found, rule = self._found.head, self._found.rule
        if found is None or rule is None:
            return super()._train(params, slots, bottlenecks, classes, batches)
        from tflite_transfer.reference.kernels.head import AdamSlots, Head, train_steps

        ws, bs = self._values(params)
        weights = Head(np.array(ws.T, order="C"), np.array(bs))  # copies: the old set may be read meanwhile
        options = {"l2": found.l2, "divisor": found.divisor, "num_threads": self._num_threads}
        step = partial(train_steps, bottlenecks, classes, batches, weights, rule, **options)
        if isinstance(rule, SGD):
            return Steps(step(), self._params(weights), {})
        values = [np.require(slots[k].T, np.float32, ["C", "W"]) for k in self.bundle.slots]
        moments = AdamSlots(Head(*values[0:2]), Head(*values[2:4]), values[4].reshape(1))
        losses = step(slots=moments)
        new = [*(m.T for m in (*moments.mean, *moments.square)), moments.step.reshape(())]
        return Steps(losses, self._params(weights), dict(zip(self.bundle.slots, new, strict=True)))

    def _params(self, weights: Any) -> Tree:
        return dict(zip(self.bundle.parameters, (weights.wt.T, weights.bs), strict=True))


def _interpreters(bundle: Bundle, roles: Sequence[str]) -> dict[str, Interpreter]:
    made: dict[str, Interpreter] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for role in roles:
        try:
            made[role] = Interpreter(bundle.models[role])
        except UnsupportedOpError as e:
            missing[role] = e.missing
    if missing:
        listed = "; ".join(f"{role}.tflite needs the operator(s) {', '.join(ops)}" for role, ops in missing.items())
        raise UnsupportedOpError(
            f"{listed}: the NumPy backend does not have them. Run the model with the TFLite backend "
            "(--backend tflite), or add them to reference/ops/table.py.",
            sorted({op for ops in missing.values() for op in ops}),
        )
    return made


def _gradients(found: SoftmaxHead, x: Array, y: Array, ws: Array, bs: Array) -> Sequence[Array]:
    loss, *grads = head.gradients(x.reshape(len(x), -1), y, ws, bs, l2=found.l2, divisor=found.divisor)
    return [np.asarray(loss), *grads]


def _predict(x: Array, ws: Array, bs: Array) -> Sequence[Array]:
    return [head.predict(x.reshape(len(x), -1), ws, bs)]


def _sgd(rule: SGD, *values: Array) -> Sequence[Array]:
    params, grads = _trees(values, 2)
    return list(optimizers.sgd(params, grads, rule).values())


def _adam(rule: Adam, *values: Array) -> Sequence[Array]:
    params, grads, mean, square = _trees(values[:-1], 4)
    new, state = optimizers.adam(params, grads, AdamState(mean, square, np.float32(values[-1])), rule)
    return [*new.values(), *state.mean.values(), *state.square.values(), np.asarray(state.step)]


def _trees(values: Sequence[Array], count: int) -> list[dict[str, Array]]:
    """Values in turns -> so many trees, for the functions that hold parameters by name."""
    n = len(values) // count
    return [{str(i): value for i, value in enumerate(values[k * n : (k + 1) * n])} for k in range(count)]
