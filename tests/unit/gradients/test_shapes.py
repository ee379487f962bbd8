"""Shapes, strides and paddings drawn by hypothesis: the gradient is the slope."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.operators import Array, fixed, normal
from tests.unit.gradients.differentiated import Derivative, differentiated, error, of
from tests.unit.gradients.test_rules import BOUND

EXAMPLES = 25
few = settings(max_examples=EXAMPLES)
small, padding = st.integers(1, 4), st.sampled_from((0, 1))


def check(case: Derivative) -> None:
    for free in (True, False) if case.free else (False,):
        assert error(differentiated(case, free=free)) <= BOUND


@st.composite
def windows(draw: Any, most: int = 3) -> tuple[tuple[int, ...], tuple[int, int], dict[str, Any]]:
    """An image (B, H, W), a kernel and options. Unpadded, the kernel fits into the image."""
    kernel, strides = (draw(st.tuples(small, small)) for _ in range(2))
    wide = draw(st.integers(1, most))
    same = draw(padding) == 0
    least = [1 if same else (k - 1) * wide + 1 for k in kernel]
    image = [draw(st.integers(n, n + 6)) for n in least]
    options = {"padding": 0 if same else 1, "stride_h": strides[0], "stride_w": strides[1]}
    if most > 1:
        options |= {"dilation_h_factor": wide, "dilation_w_factor": wide}
    return (draw(st.integers(2, 3)), *image), kernel, options


@few
@given(windows(), small, small)
def test_convolutions(window: Any, channels: int, outputs: int) -> None:
    image, kernel, options = window
    check(of("CONV_2D", normal(*image, channels), normal(outputs, *kernel, channels), normal(outputs), **options))


@few
@given(windows(), small, st.integers(1, 3))
def test_depthwise_convolutions(window: Any, channels: int, multiplier: int) -> None:
    image, kernel, options = window
    outputs = channels * multiplier
    filters, bias = normal(1, *kernel, outputs), normal(outputs)
    check(of("DEPTHWISE_CONV_2D", normal(*image, channels), filters, bias, depth_multiplier=multiplier, **options))


@few
@given(windows(most=1), small, st.sampled_from(("MAX_POOL_2D", "AVERAGE_POOL_2D")))
def test_pooling(window: Any, channels: int, opcode: str) -> None:
    image, kernel, options = window
    check(of(opcode, normal(*image, channels), filter_height=kernel[0], filter_width=kernel[1], **options))


@few
@given(windows(most=1), small, small)
def test_transposed_convolutions(window: Any, channels: int, outputs: int) -> None:
    """What the window sees of the image is their input, and the image their output."""
    (batch, *image), kernel, options = window
    strides = options["stride_h"], options["stride_w"]
    same = options["padding"] == 0
    size = [-(-(n if same else n - k + 1) // s) for n, k, s in zip(image, kernel, strides, strict=True)]
    x, filters = normal(batch, *size, channels), normal(outputs, *kernel, channels)
    check(of("TRANSPOSE_CONV", fixed([batch, *image, outputs]), filters, x, free=(), **options))


@st.composite
def broadcast(draw: Any) -> tuple[Array, Array, tuple[int, ...]]:
    """Two arrays, the rows of the first one's first axis free, and the second's where it has them too."""
    whole = [draw(st.integers(2, 3)), *draw(st.lists(st.integers(1, 3), max_size=3))]
    other = [n if draw(st.booleans()) else 1 for n in whole][draw(st.integers(0, len(whole))) :]
    free = (0, 1) if len(other) == len(whole) and other[0] == whole[0] else (0,)
    return normal(*whole), normal(*other, seed=1), free


@few
@given(broadcast(), st.sampled_from(("ADD", "MAXIMUM", "MINIMUM", "MUL", "SQUARED_DIFFERENCE", "SUB")), st.booleans())
def test_broadcasting(pair: Any, opcode: str, turned: bool) -> None:
    a, b, free = pair
    check(of(opcode, b, a, free=tuple(1 - n for n in free)) if turned else of(opcode, a, b, free=free))


@few
@given(st.lists(st.integers(1, 3), max_size=2), st.tuples(small, small, small), st.booleans(), st.booleans())
def test_products_of_matrices(before: list[int], sizes: Any, x: bool, y: bool) -> None:
    n, k, m = sizes
    a = normal(2, *before, *((k, n) if x else (n, k)))
    b = normal(*before, *((m, k) if y else (k, m)), seed=1)
    if len(before) < 2:
        check(of("BATCH_MATMUL", a, b, adj_x=x, adj_y=y))
    check(of("BATCH_MATMUL", a[0], b, adj_x=x, adj_y=y, free=()))
