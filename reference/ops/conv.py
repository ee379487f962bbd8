"""Convolutions: a sum over the taps of the kernel. B examples, H W image, I input channels, O outputs, KH KW kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import within_limit
from tflite_transfer.reference.ops.linear import one_each, product
from tflite_transfer.reference.ops.windows import pad_image, taps, window_axis

Array = NDArray[Any]


def conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    padding: str,
    stride_h: int,
    stride_w: int,
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
) -> Array:
    """``y = sum_ij x_ij w_ij^T + b``: one matrix product a tap. (B, H, W, I), (O, KH, KW, I), (O,)? -> (B, OH, OW, O).

    TFLite keeps a filter's outputs first. With fewer input channels in the filter than in x, channels fall into groups.
    """
    outputs, kh, kw, depth = filters.shape
    rows = window_axis(x.shape[1], kh, stride_h, dilation_h_factor, padding)
    columns = window_axis(x.shape[2], kw, stride_w, dilation_w_factor, padding)
    padded = pad_image(x, rows, columns)
    groups = x.shape[3] // depth
    share = outputs // groups
    if x.shape[3] % depth or outputs % groups:
        raise ValueError(f"{x.shape[3]} channels and {outputs} filters of {depth} do not fall into groups")
    y = np.zeros(within_limit((len(x), rows.size, columns.size, outputs), x.itemsize), x.dtype)
    for i, j, pixels in taps(
        padded, rows, columns, (kh, kw), (stride_h, stride_w), (dilation_h_factor, dilation_w_factor)
    ):
        for g in range(groups):
            out, into = slice(g * share, (g + 1) * share), slice(g * depth, (g + 1) * depth)
            y[..., out] += product(pixels[..., into], filters[out, i, j].T)
    return y if bias is None else y + one_each(bias, outputs)


def depthwise_conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    padding: str,
    stride_h: int,
    stride_w: int,
    depth_multiplier: int = 0,
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
) -> Array:
    """``y = sum_ij x_ij w_ij + b``, each channel alone. (B, H, W, I), (1, KH, KW, I M), (I M,)? -> (B, OH, OW, I M).

    M outputs a channel, next to one another; M follows from the shapes, as in LiteRT, which deprecated the option.
    """
    _, kh, kw, outputs = filters.shape
    rows = window_axis(x.shape[1], kh, stride_h, dilation_h_factor, padding)
    columns = window_axis(x.shape[2], kw, stride_w, dilation_w_factor, padding)
    padded = pad_image(x, rows, columns)
    multiplier = outputs // x.shape[3]
    y = np.zeros(within_limit((len(x), rows.size, columns.size, outputs), x.itemsize), x.dtype)
    for i, j, pixels in taps(
        padded, rows, columns, (kh, kw), (stride_h, stride_w), (dilation_h_factor, dilation_w_factor)
    ):
        y += (np.repeat(pixels, multiplier, axis=3) if multiplier > 1 else pixels) * filters[0, i, j]
    return y if bias is None else y + one_each(bias, outputs)
