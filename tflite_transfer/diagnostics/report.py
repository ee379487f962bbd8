"""The page of a comparison: what ``compare --report`` writes. Everything in it is in the findings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from tflite_transfer.diagnostics.findings import DECADES, Comparison, Difference, Finding
from tflite_transfer.diagnostics.gradients import GradientCheck, GradientReport
from tflite_transfer.diagnostics.page import arcs, chart
from tflite_transfer.diagnostics.page.numbers import power_of_ten, short
from tflite_transfer.diagnostics.page.template import render

WORST, MAPS = 10, 8  # findings that are listed first, and pictures of where images differ
BLOCKS = " ▁▂▃▄▅▆▇█"


def page(found: Comparison, gradients: GradientReport | None = None) -> str:
    """The whole page, with the gradient check where there was one. Raises MissingExtraError without Jinja2."""
    return render("compare", found=found, told=Report(found, gradients))


@dataclass(frozen=True)
class Report:
    """What the page draws, and the words that it has for it."""

    found: Comparison
    gradients: GradientReport | None = None

    @property
    def checks(self) -> list[GradientCheck]:
        """The parameters, those first whose gradients are furthest from their slopes."""
        return sorted(self.gradients.checks, key=lambda c: -c.error) if self.gradients else []

    @property
    def tensors(self) -> tuple[Finding, ...]:
        """What operators made."""
        return tuple(f for f in self.found.findings if f.kind == "tensor")

    @property
    def worst(self) -> tuple[Finding, ...]:
        """The first that a reader should see."""
        return self.found.worst_first[:WORST]

    @property
    def heats(self) -> list[Finding]:
        """Images that differ, the worst first."""
        return [f for f in self.found.worst_first if f.heat is not None and f.heat.any()][:MAPS]

    @property
    def parts(self) -> dict[str, list[Finding]]:
        """The tensors by signature or file, in their order."""
        parts: dict[str, list[Finding]] = {}
        for finding in self.tensors:
            parts.setdefault(finding.part, []).append(finding)
        return parts

    @property
    def drawings(self) -> dict[str, arcs.Drawing]:
        """Each sub-graph's picture."""
        return {part: arcs.drawn(graph) for part, graph in self.found.graphs.items()}

    def nodes(self, part: str) -> dict[int, Finding]:
        """The worst finding of each operator of a part, by its number."""
        by_number: dict[int, Finding] = {}
        for finding in reversed(self.found.worst_first):
            if finding.part == part and finding.operator is not None:
                by_number[finding.operator] = finding
        return by_number

    @property
    def shares(self) -> chart.Chart | None:
        """What each operator alone uses of what it is allowed."""
        values = [_share(f.isolated) for f in self.tensors]
        return chart.lines({"share": values}, log=True, first=0) if any(v > 0 for v in values) else None

    @property
    def has_oracle(self) -> bool:
        """Is there float64 to hold both runs against?"""
        return any(f.from_oracle is not None for f in self.tensors)

    @property
    def drift(self) -> chart.Chart | None:
        """How far both runs are from float64, or from each other where there is no oracle."""
        known = [f.from_oracle for f in self.tensors if f.from_oracle is not None]
        if known:
            curves = {
                f"A, {self.found.a.engine}": [a for a, _ in known],
                f"B, {self.found.b.engine}": [b for _, b in known],
            }
        else:
            curves = {"A from B": [f.cumulative.max_rel for f in self.tensors if f.cumulative is not None]}
        return chart.lines(curves, log=True, first=0) if any(v > 0 for c in curves.values() for v in c) else None

    @property
    def counts(self) -> list[int]:
        """How many numbers of all tensors are equal, and then differ by DECADES."""
        found = [f.difference.histogram for f in self.tensors if f.difference is not None]
        return [sum(column) for column in zip(*found, strict=True)]

    @property
    def histogram(self) -> chart.Histogram | None:
        """Those that differ, by the size of their difference."""
        counts = self.counts[1:]
        return chart.histogram(counts, list(range(len(counts) + 1))) if any(counts) else None

    @property
    def histogram_labels(self) -> list[str]:
        """What stands below the bars."""
        return [*(f"<{power_of_ten(n)}" for n in DECADES), "more"]

    @property
    def most(self) -> float | None:
        """The largest share of what is allowed."""
        shares = [
            f.isolated.share for f in self.found.findings if f.isolated is not None and f.isolated.share is not None
        ]
        return max(shares, default=None)

    @property
    def last(self) -> float | None:
        """How far apart the two are in the end."""
        found = [f.cumulative for f in self.found.findings if f.cumulative is not None]
        return found[-1].max_rel if found else None

    @property
    def losses(self) -> chart.Chart | None:
        """Both runs' losses, step by step."""
        found = [f.worst for f in self.found.findings if f.kind == "loss" and f.worst is not None]
        a, b = (f"{side}, {run.engine}" for side, run in (("A", self.found.a), ("B", self.found.b)))
        curves = {a: [e.a for e in found], b: [e.b for e in found]}
        return chart.lines(curves, first=0) if len(found) > 1 else None

    @property
    def growth(self) -> chart.Chart | None:
        """The largest difference of each kind, step by step."""
        curves = self.found.growth if self.found.steps > 1 else {}
        return chart.lines(curves, log=True, first=0) if any(v > 0 for c in curves.values() for v in c) else None

    def level(self, finding: Finding) -> str:
        """The colour of a finding: none, some, much of what is allowed, or a fault."""
        if not finding.agrees:
            return "fault"
        if finding.difference is None or finding.difference.max_abs == 0:
            return "equal"
        return "some" if _share(finding.isolated) < 0.1 else "much"

    def spark(self, found: Difference | None) -> str:
        """A histogram in one word."""
        if found is None:
            return ""
        most = max(found.histogram) or 1
        return "".join(BLOCKS[math.ceil(8 * math.sqrt(n / most))] for n in found.histogram)

    def brief(self, finding: Finding) -> str:
        """A finding in two words, for the drawing."""
        found = finding.difference
        if found is None or found.max_abs == 0:
            return "" if found is None else "equal"
        if finding.isolated is None:
            return f"{short(found.max_rel, 2)}, whole run"
        return short(found.max_abs, 2) if found.share is None else f"{short(found.share, 2)} of allowed"

    def anchor(self, finding: Finding) -> str:
        """A name for the finding's line, of this page's own making: names in a file may hold anything."""
        return f"f{self._places[id(finding)]}"

    @cached_property
    def _places(self) -> dict[int, int]:
        return {id(finding): i for i, finding in enumerate(self.found.findings)}

    def measures(self, finding: Finding) -> list[tuple[str, str]]:
        """A finding's numbers, for one that is looked at closely."""
        told: list[tuple[str, str]] = []
        for name, d in (("alone", finding.isolated), ("in the whole run", finding.cumulative)):
            if d is not None:
                told.append((name, _measured(d)))
        if finding.from_oracle is not None:
            a, b = finding.from_oracle
            told.append(("from float64", f"A {short(a)}, B {short(b)} of its size"))
        return told


def _measured(d: Difference) -> str:
    parts = [f"at most {short(d.max_abs)}", f"relative {short(d.max_rel)}"]
    if d.max_ulp is not None:
        parts.append(f"{short(d.max_ulp)} ULP")
    if d.share is not None:
        parts.append(f"{short(d.share, 3)} of what is allowed")
    parts += [f"cosine {short(d.cosine, 7)}", f"SNR {decibels(d.snr)}", f"PSNR {decibels(d.psnr)}"]
    for name, (a, b) in (("NaN", d.nan), ("infinite", d.inf)):
        if a or b:
            parts.append(f"{name}: {a} in A, {b} in B")
    if any(d.all_zero):
        parts.append("all zero in " + " and ".join(n for n, z in zip("AB", d.all_zero, strict=True) if z))
    return ", ".join(parts)


def decibels(value: float) -> str:
    """``123 dB``."""
    return f"{short(value, 3)} dB"


def _share(found: Difference | None) -> float:
    return 0.0 if found is None or found.share is None or not math.isfinite(found.share) else found.share
