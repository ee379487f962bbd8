"""Rows of a table, looked up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import fixed, normal
from tests.unit.gradients.differentiated import Derivative, of


def cases() -> Iterator[Derivative]:
    for table, places in (((7, 4), (3, 5)), ((7, 4), (9,)), ((7, 2, 3), (3, 2)), ((7,), (3, 4)), ((1, 4), (3,))):
        rows = np.random.default_rng(1).integers(0, table[0], places).astype(np.int32)  # several come again
        yield of("GATHER", normal(*table), rows, free=(1,))
    yield of("GATHER", normal(7, 4), fixed([6, 0, 6]), free=())
    yield of("GATHER", normal(7, 4), fixed(3), free=())
    for table, count in (((7, 4), 9), ((7, 2, 3), 5)):
        rows = np.random.default_rng(2).integers(0, 7, count).astype(np.int32)
        yield of("EMBEDDING_LOOKUP", rows, normal(*table), free=(0,))
