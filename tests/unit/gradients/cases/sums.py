"""Sums and their kind over axes, and what normalises by them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.parity.operators import fixed, normal
from tests.unit.gradients.differentiated import Derivative, of


def cases() -> Iterator[Derivative]:
    x = normal(3, 4, 5, 2)
    for axes in ([0], [1], [-1], [1, 2], [0, 1, 2], [0, 1, 2, 3], [-2, 1], [2, 2]):
        for opcode in ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"):
            yield from (of(opcode, x, fixed(axes), keep_dims=keep) for keep in (False, True))
    yield from (of("SUM", x, fixed(axis), keep_dims=False) for axis in (1, -1))
    for axis in (0, 1, -1):
        for exclusive in (False, True):
            yield from (of("CUMSUM", x, fixed(axis), exclusive=exclusive, reverse=reverse) for reverse in (False, True))
    yield from (of("L2_NORMALIZATION", v) for v in (x, normal(3, 4), 1e-7 * normal(3, 4), 1e-5 * normal(3, 4)))
