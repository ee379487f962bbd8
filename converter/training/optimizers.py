"""Optimizers as formulas: (weights, gradients, slots, learning rate) -> (new weights, new slots)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from tflite_transfer.converter.expressions import Expression, Graph, Shape, power, sqrt, square
from tflite_transfer.converter.numbers import check_number
from tflite_transfer.reference.tflite.errors import OptionError

Tree = Mapping[str, Expression]  # by the parameter's or the slot's name


@runtime_checkable
class Optimizer(Protocol):
    """What training needs of an optimizer."""

    type: ClassVar[str]

    @property
    def learning_rate(self) -> float:
        """The rate to begin with."""
        ...

    def slots(self, parameters: Mapping[str, Shape]) -> dict[str, Shape]:
        """Its state for these parameters, all zeros at first."""
        ...

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        """New weights and new slots."""
        ...


def described(optimizer: Optimizer) -> dict[str, Any]:
    """For the files' metadata."""
    return {"type": optimizer.type, **asdict(optimizer)}  # type: ignore[call-overload]


def optimizer_graph(optimizer: Optimizer, parameters: Mapping[str, Shape]) -> Graph:
    """``P, grad_P, slots -> new_P, new_slots``: a pure function, P all parameters in order."""
    g = Graph()
    weights = {p: g.argument(p, shape) for p, shape in parameters.items()}
    grads = {p: g.argument(f"grad_{p}", shape) for p, shape in parameters.items()}
    slots = {s: g.argument(s, shape) for s, shape in optimizer.slots(parameters).items()}
    new, state = optimizer.step(weights, grads, slots, g.number("learning_rate", optimizer.learning_rate))
    for name, value in {**new, **state}.items():
        g.result(f"new_{name}", value.named(f"new_{name}"))
    return g


@dataclass(frozen=True)
class SGD:
    """``w' = w - lr g``; with momentum μ ``v' = μ v - lr g`` and ``w' = w + v'``, or Nesterov's ``w + μ v' - lr g``.

    Keras' forms: the rate is within the velocity.
    """

    type: ClassVar[str] = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def slots(self, parameters: Mapping[str, Shape]) -> dict[str, Shape]:
        return {f"velocity_{p}": shape for p, shape in parameters.items()} if self.momentum else {}

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        moves = {p: (grads[p] * rate).named(f"{p}/move") for p in weights}
        if not self.momentum:
            return {p: w - moves[p] for p, w in weights.items()}, {}
        v = {p: slots[f"velocity_{p}"] * self.momentum - moves[p] for p in weights}
        forward = {p: v[p] * self.momentum - moves[p] for p in weights} if self.nesterov else v
        return {p: w + forward[p] for p, w in weights.items()}, {f"velocity_{p}": v[p] for p in weights}


def _moment_slots(parameters: Mapping[str, Shape]) -> dict[str, Shape]:
    """Means m and v of each parameter's gradient and its square, and the number of steps."""
    return {f"{letter}_{p}": shape for letter in "mv" for p, shape in parameters.items()} | {"step": ()}


class _Moments:
    """What Adam's forms share: beta1 and beta2, ``1 - beta`` taken in double, and what means that began at 0 lack."""

    def __init__(self, step: Expression, beta1: float, beta2: float) -> None:
        number = step.graph.number
        self.beta1, self.beta2 = number("beta1", beta1), number("beta2", beta2)
        self.rest1, self.rest2 = number("1-beta1", 1 - beta1), number("1-beta2", 1 - beta2)
        self.step = step + number("one", 1.0)
        self.correction1 = self._lacking(self.beta1, "beta1")
        self.correction2 = self._lacking(self.beta2, "beta2")

    def _lacking(self, beta: Expression, name: str) -> Expression:
        return (1.0 - power(beta, self.step).named(f"{name}^step")).named(f"1-{name}^step")


@dataclass(frozen=True)
class Adam:
    """Adam, algorithm 1 of Kingma and Ba (https://arxiv.org/abs/1412.6980): epsilon after the bias correction.

    The formulas are those of ``reference/optimizers.py``; ``1 - beta`` is taken in double, then rounded.
    """

    type: ClassVar[str] = "adam"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def slots(self, parameters: Mapping[str, Shape]) -> dict[str, Shape]:
        return _moment_slots(parameters)

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        c, epsilon = _Moments(slots["step"], self.beta1, self.beta2), rate.graph.number("epsilon", self.epsilon)
        new: dict[str, Expression] = {}
        state: dict[str, Expression] = {}
        for p, w in weights.items():
            g, m, v = grads[p], slots[f"m_{p}"], slots[f"v_{p}"]
            m = state[f"m_{p}"] = (g * c.rest1).named(f"m_{p}/fresh") + (m * c.beta1).named(f"m_{p}/kept")
            v = state[f"v_{p}"] = (g * g * c.rest2).named(f"v_{p}/fresh") + (v * c.beta2).named(f"v_{p}/kept")
            reach = ((m / c.correction1).named(f"m_{p}/hat") * rate).named(f"{p}/rate")
            root = sqrt((v / c.correction2).named(f"v_{p}/hat")).named(f"v_{p}/root")
            new[p] = w - (reach / (root + epsilon).named(f"{p}/scale")).named(f"{p}/move")
        return new, {s: state[s] for s in slots if s != "step"} | {"step": c.step}


@dataclass(frozen=True)
class KerasAdam:
    """Adam as Keras has it, and AdamW: the corrections are within the rate, and so act on epsilon too.

    ``m' = m + (g - m)(1 - β1)``, ``v' = v + (g² - v)(1 - β2)``, ``w' = w - m' α / (√v' + ε)`` with
    ``α = lr √(1 - β2^t) / (1 - β1^t)``: the form before section 2.1 of Kingma and Ba, where ε is ε̂. At the first step
    of g = 1e-6 with lr 0.1, ε 1e-7, it moves 0.024 where algorithm 1 moves 0.091. With a ``weight_decay``, w is first
    made smaller by ``lr decay w``: Loshchilov and Hutter (https://arxiv.org/abs/1711.05101).
    """

    type: ClassVar[str] = "keras_adam"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0

    def slots(self, parameters: Mapping[str, Shape]) -> dict[str, Shape]:
        return _moment_slots(parameters)

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        c, epsilon = _Moments(slots["step"], self.beta1, self.beta2), rate.graph.number("epsilon", self.epsilon)
        alpha = rate * sqrt(c.correction2) / c.correction1
        shrink = rate * rate.graph.number("weight_decay", self.weight_decay)
        new: dict[str, Expression] = {}
        state: dict[str, Expression] = {}
        for p, w in weights.items():
            m, v = slots[f"m_{p}"], slots[f"v_{p}"]
            m = state[f"m_{p}"] = m + (grads[p] - m) * c.rest1
            v = state[f"v_{p}"] = v + (square(grads[p]) - v) * c.rest2
            kept = w - w * shrink if self.weight_decay else w
            new[p] = kept - m * alpha / (sqrt(v) + epsilon)
        return new, {s: state[s] for s in slots if s != "step"} | {"step": c.step}


@dataclass(frozen=True)
class RMSprop:
    """``v' = ρ v + (1 - ρ) g²``, ``w' = w - lr g / √(v' + ε)``; with momentum μ the moves are summed, ``μ m + move``.

    Keras' form: ε within the root.
    """

    type: ClassVar[str] = "rmsprop"
    learning_rate: float = 1e-3
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7

    def slots(self, parameters: Mapping[str, Shape]) -> dict[str, Shape]:
        names = ("velocity", "momentum") if self.momentum else ("velocity",)
        return {f"{name}_{p}": shape for name in names for p, shape in parameters.items()}

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        new: dict[str, Expression] = {}
        state: dict[str, Expression] = {}
        for p, w in weights.items():
            v = state[f"velocity_{p}"] = slots[f"velocity_{p}"] * self.rho + square(grads[p]) * (1 - self.rho)
            move = grads[p] * rate / sqrt(v + self.epsilon)
            if self.momentum:
                move = state[f"momentum_{p}"] = slots[f"momentum_{p}"] * self.momentum + move
            new[p] = w - move
        return new, {s: state[s] for s in slots}


# What each name of the command line makes, with which defaults of its own, and the numbers that it takes.
_NAMED: Mapping[str, tuple[Callable[..., Optimizer], Mapping[str, float], tuple[str, ...]]] = {
    "sgd": (SGD, {}, ("learning_rate", "momentum", "nesterov")),
    "adam": (KerasAdam, {}, ("learning_rate", "beta1", "beta2", "epsilon")),
    "adamw": (KerasAdam, {"weight_decay": 0.004}, ("learning_rate", "beta1", "beta2", "epsilon", "weight_decay")),
    "rmsprop": (RMSprop, {}, ("learning_rate", "rho", "momentum", "epsilon")),
}
_RANGES = {  # what else than "more than 0" a number must be
    "momentum": ("at least 0 and less than 1", lambda v: 0 <= v < 1),
    "rho": ("at least 0 and less than 1", lambda v: 0 <= v < 1),
    "beta1": ("at least 0 and less than 1", lambda v: 0 <= v < 1),
    "beta2": ("at least 0 and less than 1", lambda v: 0 <= v < 1),
    "weight_decay": ("0 or more", lambda v: v >= 0),
}


def named_optimizer(name: str, numbers: Mapping[str, Any]) -> Optimizer:
    """Keras' ``sgd``, ``adam``, ``adamw`` or ``rmsprop``, with other numbers than its defaults.

    Raises OptionError for a name, a number that does not go with it, or a value that it cannot have in float32.
    """
    if name not in _NAMED:
        raise OptionError(f"--optimizer must be one of {', '.join(_NAMED)}, but is {name!r}.")
    make, defaults, takes = _NAMED[name]
    for key, value in numbers.items():
        if key not in takes:
            raise OptionError(f"--{key} does not go with --optimizer {name}, which takes {', '.join(takes)}.")
        if key != "nesterov":
            check_number(f"--{key}", value, *_RANGES.get(key, ("more than 0", lambda v: v > 0)))
    if numbers.get("nesterov") and not numbers.get("momentum"):
        raise OptionError("--nesterov needs a --momentum.")
    return make(**{**defaults, **numbers})
