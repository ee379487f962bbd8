"""A case: what is measured, and what it is held against. Each validates what it measures before it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, Literal, NamedTuple

Values = Mapping[str, Sequence[float]]  # a side's name -> its raw figures, one of each round


class Setting(NamedTuple):
    """How long to measure, and whom beside."""

    rounds: int = 15
    seconds: float = 0.05  # of each side in each round
    peers: Mapping[str, Any] = {}  # noqa: RUF012  # a mapping that nothing changes


ONCE = Setting(1, 0.0)  # to see that a case runs


@dataclass(frozen=True)
class Goal:
    """A ratio between a side and others, and the number that it should reach; None only tells.

    ``faster``: so many times faster than the fastest of the others. ``within``: so many times the slowest of them at
    the most. ``at most``: no ratio, the side's own median.
    """

    kind: Literal["faster", "within", "at most"]
    side: str
    others: tuple[str, ...] = ()
    number: float | None = None


@dataclass(frozen=True)
class Case:
    """Some lines of the table."""

    name: str
    measure: Callable[[Setting], Values]
    goals: tuple[Goal, ...] = ()
    unit: Literal["s", "bytes"] = "s"
    full: bool = field(default=False, kw_only=True)  # too long for CI's smoke test


class Outcome(NamedTuple):
    """A goal's figure: median and quartiles over the rounds, and the other side that it came from."""

    figure: float
    low: float
    high: float
    other: str
    met: bool | None  # None: no goal


def outcome(goal: Goal, values: Values) -> Outcome | None:
    """What became of a goal; None where one of its sides was not measured, such as a peer."""
    others = [name for name in goal.others if name in values]
    if goal.side not in values or (goal.others and not others):
        return None
    mine, other = values[goal.side], ""
    figures = list(mine)
    if others:
        pick = min if goal.kind == "faster" else max
        other = pick(others, key=lambda name: median(values[name]))
        pairs = zip(mine, values[other], strict=True)
        figures = [b / a if goal.kind == "faster" else a / b for a, b in pairs]
    low, _, high = quantiles(figures, n=4) if len(figures) > 1 else figures * 3
    figure = median(figures)
    met = None
    if goal.number is not None:
        met = figure >= goal.number if goal.kind == "faster" else figure <= goal.number
    return Outcome(figure, low, high, other, met)
