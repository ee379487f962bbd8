"""What ``compare`` finds, as frozen dataclasses. A and B are the two runs; ``exact`` is the float64 oracle's value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tflite_transfer.diagnostics.single import Cut
from tflite_transfer.reference.tflite.graph import Array, Subgraph

DECADES = tuple(range(-9, 1))  # of a histogram: |a - b| / max|a| below 10^-9, 10^-8, ... 10^0, and from there on
MODES = ("isolated", "cumulative", "teacher_forced")


@dataclass(frozen=True)
class Element:
    """One element of a tensor in both runs: where they are furthest apart."""

    index: tuple[int, ...]
    a: float
    b: float
    exact: float | None = None

    @property
    def nearer(self) -> str | None:
        """Which run is nearer to the oracle: ``a``, ``b``; None where nobody knows or both are as near."""
        if self.exact is None or math.isnan(self.exact):
            return None
        to_a, to_b = (_distance(value, self.exact) for value in (self.a, self.b))
        return None if to_a == to_b else "a" if to_a < to_b else "b"


def _distance(value: float, exact: float) -> float:
    """|value - exact|, and infinite where the value is NaN."""
    return 0.0 if value == exact else math.inf if math.isnan(value) else abs(value - exact)


@dataclass(frozen=True)
class Difference:
    """How far apart two tensors are. ``worst`` is None where they are equal, but for single numbers.

    ``share`` is the largest ``|a - b|`` as a share of what the operator and its inputs allow: more than 1 is a fault.
    It is None where nothing says what is allowed, as after many operators. ``max_ulp`` is shown, and decides nothing:
    a sum whose terms cancel is thousands of units from another one that is just as right.
    """

    max_abs: float
    max_rel: float  # of |a - b| / max(|a|, |b|)
    max_ulp: float | None  # None for integers
    cosine: float
    snr: float  # dB: 10 log10 of sum a^2 / sum (a - b)^2
    psnr: float  # dB: 10 log10 of max a^2 / mean (a - b)^2
    nan: tuple[int, int]  # how many, in A and in B
    inf: tuple[int, int]
    all_zero: tuple[bool, bool]
    histogram: tuple[int, ...]  # of |a - b| / max|a|: equal ones, then by DECADES
    worst: Element | None
    share: float | None = None


@dataclass(frozen=True)
class Finding:
    """One tensor that both runs made.

    ``isolated``: one operator on the other run's inputs, so that only its own fault shows. ``cumulative``: each run on
    its own values, so that drift shows too. Either is None where it was not asked for, or cannot be: a loop or a
    variable has no meaning alone.
    """

    kind: str  # tensor; or of a training step loss, gradient, parameter, slot
    step: int | None  # of the training, from 0; None in a forward run
    part: str  # the signature or file that the operator is in
    operator: int | None  # its number in A's graph; None where no operator of the graph makes it
    op: str
    tensor: int | None  # its number in A's graph
    name: str
    shape: tuple[int, ...]
    dtype: str
    isolated: Difference | None = None
    cumulative: Difference | None = None
    from_oracle: tuple[float, float] | None = None  # A's and B's relative distance: |x - exact| / |exact|, in norms
    fault: str | None = None  # why the two differ; None where they agree
    heat: Array | None = field(default=None, compare=False, repr=False)  # (H, W) largest |a - b| of an image's channels
    cut: Cut | None = field(default=None, compare=False, repr=False)  # of the first that differ

    @property
    def agrees(self) -> bool:
        """Are the two the same, as far as float32 can tell?"""
        return self.fault is None

    @property
    def difference(self) -> Difference | None:
        """The one that the verdict is of."""
        return self.isolated or self.cumulative

    @property
    def worst(self) -> Element | None:
        """The element where the two are furthest apart."""
        return self.difference.worst if self.difference else None

    @property
    def place(self) -> str:
        """Where it is, for people: ``step 3, train_head: operator 5 (SOFTMAX) -> probabilities``."""
        step = "" if self.step is None else f"step {self.step}, "
        made = f"operator {self.operator} ({self.op}) -> " if self.operator is not None else f"{self.op} -> "
        return f"{step}{self.part}: {made}{self.name}"


@dataclass(frozen=True)
class Run:
    """One of the two: which file, and what ran it."""

    model: str
    engine: str


@dataclass(frozen=True)
class Comparison:
    """Everything that was found, in the order in which it was computed."""

    a: Run
    b: Run
    mode: str
    steps: int  # 0: a forward run
    findings: tuple[Finding, ...]
    unmatched: tuple[str, ...] = ()  # operators of one file that the other one does not have
    graphs: Mapping[str, Subgraph] = field(default_factory=dict, compare=False, repr=False)  # A's, by part

    @property
    def faults(self) -> tuple[Finding, ...]:
        """Those that differ, in the order in which they were computed."""
        return tuple(f for f in self.findings if not f.agrees)

    @property
    def first(self) -> Finding | None:
        """Where the two part first."""
        return next(iter(self.faults), None)

    @property
    def cut(self) -> Cut | None:
        """The first operator that differs and can be run by itself."""
        return next((f.cut for f in self.faults if f.cut is not None), None)

    @property
    def agrees(self) -> bool:
        """Do both compute the same, as far as float32 can tell?"""
        return not self.faults and not self.unmatched

    @property
    def growth(self) -> Mapping[str, tuple[float, ...]]:
        """The largest ``|a - b|`` after each training step, by kind: loss, gradient, parameter, slot."""
        kinds = dict.fromkeys(f.kind for f in self.findings if f.kind != "tensor")
        return {kind: tuple(self._largest(kind, step) for step in range(self.steps)) for kind in kinds}

    def _largest(self, kind: str, step: int) -> float:
        found = (f.cumulative for f in self.findings if f.kind == kind and f.step == step)
        return max((d.max_abs for d in found if d is not None), default=0.0)

    @property
    def without_numbers(self) -> tuple[Finding, ...]:
        """Where both runs have NaN: they agree, and there is nothing left to compare."""
        return tuple(f for f in self.findings if f.difference is not None and all(f.difference.nan))

    @property
    def worst_first(self) -> tuple[Finding, ...]:
        """The findings, those that differ before those that agree, and the larger ones before the smaller."""
        return tuple(sorted(self.findings, key=_severity, reverse=True))


def _severity(finding: Finding) -> tuple[bool, float, float]:
    found = finding.difference
    if found is None:
        return not finding.agrees, 0.0, 0.0
    share = found.share if found.share is not None else 0.0
    return not finding.agrees, math.inf if math.isnan(share) else share, found.max_rel
