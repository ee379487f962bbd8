"""A comparison as JSON: docs/compare.md describes it. What has no number, as the SNR of equal tensors, becomes null."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from tflite_transfer.diagnostics.findings import Comparison, Difference, Finding

SCHEMA = "tflite-transfer compare 1"


def record(found: Comparison) -> dict[str, Any]:
    """The whole of it, in the order of the computation."""
    first = found.first
    return {
        "schema": SCHEMA, "a": asdict(found.a), "b": asdict(found.b), "mode": found.mode, "steps": found.steps,
        "agrees": found.agrees, "first": None if first is None else found.findings.index(first),
        "unmatched": list(found.unmatched), "growth": dict(found.growth),
        "findings": [_finding(f) for f in found.findings],
    }  # fmt: skip


def _finding(found: Finding) -> dict[str, Any]:
    others = ("heat", "cut", "isolated", "cumulative")
    kept = {f.name: getattr(found, f.name) for f in fields(found) if f.name not in others}
    return {**kept, "isolated": _difference(found.isolated), "cumulative": _difference(found.cumulative)}


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    told = asdict(found)
    if found.worst is not None:
        told["worst"]["nearer"] = found.worst.nearer
    return told
