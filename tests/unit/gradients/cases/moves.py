"""Functions that move elements."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from tests.parity.operators import fixed, normal
from tests.unit.gradients.differentiated import Derivative, of


def cases() -> Iterator[Derivative]:
    x = normal(3, 2, 4, 5)
    for shape in ((-1, 40), (-1, 4, 2, 5), (-1, 5)):
        yield of("RESHAPE", x, fixed(shape))
    yield of("RESHAPE", x, fixed((3, 8, 5)), free=())
    yield from (of("EXPAND_DIMS", normal(3, 4), fixed(axis)) for axis in (0, 1, 2, -1))
    yield from (of("SQUEEZE", normal(3, 1, 4, 1), squeeze_dims=dims) for dims in ([1], [1, 3], [-1]))
    yield from (of("TRANSPOSE", x, fixed(order)) for order in permutations(range(4)))
    yield of("TRANSPOSE", normal(3, 4), fixed((1, 0)))
    yield from (of("REVERSE_V2", x, fixed([axis])) for axis in (0, 1, 3, -1))
    yield of("REVERSE_V2", x, fixed([1, 2]))
    for widths in (((0, 0), (1, 2), (0, 3), (0, 0)), ((0, 0), (0, 0), (0, 0), (2, 1))):
        yield of("PAD", x, fixed(widths))
        yield of("PADV2", x, fixed(widths), fixed(0.5, "float32"))
    yield of("PAD", normal(3, 4), fixed(((1, 1), (0, 2))), free=())
    yield from (of("TILE", x, fixed(times)) for times in ((1, 2, 1, 3), (1, 1, 1, 1), (1, 3, 2, 1)))
    yield of("TILE", normal(3, 4), fixed((2, 3)))
    yield of("TILE", normal(3, 4, 2), fixed((2, 1, 2)))
    for shape in ((5,), (2, 1, 5), (1,)):
        yield of("BROADCAST_TO", normal(*shape), fixed((3, 2, 4, 5)), version=2, free=())
    yield from (of(opcode, normal(3, 4, 6, 8), block_size=2) for opcode in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"))
    yield of("DEPTH_TO_SPACE", normal(3, 2, 3, 18), block_size=3)
    for block, pads in (((2, 2), ((0, 0), (0, 0))), ((2, 3), ((1, 1), (0, 3))), ((3, 1), ((2, 0), (0, 0)))):
        yield of("SPACE_TO_BATCH_ND", normal(3, 4, 6, 2), fixed(block), fixed(pads), free=())
    for block, crops in (((2, 2), ((0, 0), (0, 0))), ((2, 3), ((1, 0), (0, 2))), ((1, 3), ((0, 0), (1, 1)))):
        yield of("BATCH_TO_SPACE_ND", normal(12, 4, 3, 2), fixed(block), fixed(crops), free=())
    yield of("SPACE_TO_BATCH_ND", normal(3, 4, 2), fixed([2]), fixed([[0, 2]]), free=())
    yield of("BATCH_TO_SPACE_ND", normal(4, 4, 2), fixed([2]), fixed([[1, 0]]), free=())
