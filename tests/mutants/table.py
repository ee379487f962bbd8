"""All of them."""

from __future__ import annotations

from tests.mutants import diagnostics, operators, quantized, training

MUTANTS = (*diagnostics.MUTANTS, *operators.MUTANTS, *quantized.MUTANTS, *training.MUTANTS)
