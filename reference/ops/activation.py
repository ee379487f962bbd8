"""Activation functions that stand in a graph as operators of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.elementwise import broadcasting

Array = NDArray[Any]


def relu_0_to_1(x: Array) -> Array:
    """``min(max(x, 0), 1)``. (...) -> (...)."""
    return np.clip(x, x.dtype.type(0), x.dtype.type(1))


@broadcasting
def prelu(x: Array, alpha: Array) -> Array:
    """``x`` where not negative, else ``alpha x``; alpha is broadcast to x. (...), (...) -> (...).

    He et al. 2015, Delving Deep into Rectifiers, equation 1: a slope that is learnt, most often one for each channel.
    """
    if np.broadcast_shapes(x.shape, alpha.shape) != x.shape:
        raise ValueError(f"slopes of shape {alpha.shape} do not fit an input of shape {x.shape}")
    return np.where(x >= 0, x, alpha * x)


def elu(x: Array) -> Array:
    """``x`` where not negative, else ``e^x - 1``. (...) -> (...). Clevert et al. 2015."""
    return np.where(x < 0, np.expm1(x), x)


def gelu(x: Array, *, approximate: bool = False) -> Array:
    """``x P(N <= x)`` for a standard normal N. (...) -> (...). Hendrycks and Gimpel 2016.

    ``x erfc(-x / sqrt(2)) / 2``, in double: ``1 + erf`` would cancel far below 0. The approximation is
    ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2``, of which the hyperbolic tangent is taken in double.
    """
    if approximate:
        half, cubic, scale = (x.dtype.type(v) for v in (0.5, 0.044715, math.sqrt(2 / math.pi)))
        inner = (scale * (x + cubic * x * x * x)).astype(np.float64)
        return half * x * (1 + np.tanh(inner).astype(x.dtype))
    wide = x.astype(np.float64)
    erfc = np.fromiter(map(math.erfc, (-wide * math.sqrt(0.5)).flat), np.float64, x.size)  # NumPy has none
    return (0.5 * wide * erfc.reshape(x.shape)).astype(x.dtype)
