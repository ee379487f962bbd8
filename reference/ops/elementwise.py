"""Operators that work on each element alone, with NumPy's broadcasting, which is TFLite's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.enums import TENSOR_TYPES
from tflite_transfer.reference.tflite.graph import DTYPES

Array = NDArray[Any]


def add(a: Array, b: Array) -> Array:
    """``a + b``. (...), (...) -> (...)."""
    return a + b


def sub(a: Array, b: Array) -> Array:
    """``a - b``. (...), (...) -> (...)."""
    return a - b


def mul(a: Array, b: Array) -> Array:
    """``a b``. (...), (...) -> (...)."""
    return a * b


def div(a: Array, b: Array) -> Array:
    """``a / b``; integers round towards zero, as in C. (...), (...) -> (...)."""
    if np.issubdtype(a.dtype, np.integer):
        return np.trunc(a / b).astype(a.dtype)
    return a / b


def power(a: Array, b: Array) -> Array:
    """``a ^ b``, correctly rounded: taken in double. (...), (...) -> (...)."""
    return np.power(a.astype(np.float64), b.astype(np.float64)).astype(a.dtype)


def maximum(a: Array, b: Array) -> Array:
    """The larger of each pair. (...), (...) -> (...)."""
    return np.maximum(a, b)


def minimum(a: Array, b: Array) -> Array:
    """The smaller of each pair. (...), (...) -> (...)."""
    return np.minimum(a, b)


def squared_difference(a: Array, b: Array) -> Array:
    """``(a - b)^2``. (...), (...) -> (...)."""
    d = a - b
    return d * d


def neg(x: Array) -> Array:
    """``-x``. (...) -> (...)."""
    return -x


def absolute(x: Array) -> Array:
    """``|x|``. (...) -> (...)."""
    return np.abs(x)


def square(x: Array) -> Array:
    """``x^2``. (...) -> (...)."""
    return x * x


def sqrt(x: Array) -> Array:
    """``sqrt(x)``. (...) -> (...)."""
    return np.sqrt(x)


def rsqrt(x: Array) -> Array:
    """``1 / sqrt(x)``. (...) -> (...)."""
    return 1 / np.sqrt(x)


def exp(x: Array) -> Array:
    """``e^x``. (...) -> (...)."""
    return np.exp(x)


def log(x: Array) -> Array:
    """The natural logarithm. (...) -> (...)."""
    return np.log(x)


def relu(x: Array) -> Array:
    """``max(x, 0)``. (...) -> (...)."""
    return np.maximum(x, x.dtype.type(0))


def relu6(x: Array) -> Array:
    """``min(max(x, 0), 6)``. (...) -> (...)."""
    return np.clip(x, x.dtype.type(0), x.dtype.type(6))


def relu_n1_to_1(x: Array) -> Array:
    """``min(max(x, -1), 1)``. (...) -> (...)."""
    return np.clip(x, x.dtype.type(-1), x.dtype.type(1))


def leaky_relu(x: Array, *, alpha: float) -> Array:
    """``x`` where positive, else ``alpha x``. (...) -> (...)."""
    return np.where(x > 0, x, x.dtype.type(alpha) * x)


def logistic(x: Array) -> Array:
    """``1 / (1 + e^-x)``, written so that the exponential cannot overflow. (...) -> (...)."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def tanh(x: Array) -> Array:
    """The hyperbolic tangent. (...) -> (...)."""
    return np.tanh(x)


def hard_swish(x: Array) -> Array:
    """``x min(max(x + 3, 0), 6) / 6``. (...) -> (...)."""
    return x * relu6(x + x.dtype.type(3)) / x.dtype.type(6)


def cast(x: Array, *, out_data_type: int, in_data_type: int = 0) -> Array:
    """Another type for each element; ``in_data_type`` repeats what the tensor says. (...) -> (...)."""
    return x.astype(DTYPES[TENSOR_TYPES[out_data_type]])


def dequantize(x: Array) -> Array:
    """float32 of a float16 or quantised tensor; the interpreter has widened the latter already. (...) -> (...)."""
    return x.astype(np.float32, copy=False)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {  # the fused ones. Not TANH: LiteRT leaves it out without a word
    "RELU": relu,
    "RELU6": relu6,
    "RELU_N1_TO_1": relu_n1_to_1,
}
