"""Convolutions and pooling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.parity.operators import fixed, normal, weights
from tests.unit.gradients.differentiated import Derivative, of

SAME, VALID = 0, 1
FUSED = (1, 2, 3)
STRIDES = ((1, 1), (2, 2), (3, 3), (2, 1), (1, 3))
SIZES = (((7, 8), (3, 3)), ((8, 7), (2, 3)), ((5, 5), (1, 1)), ((6, 9), (5, 4)))  # of image and kernel
DILATIONS = ("dilation_h_factor", "dilation_w_factor")


def cases() -> Iterator[Derivative]:
    for n, (padding, strides) in enumerate(product((SAME, VALID), STRIDES)):
        yield from at(*SIZES[n % len(SIZES)], _options(padding, strides))
    yield from dilations()
    yield from larger_than_the_image()
    yield from many_channels()
    yield from fused()


def long() -> Iterator[Derivative]:
    """All sizes with all strides and paddings."""
    for size, padding, strides in product(SIZES, (SAME, VALID), STRIDES):
        yield from at(*size, _options(padding, strides))


def at(size: tuple[int, int], kernel: tuple[int, int], options: dict[str, Any]) -> Iterator[Derivative]:
    yield from windows(size, kernel, options)
    yield from deconvolutions(size, kernel, options)


def _options(padding: int, strides: tuple[int, int] = (1, 1), dilations: tuple[int, int] = (1, 1)) -> dict[str, Any]:
    found = {"padding": padding, "stride_h": strides[0], "stride_w": strides[1]}
    return found if dilations == (1, 1) else found | dict(zip(DILATIONS, dilations, strict=True))


def windows(size: tuple[int, int], kernel: tuple[int, int], options: dict[str, Any]) -> Iterator[Derivative]:
    x = normal(2, *size, 3)
    yield of("CONV_2D", x, normal(4, *kernel, 3), normal(4), **options)
    yield of("DEPTHWISE_CONV_2D", x, normal(1, *kernel, 3), normal(3), depth_multiplier=1, **options)
    yield of("DEPTHWISE_CONV_2D", x, normal(1, *kernel, 6), normal(6), depth_multiplier=2, **options)
    pool = {"filter_height": kernel[0], "filter_width": kernel[1], **options}
    yield of("MAX_POOL_2D", x, **pool)
    yield of("AVERAGE_POOL_2D", x, **pool)


def deconvolutions(size: tuple[int, int], kernel: tuple[int, int], options: dict[str, Any]) -> Iterator[Derivative]:
    """The output's size is one of those whose convolution has the input's."""
    same, strides = options["padding"] == SAME, (options["stride_h"], options["stride_w"])
    for more in (0, 1):
        out = [n * s - (0 if same else s - k) for n, s, k in zip(size, strides, kernel, strict=True)]
        out = [n - min(more, s - 1) if same else n + min(more, s - 1) for n, s in zip(out, strides, strict=True)]
        shape = fixed([2, *out, 3])
        yield of("TRANSPOSE_CONV", shape, normal(3, *kernel, 4), normal(2, *size, 4), free=(), **options)
    yield of("TRANSPOSE_CONV", shape, normal(3, *kernel, 4), normal(2, *size, 4), normal(3), free=(), **options)


def dilations() -> Iterator[Derivative]:
    for padding, strides, wide in product((SAME, VALID), ((1, 1), (2, 2)), ((2, 2), (3, 3), (2, 3))):
        x, options = normal(2, 9, 10, 3), _options(padding, strides, wide)
        yield of("CONV_2D", x, normal(4, 3, 3, 3), normal(4), **options)
        if wide[0] == wide[1]:
            yield of("DEPTHWISE_CONV_2D", x, normal(1, 3, 3, 3), normal(3), depth_multiplier=1, **options)
            yield of("DEPTHWISE_CONV_2D", x, normal(1, 2, 3, 6), normal(6), depth_multiplier=2, **options)


def larger_than_the_image() -> Iterator[Derivative]:
    for strides, kernel in product(((1, 1), (2, 2)), ((7, 5), (4, 9))):
        yield from windows((3, 4), kernel, _options(SAME, strides))
    yield of("CONV_2D", normal(2, 3, 4, 3), normal(4, 3, 3, 3), normal(4), **_options(SAME, (1, 1), (3, 3)))


def many_channels() -> Iterator[Derivative]:
    """From 8 on the filters' gradient is one product for each tap; weights that the file fixes."""
    for channels, padding in product((7, 8, 9), (SAME, VALID)):
        yield of(
            "CONV_2D", normal(2, 5, 6, channels), normal(4, 3, 2, channels), normal(4), **_options(padding, (2, 2))
        )
    yield of("CONV_2D", normal(2, 5, 6, 3), weights(4, 3, 3, 3), weights(4), **_options(SAME))
    options = _options(SAME)
    yield of("DEPTHWISE_CONV_2D", normal(2, 5, 6, 3), weights(1, 3, 3, 3), weights(3), depth_multiplier=1, **options)
    yield of("DEPTHWISE_CONV_2D", normal(2, 5, 6, 1), normal(1, 3, 3, 5), normal(5), depth_multiplier=5, **options)


def fused() -> Iterator[Derivative]:
    x = normal(2, 5, 6, 3, scale=3)
    for n in FUSED:
        options = {"fused_activation_function": n, **_options(SAME)}
        yield of("CONV_2D", x, normal(4, 3, 3, 3), normal(4), **options)
        yield of("DEPTHWISE_CONV_2D", x, normal(1, 3, 3, 3), normal(3), depth_multiplier=1, **options)
        yield of("MAX_POOL_2D", x, filter_height=2, filter_width=3, **options)
        yield of("AVERAGE_POOL_2D", 3 * x, filter_height=2, filter_width=3, **options)
        shape = fixed([2, 5, 6, 3])
        yield of("TRANSPOSE_CONV", shape, normal(3, 3, 3, 3), x, normal(3), free=(), **options)
