"""Exponential, reciprocal, logarithm, inverse root, sigmoid and tanh in fixed point, bit for bit as in LiteRT.

Qn.m is an int32 with n bits before the point and m = 31 - n after it; with a ``size`` of 16 an int16 with m = 15 - n.
The product of Qa and Qb, ``high``, is Q(a + b). Constants stand as the real numbers that they round. Sources:
gemmlowp's ``fixedpoint/fixedpoint.h``, LiteRT's ``kernels/internal/common.h``. Arrays are int64, of any shape.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.quantized.fixed_point import (
    INT32_MAX,
    Multiplier,
    doubling_high_multiply,
    rounding_divide_by_power,
    wrap,
)

Array = NDArray[Any]


def fixed(real: float, whole_bits: int = 0, size: int = 32) -> np.int64:
    """A constant with ``whole_bits`` bits before the point; one of 16 bits is that of 32, rounded again."""
    value = min(round(real * 2.0 ** (31 - whole_bits)), INT32_MAX)
    return np.int64(rounding_divide_by_power(np.asarray(value), 32 - size))


def high(a: Any, b: Any, size: int = 32) -> Array:
    """The product of two fixed-point numbers. (...), (...) -> (...)."""
    return doubling_high_multiply(np.asarray(a, np.int64), np.asarray(b, np.int64), size)


def shift_left(x: Array, bits: Any, size: int = 32) -> Array:
    """``x 2^bits``, saturated. (...) -> (...)."""
    return np.clip(x << bits, -(1 << (size - 1)), (1 << (size - 1)) - 1)


def leading_zeros(x: Array) -> Array:
    """Of 32-bit numbers >= 0; 32 for 0. (...) -> (...)."""
    return 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)


def exponential(x: Array, whole_bits: int = 5, size: int = 32) -> Array:
    """``e^x`` for x <= 0. Q(whole_bits) -> Q0. (...) -> (...).

    x is a sum of a rest in [-1/4, 0), for which a polynomial serves, and of powers of two, each a factor of its own.
    """
    one = 1 << (size - 1 - whole_bits)
    rest = (x & (one // 4 - 1)) - one // 4
    result = _exponential_of_quarter(rest << whole_bits, size)
    left = rest - x
    for power in range(-2, min(whole_bits, 5)):
        factor = fixed(math.exp(-(2.0**power)), 0, size)
        result = np.where(left & int(one * 2.0**power), high(result, factor, size), result)
    result = np.where(x < -32 * one, 0, result)
    return np.where(x == 0, (1 << (size - 1)) - 1, result)


def _exponential_of_quarter(x: Array, size: int) -> Array:
    """``e^x`` for x in [-1/4, 0): a Taylor polynomial around -1/8. Q0 -> Q0. (...) -> (...)."""
    x = x + (1 << (size - 4))
    square = high(x, x, size)
    cube, fourth = high(square, x, size), high(square, square, size)
    higher = high(rounding_divide_by_power(fourth, 2) + cube, fixed(1 / 3, 0, size), size) + square
    centre = fixed(math.exp(-1 / 8), 0, size)
    return shift_left(centre + high(centre, x + rounding_divide_by_power(higher, 1), size), 0, size)


def one_over_one_plus(x: Array, size: int = 32) -> Array:
    """``1 / (1 + x)`` for x in [0, 1]. Q0 -> Q0. (...) -> (...)."""
    return shift_left(_two_over_one_plus(x, size), 1, size)


def one_minus_over_one_plus(x: Array, size: int = 32) -> Array:
    """``(1 - x) / (1 + x)`` for x in [0, 1]. Q0 -> Q0. (...) -> (...)."""
    return shift_left(_two_over_one_plus(x, size) - (1 << (size - 3)), 2, size)


def _two_over_one_plus(x: Array, size: int) -> Array:
    """``2 / (1 + x)`` for x in [0, 1], by Newton's iteration. Q0 -> Q2. (...) -> (...)."""
    total = x + (1 << (size - 1)) - 1
    half = np.where(total >= 0, (total + 1) >> 1, -((1 - total) >> 1))
    y = fixed(48 / 17, 2, size) + high(half, fixed(-32 / 17, 2, size), size)
    for _ in range(3):
        y = y + shift_left(high(y, (1 << (size - 3)) - high(half, y, size), size), 2, size)
    return y


def sigmoid(x: Array) -> Array:
    """``1 / (1 + e^-x)`` of 16 bits. Q3.12 -> Q0.15. (...) -> (...)."""
    return _sigmoids()[x + 32768]


def tanh(x: Array, whole_bits: int) -> Array:
    """The hyperbolic tangent of 16 bits. Q(whole_bits) -> Q0.15. (...) -> (...)."""
    return _tanhs(whole_bits)[x + 32768]


@cache
def _sigmoids() -> Array:
    """Of every int16, from the least on. -> (65536,)."""
    x = np.arange(-32768, 32768)
    y = one_over_one_plus(exponential(-np.abs(x), 3, 16), 16)
    return np.where(x == 0, 1 << 14, np.where(x > 0, y, 32767 - y))


@cache
def _tanhs(whole_bits: int) -> Array:
    """Of every int16, from the least on. -> (65536,)."""
    x = np.arange(-32768, 32768)
    return np.sign(x) * one_minus_over_one_plus(exponential(-np.abs(x), whole_bits + 1, 16), 16)


def reciprocal(x: Array, whole_bits: int) -> tuple[Array, Array]:
    """``1 / x = r 2^-n`` for x with ``whole_bits`` bits before the point; r in Q0.31. (...) -> (...), (...)."""
    zeros = leading_zeros(x)
    return one_over_one_plus((x << zeros) - (1 << 31)), whole_bits - zeros


def logarithm(x: Array) -> Array:
    """``ln x`` for x >= 1. Q12.19 -> Q5.26. (...) -> (...).

    Between powers of two it stands for a rational function, taken around either of two neighbouring points.
    """
    half_root, quarter_root = fixed(math.sqrt(0.5)), fixed(0.5**0.25)
    zeros = leading_zeros(x)
    near = shift_left(high(shift_left(x, zeros - 1), half_root), 1)
    zeros_far = leading_zeros(high(x, half_root)) - 1
    r = np.minimum(near, shift_left(x, zeros_far))
    whole = np.maximum(shift_left(12 - zeros, 25) + (1 << 23), shift_left(12 - zeros_far, 25) - (1 << 23))
    total = r + quarter_root
    p = np.where(total >= 0, (total + 1) >> 1, -((1 - total) >> 1))
    q = 2 * (r - quarter_root)
    square, root = high(q, q), 2**0.25
    numerator = high(q, r) + high(high(q, square), fixed(11 / 240 * root))
    inner = fixed(2 / root - root) + q + high(fixed(root / 20), square)
    denominator = one_over_one_plus(high(p, inner) + high(fixed(root / 4), q))
    return shift_left(high(whole, fixed(math.log(2))) + high(rounding_divide_by_power(numerator, 6), denominator), 1)


def inverse_root(x: Array) -> Multiplier:
    """``1 / sqrt(x)`` for whole x >= 1, by Newton's iteration; 0 counts as 1. (...) -> (...), (...)."""
    small, x = x <= 1, np.maximum(x, 2)
    shift = np.full(x.shape, 11, np.int64)
    for _ in range(2):  # an int32 is brought below 2^29
        large = x >= 1 << 29
        x, shift = np.where(large, x >> 2, x), shift + large
    pairs = (leading_zeros(x) - 1) // 2 - 1
    x, shift = x << 2 * pairs, shift - pairs
    half, y = rounding_divide_by_power(x >> 1, 1), np.full(x.shape, 1 << 28, np.int64)
    for _ in range(5):
        cube = shift_left(high(high(y, y), y), 6)
        y = shift_left(high(fixed(1.5, 3), y) - high(half, cube), 3)
    y = high(y, fixed(math.sqrt(0.5)))
    y, shift = wrap(np.where(shift < 0, y << np.maximum(-shift, 0), y)), np.maximum(shift, 0)
    return Multiplier(np.where(small, INT32_MAX, y), np.where(small, 0, -shift))
