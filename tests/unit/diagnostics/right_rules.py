"""Optimizers that are right, and take a gradient otherwise than it is: clipped, with decay, times a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tflite_transfer.converter.expressions import Expression, maximum, minimum, sign, sqrt, total
from tflite_transfer.converter.training.optimizers import SGD, Tree

Step = Callable[[Tree, Tree, Expression], Tree]  # of weights, gradients and rate: what is taken from the weights


def taking(rate: float, taken: Step) -> SGD:
    """An optimizer whose weights become less by what a function says."""

    class Taking(SGD):
        def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:  # noqa: ARG002
            less = taken(weights, grads, rate)
            return {p: w - less[p] for p, w in weights.items()}, {}

    return Taking(rate)


class Averaged(SGD):
    """Momentum that takes a tenth of each gradient."""

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        v = {p: slots[f"velocity_{p}"] * 0.9 + grads[p] * 0.1 for p in weights}
        return {p: w - v[p] * rate for p, w in weights.items()}, {f"velocity_{p}": v[p] for p in weights}


class Warm(SGD):
    """A rate that grows with a number of its own."""

    def slots(self, parameters: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:  # noqa: ARG002
        return {"warmth": ()}

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        warmth = slots["warmth"] * 0.9 + 0.1
        return {p: w - grads[p] * (warmth * rate) for p, w in weights.items()}, {"warmth": warmth}


class FTRL(SGD):
    """Whose first step goes from what its slots say that the weights are: the proximal form, without L1 and L2.

    McMahan et al. 2013, "Ad Click Prediction", algorithm 1; n begins at 0.1, as TensorFlow's does.
    """

    def slots(self, parameters: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        return {f"{slot}_{p}": shape for p, shape in parameters.items() for slot in "zn"}

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        new, state = {}, {}
        for p, w in weights.items():
            z, n, g = slots[f"z_{p}"], slots[f"n_{p}"], grads[p]
            state[f"n_{p}"] = n + g * g
            root, old = (sqrt(s + 0.1) for s in (state[f"n_{p}"], n))
            state[f"z_{p}"] = z + g - (root - old) / rate * w
            new[p] = -state[f"z_{p}"] * rate / root
        return new, state


def each(taken: Callable[[Expression, Expression, Expression], Expression]) -> Step:
    """The same function of each weight, its gradient, and the rate."""
    return lambda weights, grads, rate: {p: taken(w, grads[p], rate) for p, w in weights.items()}


def norm(grads: Tree) -> Expression:
    """Of all together."""
    first, *rest = (total(g * g, range(len(g.shape))) for g in grads.values())
    return sqrt(sum(rest, first))


def by_all(weights: Tree, grads: Tree, rate: Expression) -> Tree:
    """Clipped by the norm of all gradients."""
    share = minimum(0.1 / norm(grads), 1.0)
    return {p: grads[p] * share * rate for p in weights}


def by_value(g: Expression) -> Expression:
    """Clipped to 0.05, which the last bias alone is not within."""
    return maximum(minimum(g, 0.05), -0.05)


def by_own(g: Expression) -> Expression:
    """Clipped by its norm."""
    return g * minimum(0.1 / norm({"g": g}), 1.0)


FOLDED = taking(0.05, each(lambda _, g, __: g * 0.05))
SIGNS = taking(0.001, each(lambda _, g, rate: sign(g) * rate))
VALUE, NORM = "clipped to ±0.05", "clipped by a norm"
RIGHT = {  # a rule, and how it takes the gradients of the last two parameters
    "folded rate": (FOLDED, None, None),
    "folded rate, decay": (taking(0.05, each(lambda w, g, _: g * 0.05 + w * 0.01)), *["with 0.2 w added"] * 2),
    "signs": (SIGNS, *["clipped to ±1"] * 2),
    "by value": (taking(0.05, each(lambda _, g, rate: by_value(g) * rate)), None, VALUE),
    "by value, folded": (taking(0.05, each(lambda _, g, __: by_value(g) * 0.05)), None, VALUE),
    "by norm": (taking(0.05, each(lambda _, g, rate: by_own(g) * rate)), *[NORM] * 2),
    "by all norms": (taking(0.05, by_all), *[NORM] * 2),
    "decay": (taking(0.05, each(lambda w, g, rate: (g + w * 0.01) * rate)), *["with 0.01 w added"] * 2),
    "averaged": (Averaged(0.05, 0.9), *["0.1 times"] * 2),
}
