"""Operators that work on each element alone, with NumPy's broadcasting, which is TFLite's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce, wraps
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import unchecked_by
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def broadcasting(function: Function) -> Function:
    """Mark a function that broadcasts arrays of one type. What it may make, ``pieces.in_pieces`` bounds."""

    @wraps(function)
    def checked(*arrays: Array, **options: Any) -> Any:
        if any(a.dtype != arrays[0].dtype for a in arrays[1:]):
            raise ValueError(f"the inputs are of types {', '.join(str(a.dtype) for a in arrays)}")
        return function(*arrays, **options)

    return unchecked_by(function)(cast("Function", checked))


@broadcasting
def add(a: Array, b: Array) -> Array:
    """``a + b``. (...), (...) -> (...)."""
    return a + b


@broadcasting
def sub(a: Array, b: Array) -> Array:
    """``a - b``. (...), (...) -> (...)."""
    return a - b


@broadcasting
def mul(a: Array, b: Array) -> Array:
    """``a b``. (...), (...) -> (...)."""
    return a * b


@broadcasting
def div(a: Array, b: Array) -> Array:
    """``a / b``; integers round towards zero, as in C. (...), (...) -> (...)."""
    if np.issubdtype(a.dtype, np.integer):
        if (b == 0).any():
            raise ZeroDivisionError("integers are divided by 0")
        return a // b + ((a % b != 0) & ((a < 0) != (b < 0)))
    return a / b


@broadcasting
def power(a: Array, b: Array) -> Array:
    """``a ^ b``, of floats correctly rounded: taken in double; integers wrap around. (...), (...) -> (...)."""
    if np.issubdtype(a.dtype, np.integer):
        if (b < 0).any():
            raise ValueError("integers are raised to a negative power")
        return np.power(a, b)
    return np.power(a.astype(np.float64), b.astype(np.float64)).astype(a.dtype)


@broadcasting
def maximum(a: Array, b: Array) -> Array:
    """The larger of each pair. (...), (...) -> (...)."""
    return np.maximum(a, b)


@broadcasting
def minimum(a: Array, b: Array) -> Array:
    """The smaller of each pair. (...), (...) -> (...)."""
    return np.minimum(a, b)


@broadcasting
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


def sin(x: Array) -> Array:
    """``sin(x)``. (...) -> (...)."""
    return np.sin(x)


def cos(x: Array) -> Array:
    """``cos(x)``. (...) -> (...)."""
    return np.cos(x)


def atan2(y: Array, x: Array) -> Array:
    """The angle of the point (x, y), from -pi to pi. (...), (...) -> (...)."""
    if (y.shape, y.dtype) != (x.shape, x.dtype):
        raise ValueError("the two differ in shape or type")
    return np.arctan2(y, x)


def add_n(*values: Array) -> Array:
    """The sum of two inputs or more. n times (...) -> (...)."""
    if len(values) < 2 or len({(v.shape, v.dtype) for v in values}) > 1:
        raise ValueError("it adds two or more, of one shape and type")
    return reduce(np.add, values)


def zeros_like(x: Array) -> Array:
    """Zeros in the shape of x. (...) -> (...)."""
    return np.zeros_like(x)


def exp(x: Array) -> Array:
    """``e^x``. (...) -> (...)."""
    return np.exp(x)


def log(x: Array) -> Array:
    """The natural logarithm. (...) -> (...)."""
    return np.log(x)


def relu(x: Array, out: Array | None = None) -> Array:
    """``max(x, 0)``. (...) -> (...)."""
    return np.maximum(x, x.dtype.type(0), out=out)


def relu6(x: Array, out: Array | None = None) -> Array:
    """``min(max(x, 0), 6)``. (...) -> (...)."""
    return np.clip(x, x.dtype.type(0), x.dtype.type(6), out=out)


def relu_n1_to_1(x: Array, out: Array | None = None) -> Array:
    """``min(max(x, -1), 1)``. (...) -> (...)."""
    return np.clip(x, x.dtype.type(-1), x.dtype.type(1), out=out)


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


def dequantize(x: Array, *, outputs: tuple[Tensor, ...]) -> Array:
    """Floats of a float16 tensor, or of a quantised constant, which comes widened already. (...) -> (...)."""
    return x.astype(outputs[0].dtype, copy=False)


# What NumPy calls these, for floats: it can put a result into memory that is at hand.
UFUNCS: Mapping[str, Callable[..., Any]] = {
    "ABS": np.abs, "ADD": np.add, "COS": np.cos, "DIV": np.divide, "EXP": np.exp, "LOG": np.log,
    "MUL": np.multiply, "NEG": np.negative, "SIN": np.sin, "SQRT": np.sqrt, "SQUARE": np.square, "SUB": np.subtract,
    "TANH": np.tanh,
}  # fmt: skip

# The fused ones, which take as ``out`` where the result shall be. Not TANH: LiteRT leaves it out without a word.
ACTIVATIONS: dict[str, Callable[..., Array]] = {
    "RELU": relu,
    "RELU6": relu6,
    "RELU_N1_TO_1": relu_n1_to_1,
}
