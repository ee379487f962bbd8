"""Gradients of pooling. B examples, H W image, I channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.flex.geometry import geometry
from tflite_transfer.reference.ops.limit import numbers
from tflite_transfer.reference.ops.windows import pad_image

Array = NDArray[Any]
ONES = (1, 1, 1, 1)


def max_pool_grad(
    x: Array,
    y: Array,
    g: Array,
    *,
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int] = (),
    data_format: str = "NHWC",
) -> Array:
    """Each window's gradient goes to its first maximum, by rows. (B, H, W, I), twice (B, OH, OW, I) -> (B, H, W, I)."""
    at = geometry(x.shape, ksize[1:3], strides, ONES, padding, explicit_paddings, data_format, g.shape)
    if not y.shape == g.shape == (*g.shape[:3], x.shape[3]):
        raise ValueError(f"maxima {y.shape} and gradients {g.shape} for {x.shape[3]} channels")
    padded = pad_image(x, at.rows, at.columns, -np.inf)
    dx, waiting = np.zeros_like(padded), np.ones(g.shape, bool)
    for (_, _, pixels), (_, _, into) in zip(at.taps(padded), at.taps(dx), strict=True):
        here = waiting & (pixels == y)
        into += np.where(here, g, g.dtype.type(0))
        waiting &= ~here
    return at.inside(dx, x.shape)


def avg_pool_grad(
    input_shape: Array,
    g: Array,
    *,
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: str,
    data_format: str = "NHWC",
) -> Array:
    """Each window's gradient, in equal shares, to its pixels; padding has none. [B, H, W, I], (B, OH, OW, I)."""
    shape = tuple(numbers(input_shape))
    at = geometry(shape, ksize[1:3], strides, ONES, padding, (), data_format, g.shape)
    inside = pad_image(np.ones((1, *shape[1:3], 1), g.dtype), at.rows, at.columns)
    share = g / sum(ones for _, _, ones in at.taps(inside))
    dx = at.padded_zeros(shape, g.dtype)
    for _, _, into in at.taps(dx):
        into += share
    return at.inside(dx, shape)
