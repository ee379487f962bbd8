"""docs/models.md names the models of the table, and no others."""

from __future__ import annotations

import re

from tests.parity.model_table import PAGE
from tests.parity.models import MODELS, REFUSED
from tests.parity.models.convert import KINDS

MEND = "python -m tests.parity.model_table writes the page again"
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| (.*?) ?\| (.*?) ?\| (.*?) ?\|$", re.M)


def test_the_page_has_every_model_in_every_kind_and_no_other() -> None:
    rows = {(name, kind): rest for name, kind, *rest in ROW.findall(PAGE.read_text()) if kind in KINDS}
    assert list(rows) == [(name, kind) for name in MODELS for kind in KINDS], MEND
    for place, (operators, *measured) in rows.items():
        if place in REFUSED:
            assert operators.endswith(REFUSED[place]), MEND
        else:
            assert int(operators) > 0
            for resolver, cell in zip(("reference", "default"), measured, strict=False):
                assert 0 <= difference(cell) <= MODELS[place[0]].bounds.of(place[1], resolver), MEND


def difference(cell: str) -> float:
    """In steps, or in units of 2^-24."""
    value = 0 if cell == "equal" else float(cell.split()[0])
    return value * 2**24 / 100 if "%" in cell else value
