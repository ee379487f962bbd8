"""Batch normalisation and its gradient (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167).

x (..., C), normalised over all axes but the last: m = mean, v = mean (x - m)^2, n numbers a channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def fused_batch_norm_v3(
    x: Array,
    scale: Array,
    offset: Array,
    mean: Array,
    variance: Array,
    *,
    epsilon: float = 1e-4,
    exponential_avg_factor: float = 1.0,
    is_training: bool = True,
    data_format: str = "NHWC",
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """``y = scale (x - m) / sqrt(v + epsilon) + offset``. (B, H, W, C), four times (C,).

    -> y, the moving mean and variance, m, v, and an array that only a GPU uses. Outside of training m and v are the
    given ones. The moving variance takes Bessel's ``v n / (n - 1)``, y takes v.
    """
    _check(data_format, x, scale, offset, mean, variance)
    kind = x.dtype.type
    rows = x.reshape(-1, x.shape[-1])
    if is_training:
        m = rows.mean(axis=0, dtype=x.dtype)
        v = np.square(rows - m).mean(axis=0, dtype=x.dtype)
        factor, unbiased = kind(exponential_avg_factor), v * kind(len(rows) / max(len(rows) - 1, 1))
        kept = factor != 1  # or the given ones are not looked at
        mean = (1 - factor) * mean + factor * m if kept else m
        variance = (1 - factor) * variance + factor * unbiased if kept else unbiased
    else:
        m, v = mean, variance
    y = (x - m) * (scale / np.sqrt(v + kind(epsilon))) + offset
    return y, mean, variance, m, v, np.zeros(0, x.dtype)


def fused_batch_norm_grad_v3(
    g: Array,
    x: Array,
    scale: Array,
    m: Array,
    v: Array,
    _: Array,
    *,
    epsilon: float = 1e-4,
    is_training: bool = True,
    data_format: str = "NHWC",
) -> tuple[Array, Array, Array, Array, Array]:
    """The gradients of x, scale and offset; two empty arrays. (B, H, W, C) twice, three times (C,).

    ``dx = scale / s (g - mean g - (x - m) / s^2 mean(g (x - m)))``, s = sqrt(v + epsilon); m and v are constants
    outside of training: ``dx = g scale / s``.
    """
    _check(data_format, x, scale, m, v)
    kind = x.dtype.type
    inverse = 1 / np.sqrt(v + kind(epsilon))
    centred, axes = x - m, tuple(range(x.ndim - 1))
    d_offset = g.sum(axis=axes, dtype=x.dtype)
    d_scale = (g * centred).sum(axis=axes, dtype=x.dtype) * inverse
    count = kind(x.size // x.shape[-1])
    spread = g - d_offset / count - centred * inverse * (d_scale / count) if is_training else g
    empty = np.zeros(0, x.dtype)
    return spread * (scale * inverse), d_scale, d_offset, empty, empty


def _check(data_format: str, x: Array, *channels: Array) -> None:
    if data_format not in ("NHWC", "NDHWC"):
        raise ValueError(f"batch normalisation of layout {data_format}")
    if any(a.shape not in ((x.shape[-1],), (0,)) for a in channels):  # (0,): not looked at
        raise ValueError(f"{[a.shape for a in channels]} for {x.shape[-1]} channels")
