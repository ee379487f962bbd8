"""Operators to differentiate, by family: every module's ``cases()`` gives some of ``ALL``."""

from __future__ import annotations

from tests.unit.gradients.cases import activations, images, lookups, moves, numbers, pairs, parts, sums, windows

FAMILIES = (activations, images, lookups, moves, numbers, pairs, parts, sums, windows)
ALL = [case for family in FAMILIES for case in family.cases()]
