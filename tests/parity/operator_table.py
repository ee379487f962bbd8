"""Writes docs/operators.md from the interpreter's tables and what the cases measure: run it as

python -m tests.parity.operator_table
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.parity.cases import ALL
from tests.parity.operators import MISSING, RESOLVERS, Array, Case, content, litert
from tests.parity.test_operators import ELSEWHERE
from tflite_transfer.reference.flex.table import FLEX
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.ops.table import TABLE

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"
INTRODUCTION = """# Operators of the reference interpreter

Written by `python -m tests.parity.operator_table` from the interpreter's tables and from the cases in
`tests/parity/cases`, each run in LiteRT {version} on {cpu}.

*reference* is LiteRT's resolver of plain C++ kernels, *default* the one with XNNPACK. A difference is the largest
|ours - theirs| of all cases, for floats in units of 2^-24 of the result's largest value (float16: 2^-11, float64:
2^-53), for quantised numbers in steps. "None, or wrong": LiteRT has no such kernel, or one whose faults the tests name.
Sums differ by the order of their terms; the tests bound each difference by what its own terms allow.
"""

HEADER = "| operator | types | reference | default |\n|---|---|---|---|"


class Row(NamedTuple):
    """An operator on some types."""

    operator: str
    quantised: bool
    types: tuple[str, ...]  # of the first input and the first output


def row_of(case: Case) -> Row:
    """Which row of the table a case belongs to."""
    quantised = bool(case.stored) or any(o.scale is not None for o in case.outputs)
    kinds = [str(v.dtype).replace("object", "string") for v in case.values[:1]]
    kinds += ["int4"] if any(i is not None and i.halves for i in case.inputs) else []
    return Row(case.opcode, quantised, tuple(dict.fromkeys([*kinds, case.outputs[0].kind.lower()])))


def rows() -> dict[tuple[str, bool], set[str]]:
    """(operator, quantised?) -> the types that its cases have."""
    found: dict[tuple[str, bool], set[str]] = {}
    for case in ALL:
        row = row_of(case)
        found.setdefault((row.operator, row.quantised), set()).update(row.types)
    return found


def difference(ours: Array, theirs: Array) -> float:
    """The largest, in units of half an epsilon of the largest value, or of one."""
    if ours.size == 0 or ours.dtype.kind not in "fiuc":
        return 0.0
    with np.errstate(all="ignore"):
        wide = np.complex128 if ours.dtype.kind == "c" else np.float64
        a, b = ours.astype(wide), theirs.astype(wide)
        apart = np.where((a == b) | ~np.isfinite(a) | ~np.isfinite(b), 0, np.abs(a - b))
    if ours.dtype.kind in "iu":
        return float(apart.max())
    largest = np.abs(np.where(np.isfinite(a), a, 0)).max()
    return float(apart.max() / max(largest * float(np.finfo(ours.dtype).eps) / 2, np.finfo(np.float64).tiny))


def measured(cases: Iterable[Case]) -> dict[tuple[str, bool], dict[str, float]]:
    """The largest difference of each operator, by resolver."""
    worst: dict[tuple[str, bool], dict[str, float]] = {}
    for case in cases:
        row = row_of(case)
        data, given = content(case)
        ours = Interpreter(data).call(*given)
        for resolver in RESOLVERS:
            if case.opcode in MISSING[resolver]:
                continue
            by = worst.setdefault((row.operator, row.quantised), {})
            for y, theirs in zip(ours, litert(data, given, resolver), strict=True):
                if not np.isinf(case.bound(resolver, y)).any():  # else LiteRT is wrong there: see the tests that pin it
                    by[resolver] = max(by.get(resolver, 0.0), difference(y, theirs))
    return worst


def number(value: float, quantised: bool) -> str:
    """A difference as the pages have it."""
    unit = "step" if value == 1 else "steps"
    return "equal" if value == 0 else f"{value:.0f} {unit}" if quantised and value.is_integer() else f"{value:.2g}"


def page(worst: dict[tuple[str, bool], dict[str, float]], introduction: str) -> str:
    """The whole page."""
    found = rows()
    lines = [introduction, f"## {len(TABLE)} builtin operators", "", HEADER]
    for name in sorted(TABLE):
        if name in ELSEWHERE:
            lines.append(f"| {name} | several operators a file: tests/parity/test_{{control,tables,sparse}}.py | | |")
        elif (name, False) in found:
            lines.append(_line(name, False, found, worst))
    quantised = sorted(name for name, stored in found if stored)
    lines += ["", f"## {len(quantised)} operators on quantised tensors", "", HEADER]
    lines += [_line(name, True, found, worst) for name in quantised]
    lines += ["", f"## {len(FLEX)} of TensorFlow's kernels", "", "Against TensorFlow: tests/parity/test_flex_*.py.", ""]
    return "\n".join([*lines, ", ".join(sorted(FLEX)) + "."]) + "\n"


def _line(name: str, quantised: bool, found: Any, worst: Any) -> str:
    by = worst[name, quantised]
    numbers = [number(by[r], quantised) if r in by else "none, or wrong" for r in ("reference", "default")]
    return f"| {name} | {', '.join(sorted(found[name, quantised]))} | {' | '.join(numbers)} |"


def told(introduction: str) -> str:
    """An introduction with what the page was measured on."""
    from importlib.metadata import version

    from bench.machine import processor

    return introduction.format(version=version("ai-edge-litert"), cpu=processor())


def main() -> None:
    PAGE.write_text(page(measured(ALL), told(INTRODUCTION)))


if __name__ == "__main__":
    main()
