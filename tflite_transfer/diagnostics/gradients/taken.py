"""What an update takes in place of a right gradient, without a fault: a clipped one, or one with decay added to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.gradients.check import BOUND, GradientCheck, Losses, losses_at
from tflite_transfer.diagnostics.gradients.examples import beside

ALIKE = 1e-6  # of a gradient's largest element: both are made of one tensor, by constants in float32
CHANGED = 1e-4  # of a share: one that is a constant stays the same to ALIKE


class Way(NamedTuple):
    """How an update takes a gradient. One that is not sure is a way only if other parameters go it too."""

    how: str
    sure: bool = True


def settled(losses: Losses, checks: Iterable[GradientCheck], rng: np.random.Generator) -> tuple[GradientCheck, ...]:
    """The checks of the loss's own gradients, where the file has them, and what the update takes is made of them.

    A constant factor is the rule's own where all parameters have it; of some alone it is a fault.
    """
    found = [(check, *_own(losses, check, rng)) for check in checks]
    told = {way and way.how for _, own, way in found if own.verdict == "agree"}
    trusted = {way.how for *_, way in found if way and way.sure} | (told if len(told) == 1 else set())
    return tuple(own if way is None or way.how in trusted else check for check, own, way in found)


def _own(losses: Losses, check: GradientCheck, rng: np.random.Generator) -> tuple[GradientCheck, Way | None]:
    if check.verdict != "differ":
        return check, None
    name, taken = check.parameter, losses.gradients[check.parameter]
    for tensor, g in losses.training.candidates(name, losses.values, losses.batch).items():
        found = replace(losses, given={**losses.given, name: g * losses.rate}).check(name, rng)
        if found.error <= BOUND:
            way = _clipped(taken, g) or _decayed(taken, g, losses.values[name]) or _shared(losses, name, tensor, rng)
            return (check, None) if way is None else (replace(found, taken=way.how), way)
    return check, None


def _clipped(taken: Array, g: Array) -> Way | None:
    """``clip(k g, -c, c)`` that changes something. Signs are clipped to 1. Any k fits a single element."""
    end, size = float(np.abs(taken).max(initial=0)), np.abs(g)
    free = (np.abs(taken) < end * (1 - ALIKE)) & (g != 0)
    k = float(np.vdot(taken[free], g[free]) / np.vdot(g[free], g[free])) if free.any() else 0.0
    apart = np.abs(taken - np.where(free, k * g, end * np.sign(g))).max(initial=0)
    cut = (size[~free] > (1 + ALIKE) * end / k).any() if k > 0 else np.ptp(size) > ALIKE * size.max(initial=0)
    if not (k >= 0 < end and cut and apart <= ALIKE * end):
        return None
    return Way(f"clipped to ±{end:.6g}", np.count_nonzero(free) != 1 or abs(k - 1) <= ALIKE)


def _decayed(taken: Array, g: Array, w: Array) -> Way | None:
    """``g + c w``, of as many elements as say it."""
    c = float(np.vdot(taken - g, w) / (np.vdot(w, w) or 1.0))
    apart = np.abs(taken - g - c * w).max(initial=0)
    return Way(f"with {c:.6g} w added") if c > 0 and w.size > 1 and apart <= ALIKE * np.abs(taken).max() else None


def _shared(losses: Losses, name: str, tensor: int, rng: np.random.Generator) -> Way | None:
    """A positive share of g: always the same, or another one elsewhere."""
    shares = []
    for values in (losses.values, beside(losses.values, losses.training.parameters, rng)):
        taken = losses_at(losses.training, values, losses.batch).gradients[name] / losses.rate
        g = losses.training.candidates(name, values, losses.batch)[tensor]
        shares.append(float(np.vdot(taken, g) / np.vdot(g, g)))
        if not np.abs(taken - shares[-1] * g).max() <= ALIKE * np.abs(taken).max():
            return None
    if min(shares) <= 0:
        return None
    same = abs(shares[1] / shares[0] - 1) <= CHANGED
    return Way(f"{shares[0]:.6g} times", sure=False) if same else Way("clipped by a norm")
