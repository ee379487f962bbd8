"""Softmax, its logarithm, and normalisation over the last axis, of stored integers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.quantized.affine import Tensors, affine, centred, finish, same_type
from tflite_transfer.reference.ops.quantized.fixed_point import (
    INT32_MIN,
    Multiplier,
    multiply,
    quantize_multiplier,
    rounding_divide_by_power,
    wrap,
)
from tflite_transfer.reference.ops.quantized.lookup import interpolated, table_of
from tflite_transfer.reference.ops.quantized.transcendental import (
    exponential,
    high,
    inverse_root,
    leading_zeros,
    logarithm,
    reciprocal,
)
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

_SCALES = {"INT8": (1 / 256, -128), "UINT8": (1 / 256, 0), "INT16": (1 / 32768, 0)}  # of a softmax's outputs


def softmax(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], beta: float = 1.0) -> Array:
    """``softmax(beta x)`` over the last axis; outputs have the scale 1/256, or 1/32768. (..., C) -> (..., C)."""
    made = outputs[0]
    scale, zero = _SCALES[made.type]
    if abs(affine(made).scale / scale - 1) > 0.001 or affine(made).zero != zero:
        raise ValueError(f"{made.name!r} must have the scale {scale} and the zero point {zero}")
    difference = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    if same_type(inputs[0], made) == "INT16":
        return _softmax_of_int16(difference, np.float32(affine(inputs[0]).scale) * np.float32(beta))
    powers, least = _powers(float(beta) * float(affine(inputs[0]).scale))
    counts = difference >= least
    e = powers[-difference]
    total = np.where(counts, rounding_divide_by_power(e, 12), 0).sum(axis=-1, keepdims=True)
    inverse, bits = reciprocal(total, 12)
    y = rounding_divide_by_power(high(inverse, e), bits + 31 - 8)
    info = np.iinfo(made.dtype)
    return np.where(counts, np.clip(y + info.min, info.min, info.max), info.min).astype(made.dtype)


def log_softmax(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """The logarithm of softmax over the last axis, of int8; outputs have the scale 1/16. (..., C) -> (..., C)."""
    made = outputs[0]
    if same_type(inputs[0], made) != "INT8" or affine(made) != (1 / 16, 127):
        raise ValueError(f"{made.name!r} must be int8 with the scale 1/16 and the zero point 127")
    steps, least = _steps(float(affine(inputs[0]).scale))
    difference = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    scaled = multiply(difference, steps)
    e = exponential(np.where(difference >= least, scaled, 0))
    total = np.where(difference >= least, rounding_divide_by_power(e, 12), 0).sum(axis=-1, keepdims=True)
    log_total = logarithm(total)
    back = quantize_multiplier(2.0 ** (31 - int(steps.shift)) / float(steps.mantissa))
    least = np.maximum(least - 1, multiply(log_total + INT32_MIN, back))
    y = rounding_divide_by_power(scaled - log_total, 22) + 127
    return np.where(difference > least, np.clip(y, -128, 127), -128).astype(np.int8)


def _steps(scale: float) -> tuple[Multiplier, int]:
    """What makes stored differences Q5.26, and the least difference that fits into it."""
    by = quantize_multiplier(min(scale * 2.0**26, 2.0**31 - 1))
    return by, -int(31 * 2.0 ** (26 - int(by.shift)))


@lru_cache(64)
def _powers(scale: float) -> tuple[Array, int]:
    """``e^(-scale n)`` in Q0.31 for n = 0 to 255, all that 8 bits differ by; the least -n that counts. -> (256,)."""
    steps, least = _steps(scale)
    difference = -np.arange(256)
    return exponential(np.where(difference >= least, multiply(difference, steps), 0)), least


def _softmax_of_int16(difference: Array, scale: np.float32) -> Array:
    """By two tables: ``e^x`` on [-10, 0], and ``1 / (1 + x)`` on [0, 1] for the sum's bits below its highest one."""
    step = 1 / 65535
    powers = table_of(np.exp, 10 * step, 32767, 2 * step)
    shares = table_of(lambda v: 1 / (1 + v), step, -32768, 2 * step)
    place = multiply(difference, quantize_multiplier(np.float64(scale) / (10 * step))) + 32767
    e = interpolated(np.clip(place, -32768, 32767), powers)
    total = wrap(e.sum(axis=-1, keepdims=True))
    zeros = leading_zeros(total)
    below = ((total << (zeros - 1)) + (1 << 13)) >> 14
    inverse = interpolated(np.clip(below - (1 << 15) - (1 << 16), -32768, 32767), shares)
    right = 31 - zeros
    return np.clip((e * inverse + (1 << (right - 1))) >> right, 0, 32767).astype(np.int16)


def l2_normalization(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], activation: str = "NONE") -> Array:
    """``x / |x|`` over the last axis; outputs have the scale 1/128. (..., C) -> (..., C)."""
    made = outputs[0]
    zero = {"INT8": 0, "UINT8": 128}.get(same_type(inputs[0], made))
    if affine(made) != (1 / 128, zero) or activation != "NONE":
        raise ValueError(f"{made.name!r} must have the scale 1/128, the zero point {zero}, and no activation")
    value = centred(x, affine(inputs[0]).zero)
    inverse = inverse_root((value * value).sum(axis=-1, keepdims=True))
    if made.type == "INT8":
        return finish(multiply(value, Multiplier(inverse.mantissa, inverse.shift + 7)), made)
    return finish(multiply(value * 128, inverse), made)
