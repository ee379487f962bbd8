"""Timing two ways of doing one thing in turns, so that what else the machine does strikes both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

ROUNDS = 15
SECONDS = 0.15  # of each side in each round


@dataclass(frozen=True)
class Ratio:
    """Seconds a call, medians over the rounds, and how many times faster ours is: median and quartiles."""

    ours: float
    theirs: float
    faster: float
    quartiles: tuple[float, float]


def compare(ours: Callable[[], object], theirs: Callable[[], object], calls: int = 1) -> Ratio:
    """Time both in turns; one call of ``ours`` does the work of ``calls`` calls of ``theirs``."""
    repeats = [_repeats(ours), _repeats(theirs)]
    pairs = [(_time(ours, repeats[0]) / calls, _time(theirs, repeats[1])) for _ in range(ROUNDS)]
    ratios = [b / a for a, b in pairs]
    low, _, high = quantiles(ratios, n=4)
    return Ratio(median(a for a, _ in pairs), median(b for _, b in pairs), median(ratios), (low, high))


def _repeats(call: Callable[[], object]) -> int:
    call()  # the first call compiles, and warms the caches
    return max(1, int(SECONDS / max(_time(call, 1), 1e-7)))


def _time(call: Callable[[], object], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats
