"""Functions of two arrays of stored integers, broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import within_limit
from tflite_transfer.reference.ops.quantized.affine import (
    Affine,
    Tensors,
    affine,
    affines,
    centred,
    finish,
    whole_logarithm,
)
from tflite_transfer.reference.ops.quantized.fixed_point import (
    Multiplier,
    multiply,
    quantize_multiplier,
    rounding_divide_by_power,
    wrap,
)
from tflite_transfer.reference.ops.quantized.transcendental import leading_zeros, reciprocal
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

BITS = 20  # that numbers of 8 bits are shifted by before they are added, as far as the sum still fits into 32


def add(
    a: Array,
    b: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    activation: str = "NONE",
    pot_scale_int16: bool = True,
) -> Array:
    """``a + b``. (...), (...) -> (...). Both are brought to a common scale first."""
    return _sum(a, b, 1, inputs, outputs[0], activation, pot_scale_int16)


def sub(
    a: Array,
    b: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    activation: str = "NONE",
    pot_scale_int16: bool = True,
) -> Array:
    """``a - b``. (...), (...) -> (...). Both are brought to a common scale first."""
    return _sum(a, b, -1, inputs, outputs[0], activation, pot_scale_int16)


def _sum(a: Array, b: Array, sign: int, inputs: Tensors, output: Tensor, activation: str, power_of_two: bool) -> Array:
    one, two, y = affines(*inputs, output)
    logarithms = [whole_logarithm(t.scale) for t in (one, two, y)]
    if output.type == "INT16" and power_of_two and None not in logarithms:
        return _shifted_sum(a, b, sign, logarithms, output, activation)
    bits = 15 if output.type == "INT16" else BITS
    to_one, to_two, by = sum_scales(one, two, y, bits)
    first, second = _centred(a, b, one, two)
    total = multiply(first << bits, to_one) + sign * multiply(second << bits, to_two)
    return finish(multiply(wrap(total), by), output, activation)


def sum_scales(one: Affine, two: Affine, y: Affine, bits: int) -> tuple[Multiplier, Multiplier, Multiplier]:
    """What brings each of two numbers, times 2^bits, to a common scale, and their sum to the output's."""
    to_one, to_two, twice_larger = _common_scale(one, two)
    return to_one, to_two, quantize_multiplier(twice_larger / (2**bits * np.float64(y.scale)))


def _common_scale(one: Affine, two: Affine) -> tuple[Multiplier, Multiplier, float]:
    """What brings both to twice the larger of their scales, and that scale."""
    twice_larger = 2 * float(max(one.scale, two.scale))
    to_one, to_two = (quantize_multiplier(float(t.scale) / twice_larger) for t in (one, two))
    return to_one, to_two, twice_larger


def _centred(a: Array, b: Array, one: Affine, two: Affine) -> tuple[Array, Array]:
    """Both less their zero points, if what they broadcast to may be made: (n, 1) and (1, n) give n^2."""
    within_limit(np.broadcast_shapes(a.shape, b.shape), 8)
    return centred(a, one.zero), centred(b, two.zero)


def _shifted_sum(a: Array, b: Array, sign: int, logarithms: list[Any], output: Tensor, activation: str) -> Array:
    """int16 with scales that are powers of two: one of a and b has the output's scale, the other is shifted to it."""
    right = [logarithms[2] - logarithms[0], logarithms[2] - logarithms[1]]
    if min(right) != 0:
        raise ValueError(f"int16 at scales 2^{logarithms}: one input must have the output's, neither a larger one")
    if sign > 0 and a.shape != b.shape:
        raise ValueError(f"int16 at scales that are powers of two does not broadcast {a.shape} and {b.shape}")
    first, second = _centred(a, b, *affines(output, output))
    first, second = (rounding_divide_by_power(x, n) for x, n in zip((first, second), right, strict=True))
    return finish(first + sign * second, output, activation)


def mul(a: Array, b: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], activation: str = "NONE") -> Array:
    """``s_a s_b / s_y (a - z_a) (b - z_b) + z_y``; the scales multiply in float32. (...), (...) -> (...)."""
    one, two, y = affines(*inputs, outputs[0])
    first, second = _centred(a, b, one, two)
    by = quantize_multiplier(one.scale * two.scale / y.scale)
    return finish(multiply(wrap(first * second), by), outputs[0], activation)


def div(a: Array, b: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], activation: str = "NONE") -> Array:
    """``s_a / (s_b s_y) (a - z_a) / (b - z_b) + z_y``, by the divisor's reciprocal. (...), (...) -> (...).

    The dividend is first shifted to the left as far as it goes, so that the product keeps 31 bits.
    """
    one, two, y = affines(*inputs, outputs[0])
    dividend, divisor = _centred(a, b, one, two)
    if (divisor == 0).any():
        raise ZeroDivisionError("stored integers are divided by 0")
    inverse, bits = reciprocal(np.abs(divisor), 31)
    dividend = dividend * np.sign(divisor)
    room = leading_zeros(np.where(dividend < 0, ~dividend, dividend)) - 1
    quotient = multiply(dividend, Multiplier(inverse, room))
    by = quantize_multiplier(one.scale / (two.scale * y.scale))
    return finish(multiply(quotient, Multiplier(by.mantissa, by.shift - bits - room)), outputs[0], activation)


def squared_difference(a: Array, b: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``(a - b)^2``, of int8 alone. (...), (...) -> (...)."""
    one, two, y = affines(*inputs, outputs[0])
    if outputs[0].type != "INT8":
        raise ValueError("LiteRT has this of int8 alone")
    bits = 7
    to_one, to_two, twice_larger = _common_scale(one, two)
    first, second = _centred(a, b, one, two)
    difference = multiply(first << bits, to_one) - multiply(second << bits, to_two)
    by = quantize_multiplier(twice_larger**2 / (2 ** (2 * bits) * np.float64(y.scale)))
    return finish(multiply(wrap(difference**2), by), outputs[0])


def prelu(x: Array, alpha: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``x`` where positive, else ``alpha x``; of int16 the slopes are int8. (...), (...) -> (...)."""
    one, y = affines(inputs[0], outputs[0])
    two = affine(inputs[1], "INT8" if outputs[0].type == "INT16" else outputs[0].type)
    value, slope = _centred(x, alpha, one, two)
    positive = multiply(value, quantize_multiplier(one.scale / y.scale))
    negative = multiply(wrap(value * slope), quantize_multiplier(one.scale * two.scale / y.scale))
    return finish(np.where(value >= 0, positive, negative), outputs[0])


def maximum(a: Array, b: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """The larger of each pair of stored integers: LiteRT takes them to have one scale. (...), (...) -> (...)."""
    affines(*inputs, outputs[0])
    within_limit(np.broadcast_shapes(a.shape, b.shape), a.itemsize)
    return np.maximum(a, b)


def minimum(a: Array, b: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """The smaller of each pair of stored integers: LiteRT takes them to have one scale. (...), (...) -> (...)."""
    affines(*inputs, outputs[0])
    within_limit(np.broadcast_shapes(a.shape, b.shape), a.itemsize)
    return np.minimum(a, b)


def _comparison(compare: Callable[[Array, Array], Array], meaning: str) -> Callable[..., Array]:
    def function(a: Array, b: Array, *, inputs: Tensors) -> Array:
        one, two = affines(*inputs)
        first, second = _centred(a, b, one, two)
        if a.dtype == np.int16 and meaning not in ("a = b", "a != b"):
            if one != two:
                raise ValueError("LiteRT compares int16 as they are stored: they must have one scale")
            return compare(a, b)
        first = multiply(first << 8, quantize_multiplier(one.scale))
        return compare(first, multiply(second << 8, quantize_multiplier(two.scale)))

    function.__doc__ = f"``{meaning}`` of the real numbers in steps of 1/256; of int16 stored. (...), (...) -> (...)."
    return function


less = _comparison(np.less, "a < b")
less_equal = _comparison(np.less_equal, "a <= b")
greater = _comparison(np.greater, "a > b")
greater_equal = _comparison(np.greater_equal, "a >= b")
equal = _comparison(np.equal, "a = b")
not_equal = _comparison(np.not_equal, "a != b")
