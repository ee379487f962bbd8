"""Functions that cut arrays up and join them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.parity.operators import Out, fixed, normal
from tests.unit.gradients.differentiated import Derivative, of


def cases() -> Iterator[Derivative]:
    yield from slices()
    x = normal(3, 4, 6)
    for axis in (0, 1, 2, -1):
        free = () if axis == 0 else (0, 1, 2)
        yield of("CONCATENATION", x, normal(3, 4, 6, seed=1), normal(3, 4, 6, seed=2), axis=axis, free=free)
        yield of("PACK", x, normal(3, 4, 6, seed=1), axis=axis, values_count=2, free=(0, 1))
    yield of("CONCATENATION", x, normal(3, 4, 2), axis=2, free=(0, 1))
    yield of("PACK", normal(3), normal(3, seed=1), axis=1, values_count=2, free=(0, 1))
    for axis, size in ((1, 4), (2, 6), (-1, 6)):
        yield of("UNPACK", x, out=[Out("FLOAT32")] * size, num=size, axis=axis)
    yield of("UNPACK", x, out=[Out("FLOAT32")] * 3, num=3, axis=0, free=())
    for axis in (1, 2, -2):
        yield of("SPLIT", fixed(axis), x, out=[Out("FLOAT32")] * 2, num_splits=2, free=(1,))
    for axis, sizes in ((1, (1, 3)), (2, (1, 2, 3)), (-1, (4, -1))):
        yield of("SPLIT_V", x, fixed(sizes), fixed(axis), out=[Out("FLOAT32")] * len(sizes), num_splits=len(sizes))


def slices() -> Iterator[Derivative]:
    x = normal(3, 5, 7, 4)
    for begin, size in (((0, 1, 2, 0), (-1, 3, -1, 4)), ((0, 0, 0, 1), (-1, -1, -1, 2)), ((0, 4, 6, 3), (-1, 1, 1, 1))):
        yield of("SLICE", x, fixed(begin), fixed(size))
    yield of("SLICE", x, fixed((1, 0, 2, 0)), fixed((2, 5, 3, 2)), free=())
    whole = {"begin_mask": 0b1001, "end_mask": 0b1001}
    for begin, end, strides in (
        ((0, 0, 0, 0), (0, 5, 7, 0), (1, 2, 3, 1)), ((0, 1, 2, 0), (0, 4, 6, 0), (1, 1, 2, 1)),
        ((0, -4, -7, 0), (0, -1, 7, 0), (1, 2, 2, 1)), ((0, 4, 6, 0), (0, 5, 7, 0), (1, 1, 1, 1)),
    ):  # fmt: skip
        yield of("STRIDED_SLICE", x, fixed(begin), fixed(end), fixed(strides), **whole)
    yield of("STRIDED_SLICE", x, fixed((0, 1)), fixed((0, 4)), fixed((1, 2)), begin_mask=1, end_mask=1)
    for begin, end in (((0, 2, 0, 1), (0, 3, 0, 2)), ((0, -1, 0, -2), (0, 0, 0, -1))):
        shrunk = {"begin_mask": 0b0101, "end_mask": 0b0101, "shrink_axis_mask": 0b1010}
        yield of("STRIDED_SLICE", x, fixed(begin), fixed(end), fixed((1, 1, 1, 1)), **shrunk)
    yield of(
        "STRIDED_SLICE", x, fixed((0, 0, 0, 3)), fixed((0, 0, 0, 4)), fixed((1, 1, 1, 1)), begin_mask=7, end_mask=7
    )
    yield of("STRIDED_SLICE", x, fixed((1, 0, 0, 0)), fixed((3, 5, 7, 4)), fixed((1, 1, 1, 1)), free=())
