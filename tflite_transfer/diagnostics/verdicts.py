"""When a difference is a fault. A tensor alone has a bound; after many operators only what no rounding does is one."""

from __future__ import annotations

import numpy as np

from tflite_transfer.diagnostics.findings import Difference
from tflite_transfer.diagnostics.metrics import far
from tflite_transfer.diagnostics.sides import ORACLE
from tflite_transfer.reference.tflite.graph import Array

FURTHER = 10  # times further from the oracle than the other run
NEAR = 2.0**-14  # and further than this, in norms: what float32 may lose on the way
FAR = 2.0**-8  # where the other run is the oracle itself, from which any other is infinitely further: 16 of 24 digits


def unlike(a: Array, b: Array, engines: tuple[str, str]) -> str | None:
    """Do they differ in shape or type? The oracle's types are wider by intent."""
    if a.shape != b.shape:
        return f"shape {a.shape} in A, {b.shape} in B"
    if a.dtype != b.dtype and ORACLE not in engines:
        return f"{a.dtype} in A, {b.dtype} in B"
    return None


def of_one(found: Difference, op: str) -> str | None:
    """One operator on the same inputs."""
    if found.share is None or found.share <= 1:
        return None
    if found.max_abs == np.inf:
        return _not_finite(found)
    size = f"{found.share:.3g} times" if np.isfinite(found.share) else "more than"
    return f"{op} alone: {found.max_abs:.3g} apart, {size} what its inputs allow"


def of_a_run(found: Difference | None, from_oracle: tuple[float, float] | None, engines: tuple[str, str]) -> str | None:
    """A tensor after all operators before it."""
    if found is not None and found.max_abs == np.inf:
        return _not_finite(found)
    if from_oracle is None:
        return None
    near, away = sorted(from_oracle)
    if away <= max(FAR if ORACLE in engines else NEAR, FURTHER * near):
        return None
    run = "A" if away == from_oracle[0] else "B"
    return f"{run} is {away:.3g} of its size away from float64, and the other run {near:.3g}"


def of_a_state(found: Difference, from_oracle: tuple[float, float] | None) -> str | None:
    """A parameter or slot after a step: further apart than the gradients' roundings can move it, and one run is right.

    Of a tensor that is 0 in both, or nearly, only the second shows which one is.
    """
    if found.max_abs == np.inf:
        return _not_finite(found)
    if found.share is None or found.share <= 1 or from_oracle is None:
        return None
    near, away = sorted(from_oracle)
    if away <= FURTHER * near:
        return None
    return f"the step leaves it {found.max_abs:.3g} apart, {found.share:.3g} times what the gradients allow"


def from_oracle(a: Array, b: Array, exact: Array | None) -> tuple[float, float] | None:
    """How far each is from the oracle; None where there is none, or for integers, which a rounding may flip."""
    if exact is None or a.dtype.kind not in "fc" or not a.shape == b.shape == exact.shape:
        return None
    return far(a, exact), far(b, exact)


def _not_finite(found: Difference) -> str:
    counts = f"NaN {found.nan[0]} in A, {found.nan[1]} in B; infinite {found.inf[0]} in A, {found.inf[1]} in B"
    return f"not finite in one alone: {counts}"
