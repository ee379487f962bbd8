"""Optimizers and losses with a fault, which write the operators of training files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from tflite_transfer.converter.expressions import Expression, count, log, maximum, mean, minimum, softmax, sqrt, total
from tflite_transfer.converter.training.optimizers import KerasAdam, Optimizer, Tree


@dataclass(frozen=True)
class Faulty:
    """An optimizer with its gradients changed before a step, or its new weights and slots after it."""

    base: Optimizer
    before: Callable[[dict[str, Expression]], Tree] = dict
    after: Callable[[Tree, Tree], Tree] = lambda _, new: new
    type = "faulty"

    @property
    def learning_rate(self) -> float:
        return self.base.learning_rate

    def slots(self, parameters: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        return self.base.slots(parameters)

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        new, state = self.base.step(weights, self.before(dict(grads)), slots, rate)
        changed = self.after({**weights, **slots}, {**new, **state})
        return {p: changed[p] for p in weights}, {s: changed[s] for s in slots}


@dataclass(frozen=True)
class LateAdam(KerasAdam):
    """Adam that counts as it should, and corrects for a step that is ``late`` ones later."""

    late: float = 0.0

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        new, state = super().step(weights, grads, {**slots, "step": slots["step"] + self.late}, rate)
        return new, {**state, "step": slots["step"] + 1.0}


@dataclass(frozen=True)
class UncorrectedAdam(KerasAdam):
    """Adam that counts, and takes the means as they are."""

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        _, state = super().step(weights, grads, slots, rate)
        new = {p: w - state[f"m_{p}"] * rate / (sqrt(state[f"v_{p}"]) + 1e-7) for p, w in weights.items()}
        return new, state


def scaled(name: str, factor: float) -> Callable[[dict[str, Expression]], Tree]:
    """One gradient so many times as large."""
    return lambda grads: {**grads, name: grads[name] * factor}


def stays(*names: str) -> Callable[[Tree, Tree], Tree]:
    """Slots, or weights, that are written back as they were."""
    return lambda old, new: {**new, **{n: old[n] for n in new if any(fnmatch(n, pattern) for pattern in names)}}


def swapped(z: Expression, y: Expression) -> tuple[Expression, Expression]:
    """Keras' cross-entropy with the prediction as labels: ``mean -Σ p log y``, y kept from 0 and 1 by 1e-7."""
    p = softmax(z)
    log_y = log(minimum(maximum(y, 1e-7), 1 - 1e-7))
    each = -total(p * log_y, [-1])
    inner = total(p * log_y, [-1], keep=True)
    return mean(each, [0]), -(p * (log_y - inner)) / count(y, [0])
