"""What is wrong with an optimizer: a few steps on one batch, and what they leave in its state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.gradients.check import Losses
from tflite_transfer.diagnostics.gradients.fault import Fault
from tflite_transfer.diagnostics.gradients.steps import Stepped
from tflite_transfer.diagnostics.training import Batch

STEPS = 4
ALIKE = 1e-6  # of a slot to the gradient, or its square
STEADY = 0.02  # Adam's rate over some steps: epsilon and weight decay change it by less, a step too many by 26 %
NOTHING = 1e-9  # of the loss: such a gradient is rounding, as that of a bias in front of a batch norm
SEEN = 1e-5  # √v' is so much larger than any epsilon


@dataclass(frozen=True)
class Steps:
    """The values before and after each of some steps on one batch."""

    losses: Losses
    before: Sequence[Tree]
    done: Sequence[Stepped]

    @cached_property
    def state(self) -> tuple[str, ...]:
        """The optimizer's variables."""
        return self.losses.training.state

    def alive(self, parameter: str) -> bool:
        """Has it a gradient at each step?"""
        return all(np.abs(s.gradients[parameter]).max(initial=0) > NOTHING * abs(s.loss) for s in self.done)


def steps_from(losses: Losses) -> Steps:
    """Go a few steps."""
    before, done = [losses.values], []
    for _ in range(STEPS):
        done.append(losses.training.step(before[-1], losses.batch))
        before.append(done[-1].after)
    return Steps(losses, before[:-1], done)


def update_faults(losses: Losses) -> Iterator[Fault]:
    """A state that stands still, a step that climbs, corrections for the wrong step."""
    steps = steps_from(losses)
    bad = list(_not_finite(steps))
    yield from bad
    if not bad:
        still = [*_stale_slots(steps), *_standing_counter(steps)]
        yield from still
        yield from _climbs(steps)
        if not still:
            yield from _corrections(steps)


def _not_finite(steps: Steps) -> Iterator[Fault]:
    first = steps.done[0]
    if not all(np.isfinite(g).all() for g in first.gradients.values()):
        return  # that is the gradient's fault
    for p in steps.losses.training.parameters:
        wrong = int((~np.isfinite(first.after[p])).sum())
        if wrong:
            told = (
                f"{wrong} of its {first.after[p].size} values are NaN or infinite after one step, and its gradient is"
            )
            told += " finite"
            if _moments(steps, p) is not None:
                told += ": at the first step Adam divides by 1 - beta^t, and t is 0."
                advice = "Count the step before the correction: t = step + 1."
                yield Fault("step counter off by one", p, -1, told, advice)
            else:
                advice = "Look for a division by 0 in the update."
                yield Fault("update not finite", p, wrong, f"{told}.", advice)
            return


def _stale_slots(steps: Steps) -> Iterator[Fault]:
    """Slots that stay as they were, though every parameter of their shape has a gradient.

    A slot is written at each step, or begins at 0, which no rate or mask does.
    """
    training, before = steps.losses.training, steps.before[0]
    for slot in (n for n in training.state if n in training.written or not np.any(before[n])):
        alike = [p for p in training.parameters if np.shape(before[p]) == np.shape(before[slot]) != ()]
        moves = any(not np.array_equal(s.after[slot], before[slot]) for s in steps.done)
        if alike and not moves and all(map(steps.alive, alike)):
            told = f"it is the same after {STEPS} steps, and the gradients are not 0: every step is like the first one."
            advice = "Write the optimizer's new state back at each step, and give it to the next."
            yield Fault("optimizer state does not move", slot, 0.0, told, advice)


def _standing_counter(steps: Steps) -> Iterator[Fault]:
    """A number that is written at each step, and begins at 0, counts them."""
    scalars = any(np.shape(steps.before[0][p]) == () for p in steps.losses.training.parameters)
    for slot in steps.losses.training.written:
        first = steps.before[0][slot]
        if np.shape(first) != () or float(first) != 0 or scalars:
            continue
        counted = [float(s.after[slot]) for s in steps.done]
        if counted == [float(first)] * STEPS:
            told = f"it is {counted[-1]:g} after {STEPS} steps: what it corrects is corrected as at the first step."
            advice = "Add 1 to it at each step, and keep the result."
            yield Fault("step counter stands still", slot, 0.0, told, advice)
        elif counted != [1.0 + n for n in range(STEPS)] and np.ptp(np.diff(counted)) <= ALIKE * abs(counted[0]):
            told = f"it is {', '.join(f'{c:g}' for c in counted)} after {STEPS} steps."
            yield Fault("step counter", slot, counted[0], told, "Add 1 to it at each step.")


def _climbs(steps: Steps) -> Iterator[Fault]:
    """Steps that go along the gradient, or nowhere. A cosine of -1 is SGD's descent; Adam's is near -0.6.

    The first step and the last: FTRL's first one goes from where its slots are, and not from the parameter's value.
    """
    training, (x, y) = steps.losses.training, steps.losses.batch
    others = [training.step(steps.before[n], Batch(x, np.roll(y, 1, axis=0))) for n in (0, -1)]
    for p in filter(steps.alive, training.parameters):
        if not any((s.after[p] != steps.before[0][p]).any() for s in steps.done):
            told = f"its gradient is not 0, and {STEPS} steps leave it as it is."
            yield Fault("parameter does not move", p, 0.0, told, "Assign its new value, or look at the learning rate.")
            continue
        cosine = min(_cosine(steps, n, other, p) for n, other in zip((0, -1), others, strict=True))
        if cosine > 0:
            told = f"its steps go along its gradient (cosine {cosine:.3f}), to a larger loss."
            yield Fault("update climbs", p, cosine, told, "Subtract the step from it.")


def _cosine(steps: Steps, n: int, other: Stepped, p: str) -> float:
    """Between what other labels change in a gradient, and in its step: decay and momentum are in both, and fall out."""
    done, before, rate = steps.done[n], steps.before[n], steps.losses.rate
    gradient, move = done.gradients[p] - other.gradients[p], done.after[p] - other.after[p]
    if np.abs(gradient).max(initial=0) <= ALIKE * np.abs(done.gradients[p]).max(initial=0):
        gradient, move = done.gradients[p], done.after[p] - before[p]
    size = np.linalg.norm(gradient) * np.linalg.norm(move)
    return float(np.sign(rate) * np.vdot(gradient, move) / size) if size else 0.0


class Moments(NamedTuple):
    """Adam's slots m and v of a parameter, and their betas."""

    m: str
    v: str
    beta1: float
    beta2: float


def _moments(steps: Steps, parameter: str) -> Moments | None:
    """The slots that after a step from 0 are ``(1 - β1) g`` and ``(1 - β2) g²``, if there are such."""
    g, found = steps.done[0].gradients[parameter], dict[int, tuple[str, float]]()
    for slot in steps.state:
        after = steps.done[0].after[slot]
        if np.shape(after) != g.shape or np.any(steps.before[0][slot]) or not np.any(after):
            continue
        for power in (1, 2):
            share = float(np.vdot(after, g**power) / np.vdot(g**power, g**power))
            if 0 < share <= 1 and np.abs(after - share * g**power).max() <= ALIKE * np.abs(after).max():
                found[power] = slot, 1 - share
    return Moments(found[1][0], found[2][0], found[1][1], found[2][1]) if len(found) == 2 else None


def _corrections(steps: Steps) -> Iterator[Fault]:
    """The rate of ``m' √(1 - β2^t) / √v' / (1 - β1^t)``, which is the same at each step if t is what it must be."""
    if not any(np.shape(steps.before[0][s]) == () for s in steps.state):
        return
    t = np.arange(1, STEPS + 1)
    for p in steps.losses.training.parameters:
        moments = _moments(steps, p)
        rates = None if moments is None else _rates(steps, p, moments)
        if moments is None or rates is None:
            continue
        spread: dict[int | None, float] = {None: _spread(rates)}
        for late in (0, 1, 2):
            powers = (beta ** (t + late) for beta in moments[2:])
            k1, k2 = (1 - power for power in powers)
            spread[late] = _spread(rates * k1 / np.sqrt(k2))
        best = min(spread, key=lambda late: spread[late])
        if spread[0] > STEADY and spread[best] <= STEADY:
            yield _wrong_step(p, best, spread[0])
            return


def _rates(steps: Steps, parameter: str, moments: Moments) -> Array | None:
    """What multiplies ``m' / √v'`` in each step, where the gradient is largest; None where epsilon would be seen."""
    before = [values[parameter] for values in steps.before]
    at = np.unravel_index(np.argmax(np.abs(steps.done[0].gradients[parameter])), before[0].shape)
    root = np.array([np.sqrt(s.after[moments.v][at]) for s in steps.done])
    moved = np.array([b[at] - s.after[parameter][at] for b, s in zip(before, steps.done, strict=True)])
    mean = np.array([s.after[moments.m][at] for s in steps.done])
    return moved * root / mean if root.min() >= SEEN else None


def _wrong_step(parameter: str, offset: int | None, spread: float) -> Fault:
    seen = f"with Adam's corrections for the steps 1 to {STEPS} its rate changes by {spread:.0%} from step to step"
    if offset is None:
        told = f"{seen}, without any by less than {STEADY:.0%}: m and v are taken as they are, too small at first."
        return Fault("no bias correction", parameter, spread, told, "Divide m by 1 - β1^t and v by 1 - β2^t.")
    told = f"{seen}, and for those {offset} later by less than {STEADY:.0%}."
    advice = "Count the step before the correction, once: t = step + 1."
    return Fault("step counter off by one", parameter, offset, told, advice)


def _spread(rates: Array) -> float:
    return float(np.ptp(rates) / np.abs(rates).max()) if np.abs(rates).max() else np.inf
