"""The integer arithmetic of quantised operators against exact rational and real numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tflite_transfer.reference.ops.quantized.fixed_point import (
    Multiplier,
    doubling_high_multiply,
    multiply,
    multiply_wide,
    quantize_multiplier,
    rounding_divide_by_power,
)
from tflite_transfer.reference.ops.quantized.transcendental import (
    exponential,
    inverse_root,
    logarithm,
    reciprocal,
    sigmoid,
    tanh,
)

INT32 = np.array([-(2**31), -(2**31) + 1, -(2**30), -3, -2, -1, 0, 1, 2, 3, 2**30, 2**31 - 1])


def test_a_multiplier_is_its_real_number_to_31_bits():
    reals = np.append(np.logspace(-9, 8, 100), [0.5, 1, 2, 1 - 2.0**-40])
    by = quantize_multiplier(reals)
    assert ((by.mantissa >= 2**30) & (by.mantissa < 2**31)).all()
    np.testing.assert_allclose(by.mantissa * 2.0 ** (by.shift - 31), reals, rtol=2.0**-31)
    assert quantize_multiplier(2.0**-33) == (0, 0) == quantize_multiplier(0)


@pytest.mark.parametrize("real", [-1.0, np.nan, np.inf, 2.0**32])
def test_scales_that_no_file_can_mean_are_refused(real):
    with pytest.raises(ValueError, match="scales multiply by"):
        quantize_multiplier(real)


def test_the_upper_half_of_a_product_rounds_halves_up_and_saturates():
    for a in INT32.tolist():
        for b in INT32.tolist():
            exact = (Fraction(a) * b / 2**31 + Fraction(1, 2)).__floor__()
            assert doubling_high_multiply(np.array(a), np.array(b)) == min(exact, 2**31 - 1)


@pytest.mark.parametrize("exponent", [0, 1, 5, 31])
def test_division_by_a_power_rounds_halves_away_from_zero(exponent):
    for x in (*INT32.tolist(), 16, -16, 48, -48):
        half = abs(Fraction(x, 2**exponent)) + Fraction(1, 2)
        assert rounding_divide_by_power(np.array(x), exponent) == half.__floor__() * (-1 if x < 0 else 1)


def test_double_rounding_is_what_litert_is_built_with():
    """0.4999999998 becomes 1 by way of 0.9999999995, rounded to 1; rounded once it would be 0."""
    assert multiply(np.array([1, -1]), Multiplier(np.int64(2**31 - 1), np.int64(-1))).tolist() == [1, -1]


def test_wide_numbers_keep_16_bits_of_the_multiplier():
    x, by = np.array([2**40, -(2**40), 12345]), quantize_multiplier(1e-6)
    np.testing.assert_allclose(multiply_wide(x, by), x * 1e-6, rtol=2.0**-15, atol=0.5)
    halves = multiply_wide(np.array([3, 1, -1, -3]), quantize_multiplier(0.5))
    assert halves.tolist() == [2, 1, 0, -1]  # halves upward


def test_functions_are_near_the_real_ones():
    x = -np.arange(0, 2**31, 9_999_991)
    np.testing.assert_allclose(exponential(x) / 2**31, np.exp(x / 2**26), rtol=0, atol=2e-7)
    x = np.arange(1, 4095, 7) << 19
    np.testing.assert_allclose(logarithm(x) / 2**26, np.log(x / 2**19), atol=1e-7)
    inverse, bits = reciprocal(x, 12)
    np.testing.assert_allclose(inverse / 2**31 * 2.0**-bits, 2**19 / x, rtol=1e-8)
    x = np.append(np.arange(1, 3000), [2**28, 2**29, 2**30 + 5, 2**31 - 1])
    by = inverse_root(x)
    np.testing.assert_allclose(by.mantissa * 2.0 ** (by.shift - 31), 1 / np.sqrt(x), rtol=3e-6)


@pytest.mark.parametrize("whole_bits", range(7))
def test_functions_of_16_bits_are_near_the_real_ones(whole_bits):
    """In steps of 2^-15: 12.05 and 6.4 at the most. Up to -64, whose exponential is 0."""
    x = np.arange(-(2**15), 2**15)
    assert np.abs(tanh(x, whole_bits) - 2**15 * np.tanh(x / 2.0 ** (15 - whole_bits))).max() < 12.1
    assert np.abs(sigmoid(x) - 2**15 / (1 + np.exp(-x / 2**12))).max() < 6.5
