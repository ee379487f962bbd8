"""All of them."""

from __future__ import annotations

from tests.mutants import diagnostics, gradients, operators, pages, quantized, training

_PARTS = (diagnostics, gradients, operators, pages, quantized, training)
MUTANTS = tuple(mutant for part in _PARTS for mutant in part.MUTANTS)
