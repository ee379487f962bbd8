"""Convolutions over depth, height and width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import paddable, within_limit
from tflite_transfer.reference.ops.linear import one_each, product
from tflite_transfer.reference.ops.windows import window_axis

Array = NDArray[Any]


def conv_3d(
    x: Array,
    filters: Array,
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
    """``y = sum_i x_i w_i + b`` over the taps i of the kernel, one matrix product each.

    (B, D, H, W, I), (KD, KH, KW, I, O), (O,)? -> (B, OD, OH, OW, O).
    """
    kernel, stride = filters.shape[:3], (stride_d, stride_h, stride_w)
    dilation = (dilation_d_factor, dilation_h_factor, dilation_w_factor)
    if filters.size == 0 or x.shape[4] != filters.shape[3]:
        raise ValueError(f"filters {filters.shape} for {x.shape[4]} channels")
    axes = [window_axis(*along, padding) for along in zip(x.shape[1:4], kernel, stride, dilation, strict=True)]
    around = [(0, 0), *((a.before, a.after) for a in axes), (0, 0)]
    paddable([n + sum(a) for n, a in zip(x.shape, around, strict=True)], x.size, x.itemsize)
    padded = np.pad(x, around)
    y = np.zeros(within_limit((len(x), *(a.size for a in axes), filters.shape[4]), x.itemsize), x.dtype)
    for tap in np.ndindex(*kernel):
        met = (
            slice(t * d, t * d + (a.size - 1) * s + 1, s)
            for t, d, s, a in zip(tap, dilation, stride, axes, strict=True)
        )
        y += product(padded[:, *met], filters[tap])
    return y if bias is None else y + one_each(bias, filters.shape[4])
