"""Every operator in a file whose bytes are damaged: it runs, or is refused by a typed error, in little time."""

from __future__ import annotations

import time

import pytest

from tests.attacks.outcome import flips, outcome
from tests.parity.cases import ALL
from tests.parity.operators import content
from tflite_transfer.reference.budget import Budget

BUDGET = Budget(bytes=2**27, operators=1_000, trips=100, seconds=0.5)
SECONDS = 1.5  # of CPU for one file: a second more than the budget
FLIPS = 120
OPERATORS = sorted({(c.opcode, bool(c.stored)) for c in ALL})


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize(("opcode", "quantised"), OPERATORS)
def test_an_operator_in_damaged_files(opcode: str, quantised: bool) -> None:
    """Its first and its last case, 120 files of each with one to three other bytes."""
    cases = [c for c in ALL if (c.opcode, bool(c.stored)) == (opcode, quantised)]
    for case in {id(c): c for c in (cases[0], cases[-1])}.values():
        data, _ = content(case)
        for number, damaged in enumerate(flips(data, FLIPS, len(data))):
            start = time.process_time()
            try:
                assert outcome(damaged, BUDGET, jit=False)
            except Exception as e:
                e.add_note(f"{opcode}, file {number}")
                raise
            assert time.process_time() - start < SECONDS, (opcode, number)
