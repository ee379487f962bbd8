"""Gradients of convolutions, TensorFlow's layouts. B examples, H W image, I input channels, O outputs, KH KW kernel.

TensorFlow keeps a filter's outputs last, (KH, KW, I, O), where TFLite keeps them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.flex.geometry import geometry
from tflite_transfer.reference.ops.limit import numbers, within_limit
from tflite_transfer.reference.ops.linear import product
from tflite_transfer.reference.ops.windows import pad_image

Array = NDArray[Any]
ONES = (1, 1, 1, 1)


def conv2d_backprop_filter(
    x: Array,
    filter_sizes: Array,
    g: Array,
    *,
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int] = (),
    dilations: Sequence[int] = ONES,
    data_format: str = "NHWC",
) -> Array:
    """``dw_ij = sum x_ij^T g``. (B, H, W, I), [KH, KW, I, O], (B, OH, OW, O) -> (KH, KW, I, O)."""
    kh, kw, depth, outputs = numbers(filter_sizes)
    at = geometry(x.shape, (kh, kw), strides, dilations, padding, explicit_paddings, data_format, g.shape)
    dw = np.zeros(within_limit((kh, kw, depth, outputs), g.itemsize), g.dtype)
    share = _share(x.shape[3], depth, outputs)
    for i, j, pixels in at.taps(pad_image(x, at.rows, at.columns)):
        for n in range(x.shape[3] // depth):  # groups
            into, out = slice(n * depth, (n + 1) * depth), slice(n * share, (n + 1) * share)
            dw[i, j, :, out] = product(_flat(pixels[..., into]).T, _flat(g[..., out]))
    return dw


def conv2d_backprop_input(
    input_sizes: Array,
    w: Array,
    g: Array,
    *,
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int] = (),
    dilations: Sequence[int] = ONES,
    data_format: str = "NHWC",
) -> Array:
    """``dx_ij += g w_ij^T``. [B, H, W, I], (KH, KW, I, O), (B, OH, OW, O) -> (B, H, W, I)."""
    shape = tuple(numbers(input_sizes))
    at = geometry(shape, w.shape[:2], strides, dilations, padding, explicit_paddings, data_format, g.shape)
    dx, depth = at.padded_zeros(shape, g.dtype), w.shape[2]
    share = _share(shape[3], depth, w.shape[3])
    for i, j, pixels in at.taps(dx):
        for n in range(shape[3] // depth):
            into, out = slice(n * depth, (n + 1) * depth), slice(n * share, (n + 1) * share)
            pixels[..., into] += product(g[..., out], w[i, j, :, out].T)
    return at.inside(dx, shape)


def depthwise_conv2d_backprop_filter(
    x: Array,
    filter_sizes: Array,
    g: Array,
    *,
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int] = (),
    dilations: Sequence[int] = ONES,
    data_format: str = "NHWC",
) -> Array:
    """``dw_ij = sum x_ij g``, each channel alone. (B, H, W, I), [KH, KW, I, M], (B, OH, OW, I M) -> (KH, KW, I, M)."""
    kh, kw, depth, multiplier = numbers(filter_sizes)
    at = geometry(x.shape, (kh, kw), strides, dilations, padding, explicit_paddings, data_format, g.shape)
    dw = np.zeros(within_limit((kh, kw, depth, multiplier), g.itemsize), g.dtype)
    if x.shape[3] != depth:
        raise ValueError(f"filters of {depth} channels for {x.shape[3]}")
    by_channel = g.reshape(*g.shape[:3], depth, multiplier)
    for i, j, pixels in at.taps(pad_image(x, at.rows, at.columns)):
        dw[i, j] = (pixels[..., None] * by_channel).sum(axis=(0, 1, 2), dtype=g.dtype)
    return dw


def depthwise_conv2d_backprop_input(
    input_sizes: Array,
    w: Array,
    g: Array,
    *,
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int] = (),
    dilations: Sequence[int] = ONES,
    data_format: str = "NHWC",
) -> Array:
    """``dx_ij += sum_m g_m w_ijm``. [B, H, W, I], (KH, KW, I, M), (B, OH, OW, I M) -> (B, H, W, I)."""
    shape = tuple(numbers(input_sizes))
    at = geometry(shape, w.shape[:2], strides, dilations, padding, explicit_paddings, data_format, g.shape)
    dx = at.padded_zeros(shape, g.dtype)
    by_channel = g.reshape(*g.shape[:3], *w.shape[2:])
    for i, j, pixels in at.taps(dx):
        pixels += (by_channel * w[i, j]).sum(axis=-1, dtype=g.dtype)
    return at.inside(dx, shape)


def _share(channels: int, depth: int, outputs: int) -> int:
    """The outputs of each group of ``depth`` channels."""
    if depth < 1 or channels % depth or outputs % (channels // depth):
        raise ValueError(f"{channels} channels and {outputs} filters of {depth} do not fall into groups")
    return outputs // (channels // depth)


def _flat(a: Array) -> Array:
    """(B, OH, OW, n) -> (B OH OW, n)."""
    return a.reshape(-1, a.shape[-1])
