"""Transposed convolutions: each pixel, times the kernel, added up where a convolution would have met it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers, within_limit
from tflite_transfer.reference.ops.linear import one_each, product
from tflite_transfer.reference.ops.windows import window_axis

Array = NDArray[Any]


def transpose_conv(
    shape: Array,
    filters: Array,
    x: Array,
    bias: Array | None = None,
    *,
    padding: str,
    stride_h: int,
    stride_w: int,
) -> Array:
    """``y_(p s + i) += x_p w_i^T`` for each pixel p and tap i, then ``+ b``; padding is cut off.

    (4,), (O, KH, KW, I), (B, H, W, I), (O,)? -> ``shape`` (B, OH, OW, O).
    """
    y = spread(shape, np.moveaxis(filters, 0, 2), x, (stride_h, stride_w), (1, 1), padding)
    return y if bias is None else y + one_each(bias, y.shape[-1])


def conv_3d_transpose(
    shape: Array,
    filters: Array,
    x: Array,
    bias: Array | None = None,
    *,
    padding: str,
    stride_d: int,
    stride_h: int,
    stride_w: int,
    dilation_d_factor: int = 1,
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
) -> Array:
    """The same with depth: (5,), (KD, KH, KW, O, I), (B, D, H, W, I), (O,)? -> ``shape`` (B, OD, OH, OW, O)."""
    stride, dilation = (stride_d, stride_h, stride_w), (dilation_d_factor, dilation_h_factor, dilation_w_factor)
    y = spread(shape, filters, x, stride, dilation, padding)
    return y if bias is None else y + one_each(bias, y.shape[-1])


def spread(
    shape: Array, filters: Array, x: Array, stride: Sequence[int], dilation: Sequence[int], padding: str
) -> Array:
    """The sum without a bias, along any number of axes. (2 + n,), (K.., O, I), (B, S.., I) -> ``shape`` (B, Y.., O)."""
    batch, *sizes, outputs = numbers(shape)
    *kernel, depth = filters.shape[:-2] + filters.shape[-1:]
    if len(sizes) != len(stride) or (batch, outputs, depth) != (len(x), filters.shape[-2], x.shape[-1]):
        raise ValueError(f"an output of shape {numbers(shape)} from {x.shape} by filters {filters.shape}")
    if filters.size == 0:
        raise ValueError("filters without elements")
    axes = [window_axis(*along, padding) for along in zip(sizes, kernel, stride, dilation, strict=True)]
    if tuple(a.size for a in axes) != x.shape[1:-1]:
        raise ValueError(f"{x.shape[1:-1]} pixels for {tuple(a.size for a in axes)} places of the kernel")
    reach = [(a.size - 1) * s + 1 for a, s in zip(axes, stride, strict=True)]  # of the pixels, spread apart
    room = [
        max(r + (k - 1) * d, a.before + n) for r, k, d, a, n in zip(reach, kernel, dilation, axes, sizes, strict=True)
    ]
    y = np.zeros(within_limit((batch, *room, outputs), x.itemsize), x.dtype)
    for tap in np.ndindex(*kernel):
        met = (slice(t * d, t * d + r, s) for t, d, r, s in zip(tap, dilation, reach, stride, strict=True))
        y[:, *met] += product(x, filters[tap].T)
    return y[:, *(slice(a.before, a.before + n) for a, n in zip(axes, sizes, strict=True))]
