"""All of them."""

from __future__ import annotations

from tests.mutants import diagnostics, operators, pages, quantized, training

MUTANTS = (*diagnostics.MUTANTS, *operators.MUTANTS, *pages.MUTANTS, *quantized.MUTANTS, *training.MUTANTS)
