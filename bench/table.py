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
    if goal.kind == "at most":
        told = f"{goal.side}: {figure(found.figure, unit)}"
    else:
        ratio = f"{digits(found.figure)} ({digits(found.low)} to {digits(found.high)}) times"
        told = f"{goal.side}: {ratio} {'faster than' if goal.kind == 'faster' else 'the figure of'} {found.other}"
    return told if found.met is None else f"{told}; {wanted(goal, unit)}: {'met' if found.met else 'missed'}"


def wanted(goal: Goal, unit: Unit) -> str:
    """A goal's number."""
    if goal.number is None:
        return ""
    if goal.kind == "at most":
        return f"goal ≤ {figure(goal.number, unit)}"
    return f"goal {'≥' if goal.kind == 'faster' else '≤'} {goal.number:g}"
