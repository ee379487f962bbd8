"""Pictures of a run, as SVG: every case beside LiteRT, and what a step costs as the samples become more."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench import growth
from bench.heads import LIMITS, LITERT
from bench.results import Results, Row

STABLE: Any = {"svg.hashsalt": "bench", "svg.fonttype": "none"}  # the same figures are the same file; texts stay texts
OURS = "#1f6fb2"
OTHERS = ("#7fb2dd", "#7f7f7f", "#c0504d", "#e39d3a", "#4f9a5b", "#8064a2", "#17a2b8", "#b0699e", "#666633", "#222222")


def overview(results: Results, path: Path) -> None:
    """How many times as fast as LiteRT on one thread each side of each case is; the numpy backend as a bar."""
    speeds = {row.name: _speeds(row) for row in results.rows if {"numpy", "LiteRT"} <= set(row.values)}
    figure = Figure(figsize=(10, 1.6 + 0.34 * len(speeds)), layout="constrained")
    axes = figure.add_subplot()
    ours = [found["numpy"] - 1 for found in speeds.values()]
    axes.barh(list(speeds), ours, left=1, height=0.5, color=OURS, label="numpy")  # from LiteRT's line on
    names = dict.fromkeys(name for found in speeds.values() for name in found if name != "numpy")
    for name, colour in zip(names, cycle(OTHERS), strict=False):
        marks = [(found[name], case) for case, found in speeds.items() if name in found]
        axes.plot(*zip(*marks, strict=True), "D", markersize=5, color=colour, label=name)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="times as fast as LiteRT on one thread")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    _save(figure, path)


def _speeds(row: Row) -> Mapping[str, float]:
    """Of every way to do the work but the base line itself, the faster of its graphs."""
    middle = {name: median(values) for name, values in row.values.items()}
    base = min(middle[name] for name in LITERT[1] if name in middle)
    apart = (*LIMITS, *LITERT[1], LITERT[2][1])
    return {name: base / value for name, value in middle.items() if name not in apart}


def growing(results: Results, path: Path) -> None:
    """Seconds a step and seconds an epoch, by the number of samples."""
    row = next(row for row in results.rows if row.name == growth.CASES[0].name)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    step, epoch = figure.subplots(1, 2)
    for (backend, numbers), colour in zip(growth.BACKENDS.items(), (OURS, OTHERS[2]), strict=True):
        found = [(n, median(row.values[name])) for n in numbers if (name := growth.side_name(backend, n)) in row.values]
        step.plot([n for n, _ in found], [1e6 * s for _, s in found], "o-", color=colour, label=f"{backend} backend")
        epoch.plot([n for n, _ in found], [s * n / growth.HEAD.examples for n, s in found], "o-", color=colour)
    step.set(ylabel="µs a step", ylim=(0, None), title="a step")
    epoch.set(ylabel="seconds an epoch", yscale="log", title="an epoch")
    for axes in (step, epoch):
        axes.set(xscale="log", xlabel="samples of 1,280 features")
        axes.grid(alpha=0.3)
    step.legend(frameon=False)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    with mpl.rc_context(STABLE):
        figure.savefig(path, metadata={"Date": None})
