"""The table of mutants fits the code: ``python -m tests.mutants`` runs them."""

from __future__ import annotations

import pytest

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.table import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_old_text_stands_once_in_its_file_and_the_tests_are_there(mutant: Mutant) -> None:
    compile(mutant.applied(ROOT), mutant.file, "exec")
    assert (ROOT / mutant.tests).is_file()


def test_no_mutant_is_there_twice() -> None:
    assert len(set(MUTANTS)) == len(MUTANTS) >= 60
