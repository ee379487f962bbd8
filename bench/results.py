"""What was measured: raw figures, what they are held against, and the file that keeps them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal, NamedTuple

Unit = Literal["s", "bytes"]
Values = Mapping[str, Sequence[float]]  # a side's name -> its raw figures, one of each round


@dataclass(frozen=True)
class Goal:
    """A ratio between a side and others, and the number that it should reach; None only tells.

    ``faster``: so many times faster than the fastest of the others. ``within``: so many times the largest of them at
    the most. ``at most``: no ratio, the side's own figure.
    """

    kind: Literal["faster", "within", "at most"]
    side: str
    others: tuple[str, ...] = ()
    number: float | None = None


class Outcome(NamedTuple):
    """A goal's figure: median and quartiles over the rounds, and the other side that it came from."""

    figure: float
    low: float
    high: float
    other: str
    met: bool | None  # None: no goal


@dataclass(frozen=True)
class Row:
    """A case's figures."""

    name: str
    unit: Unit
    values: Values
    goals: tuple[Goal, ...]

    def outcomes(self) -> list[tuple[Goal, Outcome]]:
        """What became of the goals whose sides were measured: a peer may be missing."""
        found = [(goal, self._outcome(goal)) for goal in self.goals]
        return [(goal, one) for goal, one in found if one is not None]

    def _outcome(self, goal: Goal) -> Outcome | None:
        others = [name for name in goal.others if name in self.values]
        if goal.side not in self.values or (goal.others and not others):
            return None
        figures, other = list(self.values[goal.side]), ""
        if others:
            pick = min if goal.kind == "faster" else max
            other = pick(others, key=lambda name: median(self.values[name]))
            pairs = zip(figures, self.values[other], strict=True)
            figures = [b / a if goal.kind == "faster" else a / b for a, b in pairs]
        middle, low, high = spread(figures)
        met = None
        if goal.number is not None:
            met = middle >= goal.number if goal.kind == "faster" else middle <= goal.number
        return Outcome(middle, low, high, other, met)


class Results(NamedTuple):
    """A run of the bench."""

    machine: dict[str, str]
    rows: list[Row]
    left_out: dict[str, str]  # a case's name -> why


def spread(figures: Sequence[float]) -> tuple[float, float, float]:
    """Median and quartiles."""
    low, _, high = quantiles(figures, n=4) if len(figures) > 1 else [*figures] * 3
    return median(figures), low, high


def save(results: Results, path: Path) -> None:
    """As JSON, a list in a line."""
    rows = {r.name: {k: v for k, v in asdict(r).items() if k != "name"} for r in results.rows}
    text = json.dumps({**results._asdict(), "rows": rows}, indent=1)
    path.write_text(re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text) + "\n")


def load(path: Path) -> Results:
    """What ``save`` wrote."""
    found: dict[str, Any] = json.loads(path.read_text())
    rows = [
        Row(name, r["unit"], r["values"], tuple(Goal(**{**g, "others": tuple(g["others"])}) for g in r["goals"]))
        for name, r in found["rows"].items()
    ]
    return Results(found["machine"], rows, found["left_out"])
