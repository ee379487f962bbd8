"""Functions of one stored integer by a table: of 256 entries for 8 bits, of 513 with straight lines between for 16.

Source: LiteRT's ``kernels/internal/common.h``, LUTPopulate and LUTLookup.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops import activation
from tflite_transfer.reference.ops.quantized.affine import (
    Tensors,
    affine,
    affines,
    centred,
    finish,
    round_away,
    same_type,
)
from tflite_transfer.reference.ops.quantized.fixed_point import Multiplier, multiply, quantize_multiplier
from tflite_transfer.reference.ops.quantized.transcendental import inverse_root
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]
Function = Callable[[Any], Any]


def logistic(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``1 / (1 + e^-x)``; outputs have the scale 1/256, or 1/32768. (...) -> (...)."""
    made = outputs[0]
    scale, zero = {"INT8": (1 / 256, -128), "UINT8": (1 / 256, 0)}.get(made.type, (1 / 32768, 0))
    if affine(made) != (scale, zero):
        raise ValueError(f"{made.name!r} must have the scale {scale} and the zero point {zero}")
    if same_type(inputs[0], made) == "INT16":
        return _sigmoid_of_int16(x, inputs[0], finer=0)
    return _by_table(x, lambda v: 1 / (1 + np.exp(-v)), inputs[0], made)


def tanh(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """The hyperbolic tangent; int16 outputs have the scale 1/32768. (...) -> (...)."""
    made = outputs[0]
    if same_type(inputs[0], made) == "INT16":
        if affine(made) != (1 / 32768, 0):
            raise ValueError(f"{made.name!r} must have the scale 1/32768 and the zero point 0")
        return _sigmoid_of_int16(x, inputs[0], finer=1)
    return _by_table(x, np.tanh, inputs[0], made)


def exp(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``e^x``. (...) -> (...)."""
    return _by_table(x, np.exp, inputs[0], outputs[0])


def log(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """The natural logarithm; the least output where x <= 0. (...) -> (...)."""
    y = affine(outputs[0])
    least = y.scale * np.float32(np.iinfo(outputs[0].dtype).min - y.zero)
    return _by_table(x, lambda v: np.where(v > 0, np.log(np.abs(v)), least), inputs[0], outputs[0])


def elu(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``x`` where positive, else ``e^x - 1``, of int8. (...) -> (...)."""
    if same_type(inputs[0], outputs[0]) != "INT8":
        raise ValueError("LiteRT has this of int8 alone")
    return _by_table(x, lambda v: np.where(v < 0, np.expm1(v), v), inputs[0], outputs[0])


def gelu(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], approximate: bool = False) -> Array:
    """``x P(N <= x)`` for a standard normal N, or its approximation. (...) -> (...)."""
    return _by_table(x, partial(activation.gelu, approximate=approximate), inputs[0], outputs[0])


def rsqrt(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``1 / sqrt(x)``, by Newton's iteration for int8; the largest output where x = 0. (...) -> (...)."""
    given, made = affine(inputs[0]), affine(outputs[0])
    value, largest = centred(x, given.zero), made.scale * np.float32(32767)
    if (value < 0).any():
        raise ValueError("the root of a negative number is taken")
    if same_type(inputs[0], outputs[0]) == "INT16":
        return _by_table(x, lambda v: np.where(v > 0, 1 / np.sqrt(np.abs(v)), largest), inputs[0], outputs[0])
    inverse, bits = inverse_root(value), 20
    root = multiply(np.ones_like(value), Multiplier(inverse.mantissa, inverse.shift + bits))
    by = quantize_multiplier(1 / (np.float64(np.sqrt(given.scale)) * np.float64(made.scale)))
    y = finish(multiply(root, Multiplier(by.mantissa, by.shift - bits)), outputs[0])
    return np.where(value == 0, np.iinfo(x.dtype).max, y).astype(x.dtype)


def sqrt(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``sqrt(x)`` in float32, cut off to a whole number, of int8 and int16. (...) -> (...)."""
    a, b = affines(inputs[0], outputs[0])
    value = centred(x, a.zero)
    if x.dtype == np.uint8 or (value < 0).any():
        raise ValueError("LiteRT has the root of int8 and int16 that are not negative")
    return finish(np.trunc(np.sqrt(a.scale * value.astype(np.float32)) / b.scale), outputs[0])


def _by_table(x: Array, function: Function, given: Tensor | None, made: Tensor) -> Array:
    a, b = affines(given, made)
    if made.type == "INT16":
        return interpolated(x.astype(np.int64), table_of(function, a.scale, 0, b.scale)).astype(np.int16)
    info = np.iinfo(x.dtype)
    reals = a.scale * (np.arange(info.min, info.max + 1) - a.zero).astype(np.float32)
    table = finish(round_away(function(reals) * (np.float32(1) / b.scale)), made)
    return table[x.astype(np.int64) - info.min]


def table_of(function: Function, scale: Any, zero: int, out_scale: Any) -> Array:
    """513 values of ``function`` at equal steps over all of int16, in stored outputs. -> (513,).

    Each is moved by half of what the straight line to the next is off by in the middle. In the scales' own precision.
    """
    kind = np.asarray(scale).dtype.type
    low, high = kind(scale * kind(-32768 - zero)), kind(scale * kind(32767 - zero))
    step = kind((high - low) / kind(512))
    to_stored = kind(65536) / kind(out_scale * kind(32767) - out_scale * kind(-32768))
    places = np.arange(513).astype(kind)
    start = low + places[:512] * step
    values = function(start) * to_stored
    following = function(low + places[1:] * step) * to_stored
    middle = round_away(function(start + step / kind(2)) * to_stored)
    off = round_away((following + round_away(values)) / kind(2)) - middle
    table = np.append(
        round_away(values) - round_away(off / kind(2)), round_away(function(np.array([high])) * to_stored)
    )
    return np.clip(table, -32768, 32767).astype(np.int64)


def interpolated(x: Array, table: Array) -> Array:
    """The table's value at int16 x, on the straight line between two entries. (...), (513,) -> (...).

    A slope has 16 bits, and wraps around where two entries are further apart.
    """
    place, rest = 256 + (x >> 7), x & 127
    slope = (table[place + 1] - table[place]).astype(np.int16).astype(np.int64)
    return (table[place] + ((slope * rest + 64) >> 7)).astype(np.int16).astype(np.int64)


def _sigmoid_of_int16(x: Array, given: Tensor | None, *, finer: int) -> Array:
    """``sigmoid(x)``, or, with ``finer`` 1, ``tanh(x) = 2 sigmoid(2 x) - 1``. int16 -> int16 of scale 1/32768. (...).

    By a table of sigmoid(i / 24), with straight lines between; x is first brought to the scale 1 / (3 2^12).
    """
    [(scale, _)] = affines(given)
    table = _sigmoid_table()
    multiplier, right = _to_twelfths(scale, finer)
    value = (x.astype(np.int64) * multiplier + ((1 << right) >> 1)) >> right
    bits = 9 - finer
    place, rest = np.abs(value) >> bits, np.abs(value) & ((1 << bits) - 1)
    entry = np.minimum(place, 254)
    line = (table[entry] << bits) + rest * (table[entry + 1] - table[entry])
    if not finer:
        line = np.where(place >= 255, 0x7FFF << 10, line)
        return (np.where(value >= 0, line + (1 << 9), (1 << 25) - line + (1 << 9) - 1) >> 10).astype(np.int16)
    line = np.where(place >= 255, 0xFFFF << 8, line)
    return (np.where(value >= 0, line - (1 << 23) + (1 << 7), -line + (1 << 23) + (1 << 7) - 1) >> 8).astype(np.int16)


@cache
def _sigmoid_table() -> Array:
    """``65536 sigmoid(i / 24)``, raised by half of what a straight line is off by in the middle. -> (256,).

    The formula was found from LiteRT's table (``sigmoid_table_uint16``), which it gives to the last bit.
    """
    places = np.arange(256)
    values, following, middle = (65536 / (1 + np.exp(-(places + t) / 24)) for t in (0, 1, 0.5))
    table = np.round(values + (middle - (values + following) / 2) / 2).astype(np.int64)
    table[255] = 65535
    return table


def _to_twelfths(scale: np.float32, finer: int) -> tuple[int, int]:
    """``scale 2^12 3`` as an integer and a shift to the right; exact where the scale is 2^-12, or for tanh 2^-11."""
    logarithm = np.log2(scale)
    left = 12 + int(np.round(logarithm))
    if abs(logarithm - np.round(logarithm)) < 1e-3 and 0 <= left <= finer:
        return 3 << left, 0
    multiplier, right = float(scale) * 4096 * 3, 0
    while multiplier <= 32767 / 2 and right <= 30:
        multiplier, right = multiplier * 2, right + 1
    return int(multiplier), right
