"""Gradients of activations and of other functions of one number: g is the gradient that arrives, y = f(x)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers

Array = NDArray[Any]

# Klambauer et al. 2017, https://arxiv.org/abs/1706.02515, the constants after equation 2.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def relu_grad(g: Array, x: Array) -> Array:
    """``g where x > 0``; x may be y, which has the same sign. (...), (...) -> (...)."""
    return np.where(x > 0, g, g.dtype.type(0))


def relu6_grad(g: Array, x: Array) -> Array:
    """``g where 0 < x < 6``. (...), (...) -> (...)."""
    return np.where((x > 0) & (x < 6), g, g.dtype.type(0))


def leaky_relu_grad(g: Array, x: Array, *, alpha: float = 0.2) -> Array:
    """``g where x > 0, else alpha g``. (...), (...) -> (...)."""
    return np.where(x > 0, g, g * g.dtype.type(alpha))


def elu_grad(g: Array, y: Array) -> Array:
    """``g (y + 1) where y < 0, else g``, of y = e^x - 1. (...), (...) -> (...)."""
    return np.where(y < 0, g * (y + 1), g)


def selu_grad(g: Array, y: Array) -> Array:
    """``g (y + scale alpha) where y < 0, else scale g``. (...), (...) -> (...)."""
    kind = g.dtype.type
    return np.where(y < 0, g * (y + kind(_SELU_SCALE * _SELU_ALPHA)), g * kind(_SELU_SCALE))


def softplus_grad(g: Array, x: Array) -> Array:
    """``g / (1 + e^-x)``. (...), (...) -> (...)."""
    return g / (1 + np.exp(-x))


def softsign_grad(g: Array, x: Array) -> Array:
    """``g / (1 + |x|)^2``. (...), (...) -> (...)."""
    return g / np.square(1 + np.abs(x))


def tanh_grad(y: Array, g: Array) -> Array:
    """``g (1 - y^2)``. (...), (...) -> (...)."""
    return g * (1 - y * y)


def sigmoid_grad(y: Array, g: Array) -> Array:
    """``g y (1 - y)``. (...), (...) -> (...)."""
    return g * y * (1 - y)


def sqrt_grad(y: Array, g: Array) -> Array:
    """``g / (2 y)``. (...), (...) -> (...)."""
    return g * g.dtype.type(0.5) / y


def rsqrt_grad(y: Array, g: Array) -> Array:
    """``-g y^3 / 2``. (...), (...) -> (...)."""
    return g * g.dtype.type(-0.5) * y * (y * y)


def reciprocal_grad(y: Array, g: Array) -> Array:
    """``-g y^2``. (...), (...) -> (...)."""
    return -g * y * y


def add_n(*values: Array) -> Array:
    """The sum of arrays of one shape. n times (...) -> (...)."""
    total = values[0].copy()
    for value in values[1:]:
        if value.shape != total.shape:
            raise ValueError(f"arrays of shapes {total.shape} and {value.shape} are to be added")
        total += value
    return total


def bias_add_grad(g: Array, *, data_format: str = "NHWC") -> Array:
    """The sum over all axes but the channels'. (..., C), or (B, C, ...) for NCHW -> (C,)."""
    channels = 1 if data_format == "NCHW" else g.ndim - 1
    return g.sum(axis=tuple(a for a in range(g.ndim) if a != channels), dtype=g.dtype)


def broadcast_gradient_args(a: Array, b: Array) -> tuple[Array, Array]:
    """Over which axes the gradients of two broadcast arrays are summed, from their shapes. (m,), (n,) -> (r,), (s,)."""
    rank = max(a.size, b.size)
    left, right = ([1] * (rank - s.size) + numbers(s) for s in (a, b))
    # An axis that is 1 in both is summed over in both: it changes nothing, and TensorFlow names it.
    one_left = [i for i in range(rank) if left[i] == 1]
    one_right = [i for i in range(rank) if right[i] == 1]
    np.broadcast_shapes(left, right)
    if numbers(a) == numbers(b):
        one_left = one_right = []
    return np.array(one_left, a.dtype), np.array(one_right, b.dtype)
