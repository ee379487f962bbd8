"""The rules of ``diagnostics``, but for numbers of which LiteRT's default kernels are wrong: see test_operators.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tflite_transfer.diagnostics import rules
from tflite_transfer.diagnostics.bounds import TINY, Rule, first
from tflite_transfer.reference.tflite.graph import Array

LARGEST = float(np.finfo(np.float32).max)
RIGHT: Mapping[str, Callable[[Array], Array]] = {  # of which x the default kernel is right
    "COS": lambda x: ~(np.abs(x) > 1e5),
    "EXP": lambda x: x < 88.37,
    "HARD_SWISH": lambda x: np.abs(x) < LARGEST / 6,
    "LOG": lambda x: (x < 2.4e38) | (x < 0),
    "RSQRT": lambda x: (np.abs(x) >= TINY) & (x < 2.0**126),
    "SIN": lambda x: ~(np.abs(x) > 1e5),
    "SQRT": lambda x: ~(x >= 2.0**126),
}


def where(right: Callable[[Array], Array], rule: Rule) -> Rule:
    """``rule`` where something holds of the input."""
    return lambda call, y: np.where(right(first(call)), rule(call, y), np.inf)


def _tested(opcode: str, rule: Rule | Mapping[str, Rule]) -> Rule | Mapping[str, Rule]:
    if opcode not in RIGHT:
        return rule
    assert isinstance(rule, Mapping)
    return {**rule, "default": where(RIGHT[opcode], rule["default"])}


RULES = {opcode: _tested(opcode, rule) for opcode, rule in rules.RULES.items()}
