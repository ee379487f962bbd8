"""``compare --gradients``: the check of a file's own training, as JSON and for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tflite_transfer.diagnostics.gradients import GradientReport


def record(found: GradientReport) -> dict[str, Any]:
    """docs/compare.md describes it."""
    checks = [{**asdict(check), "verdict": check.verdict} for check in found.checks]
    return {**asdict(found), "agrees": found.agrees, "checks": checks}


def lines(found: GradientReport) -> Iterator[str]:
    """The parameters, those first whose gradients are furthest from their slopes; then what is wrong, by name."""
    for check in sorted(found.checks, key=lambda c: c.error, reverse=True):
        shape = "x".join(map(str, check.shape)) or "scalar"
        numbers = f"{check.gradient:.9g}, slope {check.slope:.9g}, relative error {check.error:.1e}, h {check.h:.0e}"
        taken = f"; the update takes it {check.taken}" if check.taken else ""
        yield f"{check.verdict:7} gradient of {check.parameter} {shape}: {numbers}{taken}"
    yield from (f"unclear gradient of {name}: no tensor of the file is it" for name in found.unknown)
    yield from map(str, found.faults)
    agree = sum(c.verdict == "agree" for c in found.checks)
    wrong = f"; faults: {len(found.faults)}" if found.faults else ""
    yield (
        f"{found.source}: {agree} of {len(found.checks)} gradients are the slope of the loss, which is "
        f"{found.loss:.6g} over {found.examples} examples{wrong}"
    )
