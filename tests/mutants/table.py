"""All of them."""

from __future__ import annotations

from tests.mutants import operators, quantized, training

MUTANTS = (*operators.MUTANTS, *quantized.MUTANTS, *training.MUTANTS)
