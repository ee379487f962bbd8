"""docs/layers.md names the operators that have a gradient, and the layers of the tests, and no more."""

from __future__ import annotations

import re

from tests.parity.layer_table import PAGE
from tests.parity.layers import ALL
from tflite_transfer.converter.gradients.table import RULES

MEND = "python -m tests.parity.layer_table writes the page again"


def test_the_page_has_every_rule_and_layer_and_no_other() -> None:
    operators, layers = PAGE.read_text().split("\n## ")[1:]
    assert operators.startswith(f"{len(RULES)} operators"), MEND
    assert re.findall(r"^\| ([A-Z]\w+) \|", operators, re.M) == sorted(RULES), MEND
    assert layers.startswith(f"{len(ALL)} layers"), MEND
    assert re.findall(r"^\| `(.+?)` \|", layers, re.M) == [x.name for x in ALL], MEND


def test_every_rule_says_what_it_computes() -> None:
    assert not [name for name, rule in RULES.items() if not (rule.__doc__ or "").strip()]
