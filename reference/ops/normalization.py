"""Normalisation by the values around: over the last axis, or a part of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import in_time

Array = NDArray[Any]


def l2_normalization(x: Array, *, activation: str = "NONE") -> Array:
    """``x / max(|x|, 1e-6)``, the length ``|x|`` along the last axis. (..., C) -> (..., C)."""
    if activation != "NONE":
        raise ValueError(f"it has no fused activation, and {activation} is asked for")
    if x.ndim == 0:
        raise ValueError("a single number has no axis to normalise along")
    length = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return x / np.maximum(length, x.dtype.type(1e-6))


def local_response_normalization(
    x: Array, *, radius: int = 0, bias: float = 0, alpha: float = 0, beta: float = 0
) -> Array:
    """``x (bias + alpha s)^-beta``, s the sum of squares over the channels up to ``radius`` away.

    (N, H, W, C) -> (N, H, W, C). Krizhevsky et al. 2012, section 3.3.
    """
    if x.ndim != 4:
        raise ValueError(f"it takes four axes, and the input has {x.ndim}")
    channels = x.shape[-1]
    squares = x * x
    nearby = np.empty_like(squares)
    for c in range(channels):
        in_time()
        nearby[..., c] = squares[..., max(0, c - radius) : c + radius + 1].sum(axis=-1)
    kind = x.dtype.type
    return x * (kind(bias) + kind(alpha) * nearby) ** -kind(beta)
