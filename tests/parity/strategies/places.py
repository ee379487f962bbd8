"""What reads or writes at places that indices name, finds and orders."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.parity.cases.images import MODES
from tests.parity.cases.parts import BOOL, F16, F32, I8, I16, I32, I64, U8
from tests.parity.operators import Array, Case, Out, case
from tests.parity.rules import RULES
from tests.parity.strategies.arrays import SPECIAL, Draw, arrays, indices, inputs, kind, shapes
from tests.parity.strategies.moves import MOVED, values


@st.composite
def numbers_below(draw: Draw, most: Any, shape: Any, least: int = 0) -> Array:
    return np.random.default_rng(draw(st.integers(0, 2**16))).integers(least, most, shape)


@st.composite
def gathers(draw: Draw) -> Case:
    opcode, shape, at = draw(st.sampled_from(("GATHER", "GATHER_ND"))), draw(shapes(1, 4)), draw(shapes(0, 2, 3))
    depth = draw(st.integers(1, len(shape)))
    if opcode == "GATHER_ND":
        x = draw(values(shape, *MOVED, F16, BOOL))
        return case(opcode, x, draw(indices(draw(numbers_below(shape[:depth], (*at, depth))), I16, I32, I64)))
    batch_dims, axis = draw(st.integers(0, depth - 1)), depth - 1 - draw(st.sampled_from((0, len(shape))))
    found = draw(indices(draw(numbers_below(shape[axis], (*shape[:batch_dims], *at)))))
    return case(opcode, draw(values(shape, *MOVED, BOOL)), found, axis=axis, batch_dims=batch_dims)


@st.composite
def scatters(draw: Draw) -> Case:
    shape, at = draw(shapes(1, 4)), draw(shapes(1, 2, 3))
    depth = draw(st.integers(1, len(shape)))
    places = draw(indices(draw(numbers_below(shape[:depth], (*at, depth))), I32))
    updates = draw(values((*at, *shape[depth:]), F32, U8, I8, I32, I64, BOOL))
    return case("SCATTER_ND", places, updates, draw(indices(shape, I32)), kind=kind(updates))


@st.composite
def updates(draw: Draw) -> Case:
    shape = draw(shapes(1))
    x, part = draw(values(shape, *MOVED, F16, BOOL)), tuple(draw(st.integers(1, n)) for n in shape)
    starts = draw(indices([draw(st.integers(-3, 6)) for _ in shape]))
    return case("DYNAMIC_UPDATE_SLICE", x, draw(inputs(part, x.dtype, SPECIAL)), starts)


@st.composite
def one_hots(draw: Draw) -> Case:
    shape, dtype = draw(shapes(0, 4)), draw(st.sampled_from((F32, U8, I8, I32, I64, BOOL)))
    found, depth = draw(indices(draw(arrays(shape, I32, most=4)))), draw(indices(draw(st.integers(1, 5)), I32))
    on, off = (draw(inputs((), dtype, SPECIAL)) for _ in range(2))
    return case("ONE_HOT", found, depth, on, off, kind=kind(on.value), axis=draw(st.integers(-1, len(shape))))


@st.composite
def orders(draw: Draw) -> Case:
    shape = (*draw(shapes(0, 3, 3)), draw(st.integers(1, 9)))
    x, k = draw(values(shape)), draw(indices(draw(st.integers(1, shape[-1])), I32))
    return case("TOPK_V2", x, k, out=[Out(kind(x)), Out("INT32")])


@st.composite
def segments(draw: Draw) -> Case:
    """Without NaN, which the largest and the smallest lose: see test_operators.py."""
    opcode = draw(st.sampled_from([f"UNSORTED_SEGMENT_{what}" for what in ("SUM", "PROD", "MAX", "MIN")]))
    at, rest, count = draw(shapes(1, 2, 5)), draw(shapes(0, 2, 3)), draw(st.integers(1, 4))
    x = draw(inputs((*at, *rest), draw(st.sampled_from((F32, I32)))))
    return case(opcode, x, draw(indices(draw(numbers_below(count, at, -1)), I32)), draw(indices(count, I32)))


@st.composite
def resizes(draw: Draw) -> Case:
    opcode, shape = draw(st.sampled_from(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"))), [1, 1, 1, 1]
    shape = [draw(st.integers(1, most)) for most in (2, 9, 9, 4)]
    x = draw(arrays(shape) if opcode == "RESIZE_BILINEAR" else values(shape, F32, U8, I8, I16, I32))
    size = draw(indices([draw(st.integers(1, 20)) for _ in range(2)], I32))
    return case(opcode, x, size, rule=RULES.get(opcode), **draw(st.sampled_from(MODES)))
