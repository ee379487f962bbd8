"""What is wrong with a gradient: it is held against its slope along several directions, and against what it may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.gradients.check import STEPS, Along, GradientCheck, Losses, losses_at
from tflite_transfer.diagnostics.gradients.fault import Fault
from tflite_transfer.diagnostics.gradients.slopes import central_difference, relative_error
from tflite_transfer.diagnostics.training import Batch

LINES = 4  # for two unknowns
FITS = 1e-5  # of the terms: kinks on the way leave 1e-6, and the patterns are apart by more than 1e-2
TOLD = 1e-3  # from here on a part of the gradient is worth a word


@dataclass(frozen=True)
class Doubted:
    """A parameter whose gradient is not its slope, along a few random directions."""

    losses: Losses
    name: str
    h: float
    lines: tuple[Along, ...]
    slopes: Array  # (LINES,)

    @property
    def shape(self) -> tuple[int, ...]:
        """The parameter's."""
        return self.losses.values[self.name].shape

    @property
    def error(self) -> float:
        """See ``relative_error``."""
        return relative_error(self.slopes[0], self.lines[0].terms)

    @property
    def examples(self) -> int:
        """B."""
        return len(self.losses.batch.y)

    def along(self, values: Array) -> Array:
        """``Σ v d`` for each direction."""
        return np.array([float(np.vdot(values, line.direction)) for line in self.lines])

    def fit(self, gradient: Array, *parts: Array) -> tuple[float, ...] | None:
        """The factors of the slope and of some parts whose sum is a gradient; None where none are."""
        found, columns = self.along(gradient), np.stack([self.slopes, *map(self.along, parts)], axis=1)
        factors = np.linalg.lstsq(columns, found, rcond=None)[0]
        scale = np.abs(columns * factors).sum(1).max() or 1.0
        return tuple(map(float, factors)) if np.abs(columns @ factors - found).max() <= FITS * scale else None

    @cached_property
    def factors(self) -> tuple[float, float] | None:
        """How many times its slope the gradient is, and how many times the parameter is in it besides."""
        gradient, w = self.losses.gradients[self.name], self.losses.values[self.name]
        alone = self.fit(gradient)
        both = self.fit(gradient, w) if alone is None else (alone[0], 0.0)
        return None if both is None else (both[0], both[1])


def doubted(losses: Losses, name: str, h: float, rng: np.random.Generator) -> Doubted:
    """Look at a parameter along some lines."""
    lines = tuple(losses.random(name, rng) for _ in range(LINES))
    return Doubted(losses, name, h, lines, np.array([central_difference(line.f, h) for line in lines]))


def factor(losses: Losses, name: str, rng: np.random.Generator, h: float = STEPS[0]) -> float | None:
    """How many times its slope a gradient is, where it is that."""
    found = doubted(losses, name, h, rng).factors
    return None if found is None else found[0]


def gradient_fault(losses: Losses, check: GradientCheck, rng: np.random.Generator) -> Fault:
    """The pattern that a gradient shows which differs from its slope."""
    gradient = losses.gradients[check.parameter]
    if not np.isfinite(gradient).all():
        wrong = int((~np.isfinite(gradient)).sum())
        told = f"{wrong} of its {gradient.size} values are NaN or infinite, at a loss of {losses.loss:g}."
        return Fault("gradient not finite", check.parameter, wrong, told, "Look for log 0 or a division by 0 in train.")
    if not gradient.any():
        told = f"it is 0 everywhere, and the slope of the loss is {check.slope:g}."
        advice = "The file's backward pass does not reach it: freeze it, or make the file again."
        return Fault("no gradient", check.parameter, check.slope, told, advice)
    case = doubted(losses, check.parameter, check.h, rng)
    return next(fault for pattern in PATTERNS for fault in pattern(case))


def _multiple(case: Doubted) -> Iterator[Fault]:
    """The slope times a number."""
    if case.factors is None or abs(case.factors[0] - 1) <= TOLD or abs(case.factors[0]) <= FITS:
        return
    k = case.factors[0]
    told = f"its gradient is {k:.6g} times the slope of the loss"
    if abs(k + 1) <= TOLD:
        yield Fault("gradient sign", case.name, k, f"{told}.", "The step climbs: turn the sign around.")
        return
    divisor, batch = _divisor(case, k), case.examples
    if divisor is None:
        yield Fault("gradient scaled", case.name, k, f"{told}.", f"Divide it by {k:.6g}, or change its learning rate.")
    elif divisor == 1:
        told += f", which is the mean of {batch} examples: the gradient is their sum."
        yield Fault("wrong batch", case.name, k, told, f"Divide it by the {batch} examples.")
    else:
        told += f": it is divided by {divisor} where there are {batch} examples."
        advice = f"Give the head and the file one training batch, or train with {divisor} examples a step."
        yield Fault("wrong batch", case.name, k, told, advice)


def _divisor(case: Doubted, k: float) -> int | None:
    """What the gradient is divided by instead of the examples; with other examples the same, where any go."""
    divisor = case.examples / k
    if k <= 0 or round(divisor) < 1 or abs(divisor - round(divisor)) > FITS * divisor:
        return None
    x, y = case.losses.batch
    x_tensor, y_tensor = case.losses.training.arguments
    if -1 in x_tensor.free_shape[:1] + y_tensor.free_shape[:1] and len(y) > 1:
        fewer = Batch(x[1:], y[1:])
        again = losses_at(case.losses.training, case.losses.values, fewer)
        other = factor(replace(again, rate=case.losses.rate), case.name, np.random.default_rng(0), case.h)
        if other is None or abs(len(fewer.y) / other - divisor) > FITS * divisor:
            return None
    return round(divisor)


def _decay(case: Doubted) -> Iterator[Fault]:
    """The slope without, or beside, a part of the parameter itself: L2 in the loss and not in the gradient."""
    if case.factors is None:
        return
    c = case.factors[1]
    if c < 0:
        told = f"the slope of the loss has {-c:.6g} w more than the gradient: an L2 term of {-c / 2:.6g} Σ w² counts"
        told += " in the loss, and not in the gradient."
        yield Fault("L2 not in the gradient", case.name, c, told, f"Add {-c:.6g} w to the gradient.")
    else:
        told = f"the gradient has {c:.6g} w more than the slope of the loss."
        advice = f"Count {c / 2:.6g} Σ w² in the loss, or leave the decay to the optimizer."
        yield Fault("L2 not in the loss", case.name, c, told, advice)


def _another(case: Doubted) -> Iterator[Fault]:
    """The gradient of a parameter of the same shape, or this one's with its axes exchanged."""
    gradients, shape = case.losses.gradients, case.shape
    for other, gradient in gradients.items():
        if other != case.name and gradient.shape == shape and _is_slope(case, gradient):
            told = f"it has the gradient of {other}, which is of the same shape {shape}."
            advice = "Put the gradients into the parameters' order."
            yield Fault("gradient of another", case.name, case.error, told, advice)
            return
    own = gradients[case.name]
    if len(shape) == 2 and shape[0] == shape[1] and _is_slope(case, own.T):
        told = "its gradient is the transpose of the slope of the loss."
        yield Fault("gradient transposed", case.name, case.error, told, "Exchange its axes.")


def _is_slope(case: Doubted, gradient: Array) -> bool:
    found = case.fit(gradient)
    return found is not None and abs(found[0] - 1) <= FITS


def _element(case: Doubted) -> Iterator[Fault]:
    """Nothing that has a name: an element that is wrong."""
    losses, name, gradient = case.losses, case.name, case.losses.gradients[case.name]
    index = np.unravel_index(_wrong_element(case), gradient.shape)
    direction = np.zeros(gradient.shape)
    direction[index] = 1
    slope = central_difference(losses.along(name, direction).f, case.h)
    place = f"[{', '.join(map(str, index))}]"
    told = f"it is {gradient[index]:.6g} at {place}, where the slope of the loss is {slope:.6g}."
    yield Fault("wrong gradient", name, case.error, told, "Look for the operator that this element comes from.")


def _wrong_element(case: Doubted) -> int:
    """Halve the elements, and go on with the half whose gradient is further from its slope."""
    rng, shape, left = np.random.default_rng(0), case.shape, np.arange(math.prod(case.shape))
    while len(left) > 1:
        halves = np.array_split(left, 2)
        left = max(halves, key=lambda part: _apart(case, part, shape, rng))
    return int(left[0])


def _apart(case: Doubted, elements: Array, shape: tuple[int, ...], rng: np.random.Generator) -> float:
    direction = np.zeros(math.prod(shape))
    direction[elements] = rng.normal(size=len(elements))
    line = case.losses.along(case.name, (direction / np.linalg.norm(direction)).reshape(shape))
    return abs(central_difference(line.f, case.h) - float(line.terms.sum()))


Pattern = Callable[[Doubted], Iterator[Fault]]
PATTERNS: tuple[Pattern, ...] = (_multiple, _decay, _another, _element)
