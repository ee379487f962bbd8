"""Each gradient of a file against the slope of its own loss, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.gradients.slopes import central_difference, lost, relative_error
from tflite_transfer.diagnostics.gradients.steps import TrainingStep
from tflite_transfer.diagnostics.training import Batch

# Healthy files come to 3.8e-8, of 109 layers of Keras' the bilinear UpSampling2D, and to 1.2e-8, of networks a
# transformer: what forward and backward pass hold as float32 constants is off by 6e-8 at the most. A wrong gradient is
# off by orders of magnitude more.
BOUND = 1e-7
STEPS = (1e-5, 1e-6, 1e-4, 1e-7)  # the first one does, but where a kink is near, or the loss is far from straight
TRIES = 2  # directions, before a gradient is doubted
UNCLEAR = 0.1  # of the error: the slope is no better known than that


@dataclass(frozen=True)
class GradientCheck:
    """One parameter: its gradient and its slope along a random direction.

    ``error`` is their difference in units of ``Σ |g d|``, beyond what rounding takes. ``uncertain`` is in the same unit
    how well the slope is known: what rounding may take from it, or what it changes by where h is halved, if that is
    more. Where it is large, the gradient is tiny, or a kink is near, as RELU's at 0. ``taken``: what the update makes
    of it before it goes along it.
    """

    parameter: str
    shape: tuple[int, ...]
    gradient: float
    slope: float
    error: float
    uncertain: float
    h: float
    taken: str | None = None

    @property
    def verdict(self) -> str:
        """``agree``, ``differ``, or ``unclear`` where the slope itself is not known well enough."""
        if self.error <= BOUND:
            return "agree"
        return "unclear" if self.uncertain > UNCLEAR * self.error else "differ"


class Along(NamedTuple):
    """A direction d: its terms ``g d``, and the loss on the line, as a function of h."""

    direction: Array
    terms: Array
    f: Callable[[float], float]


@dataclass(frozen=True)
class Losses:
    """The loss of a batch around some values, and the gradients that the file gives there.

    ``rate``: what they are multiplied by in the file, where that has its learning rate as a constant in between.
    """

    training: TrainingStep
    values: Tree
    batch: Batch
    loss: float
    given: Tree
    rate: float = 1.0

    @cached_property
    def gradients(self) -> Tree:
        """Without the rate."""
        return {name: g / self.rate for name, g in self.given.items()}

    def along(self, parameter: str, direction: Array) -> Along:
        """The loss on a line through the values."""
        w = self.values[parameter]

        def f(h: float) -> float:
            return self.training.loss({**self.values, parameter: w + h * direction}, self.batch)

        return Along(direction, self.gradients[parameter] * direction, f)

    def random(self, parameter: str, rng: np.random.Generator) -> Along:
        """The loss on a random line: d has length 1, so that many parameters move the loss no more than one does."""
        direction = rng.normal(size=self.values[parameter].shape)
        return self.along(parameter, direction / np.linalg.norm(direction))

    def check(self, parameter: str, rng: np.random.Generator, steps: Sequence[float] = STEPS) -> GradientCheck:
        """Agreement within BOUND along any of a few lines, at any of a few steps, is agreement: chance gives none."""
        found: list[GradientCheck] = []
        for line, h in product([self.random(parameter, rng) for _ in range(TRIES)], steps):
            found.append(self._checked(parameter, line, h))
            if found[-1].error <= BOUND:
                return found[-1]
        return self._doubted(min(found, key=lambda c: c.error), self.random(parameter, rng))

    def _checked(self, parameter: str, line: Along, h: float) -> GradientCheck:
        slope, scale = central_difference(line.f, h), float(np.abs(line.terms).sum()) or 1.0
        rounding = lost(self.loss, h)
        error = relative_error(slope, line.terms, rounding)
        shape, gradient = self.values[parameter].shape, float(line.terms.sum())
        return GradientCheck(parameter, shape, gradient, slope, error, rounding / scale, h)

    def _doubted(self, check: GradientCheck, line: Along) -> GradientCheck:
        """How well the slope is known, where it is not the gradient's: a kink is another one at another step."""
        scale = float(np.abs(line.terms).sum()) or 1.0
        changes = abs(central_difference(line.f, check.h) - central_difference(line.f, check.h / 2)) / scale
        return replace(check, uncertain=max(check.uncertain, changes))


def losses_at(training: TrainingStep, values: Tree, batch: Batch) -> Losses:
    """The file's own loss and gradients at these values."""
    stepped = training.step(values, batch)
    return Losses(training, values, batch, stepped.loss, stepped.gradients)


def check_each(losses: Losses, rng: np.random.Generator) -> Iterator[GradientCheck]:
    """Every parameter, beginning with the step that did for the one before: kinks are near everywhere or nowhere."""
    steps = STEPS
    for parameter in losses.training.parameters:
        yield (found := losses.check(parameter, rng, steps))
        steps = tuple(sorted(STEPS, key=lambda h: h != found.h)) if found.verdict == "agree" else steps
