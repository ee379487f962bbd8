"""Multiplying integers by real numbers in integers alone, bit for bit as LiteRT does it.

A real multiplier is ``m 2^(shift - 31)`` with m in [2^30, 2^31). Two kernels' worth of rounding follow: the product of
two int32 keeps its upper half, rounded, and is then shifted right, rounded again. Double rounding is what LiteRT 2.3
is built with for x86 (TFLITE_SINGLE_ROUNDING is off; tests/parity tells the two apart).

Sources: gemmlowp's ``fixedpoint/fixedpoint.h``; LiteRT's ``kernels/internal/quantization_util.cc`` and ``common.cc``;
Jacob et al. (2018), "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
section 2.2. Arrays are int64 throughout, whatever type the numbers have in C++.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class Multiplier(NamedTuple):
    """``mantissa 2^(shift - 31)``, one number or one for each channel."""

    mantissa: Array  # int64
    shift: Array  # int64; negative: to the right


def quantize_multiplier(real: Any) -> Multiplier:
    """The nearest multipliers to real numbers >= 0; those below 2^-32 become 0. (...) -> (...), (...)."""
    fraction, exponent = np.frexp(np.asarray(real, np.float64))
    if not np.isfinite(fraction).all() or (fraction < 0).any():
        raise ValueError(f"scales multiply by {real}")
    mantissa = np.floor(fraction * 2.0**31 + 0.5).astype(np.int64)  # half away from zero: never negative here
    exponent = exponent.astype(np.int64) + (mantissa == 2**31)
    mantissa = np.where(mantissa == 2**31, 2**30, mantissa)
    if (exponent > 31).any():
        raise ValueError(f"scales multiply by {real}")
    tiny = exponent < -31
    return Multiplier(np.where(tiny, 0, mantissa), np.where(tiny, 0, exponent))


def multiply(x: Array, by: Multiplier) -> Array:
    """``x * by`` for int32 x: to the left, times the mantissa, to the right. (...) -> (...)."""
    left, right = np.maximum(by.shift, 0), np.maximum(-by.shift, 0)
    return rounding_divide_by_power(doubling_high_multiply(wrap(x.astype(np.int64) << left), by.mantissa), right)


def multiply_wide(x: Array, by: Multiplier) -> Array:
    """``x * by`` for x of up to 48 bits: the mantissa is cut to 16 bits, and rounding is done once. (...) -> (...)."""
    short = np.where(by.mantissa < 0x7FFF0000, (by.mantissa + 2**15) >> 16, 0x7FFF)
    right = 15 - by.shift
    if (right < 1).any():
        raise ValueError("scales multiply by 2^15 or more")
    return wrap((x * short + (np.int64(1) << (right - 1))) >> right)


def doubling_high_multiply(a: Array, b: Array, size: int = 32) -> Array:
    """``a b / 2^31`` rounded to nearest, halves upward, for a and b of 32 bits, or of ``size``. (...), (...) -> (...).

    gemmlowp's SaturatingRoundingDoublingHighMul; it saturates only where both are -2^31.
    """
    product, half, most = a * b, 1 << (size - 2), (1 << (size - 1)) - 1
    nudged = product + np.where(product >= 0, half, 1 - half)
    return np.minimum((nudged + np.where(nudged < 0, most, 0)) >> (size - 1), most)  # C divides towards zero


def rounding_divide_by_power(x: Array, exponent: Any) -> Array:
    """``x / 2^exponent`` rounded to nearest, halves away from zero. (...) -> (...). gemmlowp's RoundingDivideByPOT."""
    mask = (np.int64(1) << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def wrap(x: Array) -> Array:
    """The lower 32 bits, as int32 overflows in C++. (...) -> (...)."""
    return x.astype(np.int32).astype(np.int64)
