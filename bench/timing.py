"""Timing several ways of doing one thing in turns, so that what else the machine does strikes all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

LONG = 20.0  # seconds
Clock = Callable[[int], float]  # a number of repeats -> the seconds that they took


class Side(NamedTuple):
    """One way, and how many units of work, such as steps, a repeat of it does."""

    clock: Clock
    units: float = 1


def timed(call: Callable[[], object]) -> Clock:
    """The clock of a call."""

    def clock(repeats: int) -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            call()
        return time.perf_counter() - started

    return clock


def race(sides: Mapping[str, Side], rounds: int, seconds: float) -> dict[str, list[float]]:
    """The seconds a unit took, by side and round. In each round each side has its turn, of about ``seconds``.

    Where that takes long no further round is begun.
    """
    repeats = {name: _repeats(side.clock, seconds) for name, side in sides.items()}
    found: dict[str, list[float]] = {name: [] for name in sides}
    started = time.perf_counter()
    for _ in range(rounds):
        for name, side in sides.items():
            found[name].append(side.clock(repeats[name]) / repeats[name] / side.units)
        if time.perf_counter() - started > LONG:
            break
    return found


def _repeats(clock: Clock, seconds: float) -> int:
    """The first call compiles, and warms the caches; the second tells how long one takes."""
    if clock(1) > LONG:
        return 1
    return max(1, int(seconds / max(clock(1), 1e-7)))
