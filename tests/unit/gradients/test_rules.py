"""Each rule of the table by itself: in float64, the gradient that it writes is the slope of its own operator."""

from __future__ import annotations

import pytest

from tests.unit.gradients.cases import ALL, windows
from tests.unit.gradients.differentiated import Derivative, differentiated, error
from tflite_transfer.converter.gradients.table import RULES

# The largest error seen is 5e-8, of RESIZE_BILINEAR, whose weights the file holds in float32; else 1e-8.
BOUND = 1e-7
LONG = [case for case in windows.long() if str(case) not in map(str, ALL)]


def check(case: Derivative, *, free: bool) -> None:
    file = differentiated(case, free=free)
    assert error(file) <= BOUND
    assert max(len(t.shape) for t in file.model.main.tensors) <= 4  # on five axes XNNPACK fails to prepare some


@pytest.mark.parametrize("case", ALL, ids=str)
def test_the_gradient_is_the_slope(case: Derivative) -> None:
    check(case, free=True)


@pytest.mark.full
@pytest.mark.parametrize("case", [*(c for c in ALL if c.free), *LONG], ids=str)
def test_so_it_is_for_a_fixed_number_of_examples(case: Derivative) -> None:
    check(case, free=False)


@pytest.mark.full
@pytest.mark.parametrize("case", LONG, ids=str)
def test_so_it_is_for_all_windows(case: Derivative) -> None:
    check(case, free=True)


def test_every_rule_has_a_case() -> None:
    assert {c.case.opcode for c in ALL} == set(RULES)


@pytest.mark.parametrize("opcode", ["SPLIT", "SPLIT_V", "UNPACK"])
def test_a_part_that_nothing_depends_on_gives_zeros(opcode: str) -> None:
    case = next(c for c in ALL if c.case.opcode == opcode)
    whole, part = (differentiated(case, free=True, seeds=n) for n in (None, 1))
    assert part.seeds == ["dy0"] != whole.seeds
    assert error(part) <= BOUND
