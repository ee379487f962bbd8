"""Findings as a table for the terminal: one line each."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite_transfer.diagnostics import Comparison, Finding

_WIDTH = 140  # where there is no terminal
_GAP = "  "
_LEAST, _LONGEST = 16, 40  # of a tensor's name
COLUMNS = ("", "step", "part", "operator", "tensor", "max abs", "max rel", "max ULP", "SNR dB", "of allowed")
_NUMBERS = frozenset({"step", *COLUMNS[5:]})
_SPARE = ("SNR dB", "max rel", "max ULP", "part", "step")  # first what is left out first, of a narrow terminal


def table(findings: Iterable[Finding]) -> Iterator[str]:
    """The lines of a table, each as wide as the terminal at the most: tensors' names are cut, then columns left out."""
    rows = [COLUMNS, *(tuple(_cells(finding)) for finding in findings)]
    widths = {name: max(len(row[n]) for row in rows) for n, name in enumerate(COLUMNS)}
    widths["operator"] = min(widths["operator"], _LONGEST)
    room = shutil.get_terminal_size((_WIDTH, 24)).columns - len(_GAP) * (len(widths) - 1)
    names = widths.pop("tensor")
    for name in _SPARE:
        if room - sum(widths.values()) >= _LEAST:
            break
        del widths[name]
        room += len(_GAP)
    widths["tensor"] = min(names, max(room - sum(widths.values()), _LEAST), _LONGEST)
    for row in rows:
        cells = zip(COLUMNS, row, strict=True)
        yield _GAP.join(_cell(name, text, widths[name]) for name, text in cells if name in widths).rstrip()


def _cell(name: str, text: str, width: int) -> str:
    if len(text) > width:
        text = text[: width - 1] + "…"
    return text.rjust(width) if name in _NUMBERS else text.ljust(width)


def verdict(found: Comparison) -> str:
    """The whole in a sentence."""
    a, b = found.a, found.b
    models = a.model if a.model == b.model else f"{a.model} and {b.model}"
    steps = f", {found.steps} training step{'s' * (found.steps > 1)}" if found.steps else ""
    wrong = f"{len(found.faults)} of {len(found.findings)} tensors differ"
    if found.unmatched:
        wrong += f", {len(found.unmatched)} operator{'s' * (len(found.unmatched) > 1)} unmatched"
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
