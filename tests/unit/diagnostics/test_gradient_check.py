"""The gradient check of whole files: every planted fault is named at its place, and healthy files have none."""

from __future__ import annotations

import pytest

from tests.unit.diagnostics.planted import PLANTED, Planted
from tflite_transfer.diagnostics.gradients import check_gradients


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: p.id)
def test_a_planted_fault_is_named(planted: Planted) -> None:
    found = check_gradients(planted.model())
    faults = [f for f in found.faults if (f.name, f.where) == (planted.name, planted.where)]
    assert len(faults) == 1, [str(f) for f in found.faults]
    if planted.number is not None:
        assert faults[0].number == pytest.approx(planted.number, rel=1e-5)
