"""Figures as text."""

from __future__ import annotations

from collections.abc import Iterator

from bench.results import Goal, Outcome, Row, Unit, spread

_STEPS = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))}


def figure(value: float, unit: Unit) -> str:
    """Three digits, and a unit that suits them."""
    size, name = next((s for s in _STEPS[unit] if value >= s[0]), _STEPS[unit][-1])
    return f"{digits(value / size)} {name}"


def digits(value: float) -> str:
    """Three of them, or all in front of the point."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


def lines(row: Row) -> Iterator[str]:
    """A case for the screen: each side, then each goal."""
    yield row.name
    for name, values in row.values.items():
        middle, low, high = (figure(v, row.unit) for v in spread(values))
        yield f"    {name:38} {middle:>10}   {low} to {high}"
    for goal, found in row.outcomes():
        yield f"  {sentence(goal, found, row.unit)}"


def sentence(goal: Goal, found: Outcome, unit: Unit) -> str:
    """A goal and what became of it."""
    told = figure(found.figure, unit)
    if goal.kind != "at most":
        ratio = f"{digits(found.figure)} ({digits(found.low)} to {digits(found.high)}) times"
        told = f"{ratio} {'as fast as' if goal.kind == 'faster' else 'that of'} {found.other}"
    met = "" if found.met is None else f"; goal {_wanted(goal, unit)}: {'met' if found.met else 'missed'}"
    return f"{goal.side}: {told}{met}"


def _wanted(goal: Goal, unit: Unit) -> str:
    if goal.number is None:
        return ""
    number = figure(goal.number, unit) if goal.kind == "at most" else f"{goal.number:g}"
    return f"{'≥' if goal.kind == 'faster' else '≤'} {number}"
