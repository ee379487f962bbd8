"""All of them."""

from __future__ import annotations

from tests.mutants import gradients, operators, quantized, training

MUTANTS = (*operators.MUTANTS, *quantized.MUTANTS, *training.MUTANTS, *gradients.MUTANTS)
