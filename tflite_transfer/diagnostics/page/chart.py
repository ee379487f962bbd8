"""Geometry of small charts: numbers -> places in a drawing, for the templates to draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tflite_transfer.diagnostics.page.numbers import power_of_ten, short

WIDTH, HEIGHT = 380.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 8.0, 8.0, 24.0


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, at a place in the drawing."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """Numbers from ``low`` to ``high`` -> places from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False  # it counts

    def place(self, value: float) -> float:
        """Where a number stands; beyond the ends, at the end."""
        low, high, v = (self._scaled(x) for x in (self.low, self.high, value))
        share = 0.5 if high == low else min(max((v - low) / (high - low), 0.0), 1.0)
        return round(self.start + share * (self.end - self.start), 2)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value

    @property
    def ticks(self) -> list[Tick]:
        """Up to six marks at round numbers."""
        return [Tick(self.place(v), label) for v, label in (self._decades() if self.log else self._steps())]

    def _decades(self) -> list[tuple[float, str]]:
        first, last = math.ceil(self._scaled(self.low) - 1e-9), math.floor(self._scaled(self.high) + 1e-9)
        stride = max(1, -(-(last - first) // 5))
        return [(10.0**e, power_of_ten(e)) for e in range(first, last + 1, stride)]

    def _steps(self) -> list[tuple[float, str]]:
        span = self.high - self.low
        if span <= 0:
            return [(self.low, short(self.low, 3))]
        rough = max(span / 5, 1.0 if self.whole else 0.0)
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor((self.high - first * step) / step + 1e-9)
        return [(v, short(v, 3)) for v in (round(step * (first + i), 12) for i in range(count + 1))]


@dataclass(frozen=True)
class Line:
    """A curve's name and its points in the drawing."""

    name: str
    points: list[tuple[float, float]]

    @property
    def path(self) -> str:
        """For a polyline."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)


@dataclass(frozen=True)
class Chart:
    """Curves over one pair of axes."""

    x: Axis
    y: Axis
    lines: tuple[Line, ...]


def lines(curves: Mapping[str, Sequence[float]], *, log: bool = False, first: int = 1) -> Chart:
    """Curves over 1, 2, 3 ...; on a logarithmic axis what is 0 or no number has no point."""
    shown = [v for values in curves.values() for v in values if math.isfinite(v) and (v > 0 or not log)]
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    if log:
        low, high = 10.0 ** math.floor(math.log10(low or 1)), 10.0 ** math.ceil(math.log10(high or 1))
    elif low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    count = max(map(len, curves.values()), default=1)
    x = Axis(first, max(first + count - 1, first + 1), LEFT, WIDTH - RIGHT, whole=True)
    y = Axis(low, high, HEIGHT - BOTTOM, TOP, log)
    drawn = tuple(
        Line(
            name,
            [(x.place(first + i), y.place(v)) for i, v in enumerate(values) if math.isfinite(v) and (v > 0 or not log)],
        )
        for name, values in curves.items()
    )
    return Chart(x, y, drawn)


@dataclass(frozen=True)
class Bar:
    """An upright bar: left edge, top, width and height in the drawing."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Histogram:
    """Bars over a number axis."""

    x: Axis
    y: Axis
    bars: tuple[Bar, ...]


def histogram(counts: Sequence[int], edges: Sequence[float], *, log: bool = False) -> Histogram:
    """Counts between edges, one more of these than of those."""
    x = Axis(edges[0], edges[-1], LEFT, WIDTH - RIGHT, log)
    y = Axis(0, max(max(counts, default=1), 1), HEIGHT - BOTTOM, TOP)
    bars = []
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        left, right, top = x.place(low), x.place(high), y.place(count)
        bars.append(Bar(left, top, max(round(right - left - 0.5, 2), 0.5), round(y.start - top, 2)))
    return Histogram(x, y, tuple(bars))
