"""Findings as a table for the terminal: one line each."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite_transfer.diagnostics import Comparison, Finding

_WIDTH = 140  # where there is no terminal
COLUMNS = ("", "step", "part", "operator", "tensor", "max abs", "max rel", "max ULP", "SNR dB", "of allowed")


def table(findings: Iterable[Finding]) -> Iterator[str]:
    """The lines of a table; what does not fit is cut."""
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="")
    for name in COLUMNS:
        right = name in COLUMNS[5:] or name == "step"
        most = {"tensor": 40, "operator": 32}.get(name)
        made.add_column(name, justify="right" if right else "left", no_wrap=True, max_width=most)
    for finding in findings:
        made.add_row(*_cells(finding))
    console = Console(width=shutil.get_terminal_size((_WIDTH, 24)).columns, color_system=None, markup=False)
    with console.capture() as shown:
        console.print(made)
    return (line.rstrip() for line in shown.get().splitlines())


def verdict(found: Comparison) -> str:
    """The whole in a sentence."""
    a, b = found.a, found.b
    models = a.model if a.model == b.model else f"{a.model} and {b.model}"
    steps = f", {found.steps} training step{'s' * (found.steps > 1)}" if found.steps else ""
    wrong = f"{len(found.faults)} of {len(found.findings)} tensors differ"
    told = f"agrees in {len(found.findings)} tensors" if found.agrees else wrong
    return f"{models}: {a.engine} (A) and {b.engine} (B), {found.mode}{steps}: {told}"


def _cells(finding: Finding) -> Iterator[str]:
    found = finding.difference
    yield "ok" if finding.agrees else "differs"
    yield "" if finding.step is None else str(finding.step)
    yield finding.part
    yield finding.op if finding.operator is None else f"{finding.operator} {finding.op}"
    yield finding.name if finding.kind == "tensor" else f"{finding.kind} {finding.name}"
    if found is None:
        yield from ("", "", "", "", "")
        return
    yield f"{found.max_abs:.2g}"
    yield f"{found.max_rel:.2g}"
    yield "" if found.max_ulp is None else f"{found.max_ulp:.0f}"
    yield "equal" if math.isinf(found.snr) and found.snr > 0 else f"{found.snr:.0f}"
    yield "" if found.share is None else f"{found.share:.2g}"
