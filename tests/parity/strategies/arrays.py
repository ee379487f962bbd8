"""Arrays to draw cases from. Numbers come from a seed, so that no two places are alike and a wrong index shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes
from hypothesis.extra.numpy import arrays as of_elements

from tests.parity.cases.parts import F32, I32, I64
from tests.parity.operators import Array, Given
from tflite_transfer.diagnostics.bounds import TINY
from tflite_transfer.reference.tflite.builder import TYPES

Draw = st.DrawFn
Shape = tuple[int, ...]

LEAST = 1e-45  # the smallest denormal number, and the largest: TINY - LEAST
SMALL = (0.0, -0.0, LEAST, -LEAST, TINY - LEAST, TINY)
ENDLESS = (*SMALL, np.inf, -np.inf)
WITH_NAN = (*ENDLESS, np.nan)
SPECIAL = (*WITH_NAN, -float(np.finfo(F32).max))  # the last one is for what sums nothing up, or in one order only
SCALES = st.sampled_from((1, 1e-3, 40))


def shapes(least: int = 0, most: int = 5, side: int = 4) -> st.SearchStrategy[Shape]:
    shape = array_shapes(min_dims=max(least, 1), max_dims=most, max_side=side)
    return st.one_of(st.just(()), shape) if least == 0 else shape


def broadcast(count: int, ranks: int = 5) -> st.SearchStrategy[tuple[Shape, ...]]:
    drawn = mutually_broadcastable_shapes(num_shapes=count, max_dims=ranks, max_side=3)
    return drawn.map(lambda b: b.input_shapes)


def axes(rank: int) -> st.SearchStrategy[int]:
    return st.integers(-rank, rank - 1)


@st.composite
def arrays(
    draw: Draw, shape: Any, dtype: Any = F32, special: tuple[Any, ...] = SMALL, *, scale: float = 0, most: int = 0
) -> Array:
    """Normal numbers, or all that an integer type has up to ``most``, and a few special ones among them."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if dtype.kind == "f":
        x = rng.normal(size=shape) * (scale or draw(SCALES))
    elif dtype.kind == "b":
        x, special = rng.random(shape) < 0.5, ()
    else:
        ends = np.iinfo(dtype)
        top = most or draw(st.sampled_from([3, 100, ends.max]))
        x = rng.integers(max(-top - (top == ends.max), ends.min), min(top, ends.max), shape, dtype, endpoint=True)
        special = () if most else (ends.min, ends.max)
    x = np.array(x, dtype)
    if x.size and special:
        chosen = st.dictionaries(st.integers(0, x.size - 1), st.sampled_from(special), max_size=4)
        for place, value in draw(chosen).items():
            with np.errstate(over="ignore"):  # of float16
                x.reshape(-1)[place] = value
    return x


def floats(shape: Shape, dtype: Any = F32, **limits: Any) -> st.SearchStrategy[Array]:
    """Any floats at all, each drawn alone."""
    elements = st.floats(width=8 * np.dtype(dtype).itemsize, **limits)  # type: ignore[call-overload]
    return of_elements(dtype, shape, elements=elements, fill=st.nothing())


def given_or_fixed(x: Array) -> st.SearchStrategy[Given]:
    """An input of each run, or one that stands in the file."""
    return st.booleans().map(lambda in_file: Given(x, in_file))


@st.composite
def inputs(draw: Draw, shape: Any, dtype: Any = F32, special: tuple[Any, ...] = SMALL, *, scale: float = 0) -> Given:
    return draw(given_or_fixed(draw(arrays(shape, dtype, special, scale=scale))))


@st.composite
def indices(draw: Draw, numbers: Any, *types: Any) -> Given:
    """Shapes, axes, places: of one of the types, or int32 or int64."""
    return draw(given_or_fixed(np.array(numbers, draw(st.sampled_from(types or (I32, I64))))))


def kind(x: Array) -> str:
    return TYPES[x.dtype]
