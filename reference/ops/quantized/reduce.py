"""Reductions of stored integers over the axes that the second input names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops import reduce
from tflite_transfer.reference.ops.limit import in_time
from tflite_transfer.reference.ops.quantized.affine import Tensors, affine, affines, centred, finish, same_scale
from tflite_transfer.reference.ops.quantized.fixed_point import (
    Multiplier,
    multiply,
    multiply_wide,
    quantize_multiplier,
    wrap,
)
from tflite_transfer.reference.ops.reduce import axes_of
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def mean(x: Array, axes: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], keep_dims: bool = False) -> Array:
    """The mean over ``axes``: the sum, times a multiplier that 1/n went into, cut off. (...) -> (...)."""
    by, over = _rescale(inputs, outputs[0]), axes_of(x, axes)
    count = math.prod(x.shape[a] for a in over)
    if count == 0:
        return np.zeros(x.sum(axis=over, keepdims=keep_dims).shape, x.dtype)
    bits = min(count.bit_length() - 1, 32, 31 + int(by.shift))
    share = Multiplier((by.mantissa << bits) // count, by.shift - bits)
    total = x.sum(axis=over, keepdims=keep_dims, dtype=np.int64) - count * affine(inputs[0]).zero
    return finish(multiply(wrap(total), share), outputs[0])


def total(x: Array, axes: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], keep_dims: bool = False) -> Array:
    """The sum over ``axes``. (...) -> (...)."""
    by = _rescale(inputs, outputs[0])
    whole = centred(x, affine(inputs[0]).zero).sum(axis=axes_of(x, axes), keepdims=keep_dims)
    return finish(multiply(wrap(whole), by), outputs[0])


def _rescale(inputs: Tensors, output: Tensor) -> Multiplier:
    x, y = affines(inputs[0], output)
    return quantize_multiplier(np.float64(x.scale) / np.float64(y.scale))


def reduce_max(
    x: Array, axes: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], keep_dims: bool = False
) -> Array:
    """The largest over ``axes``, whose scale stays. (...) -> (...)."""
    same_scale(inputs[0], outputs[0])
    return reduce.reduce_max(x, axes, keep_dims=keep_dims)


def reduce_min(
    x: Array, axes: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], keep_dims: bool = False
) -> Array:
    """The smallest over ``axes``, whose scale stays. (...) -> (...)."""
    same_scale(inputs[0], outputs[0])
    return reduce.reduce_min(x, axes, keep_dims=keep_dims)


def reduce_prod(
    x: Array, axes: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], keep_dims: bool = False
) -> Array:
    """The product of n numbers over ``axes``, of int8 and int16. (...) -> (...).

    So that it stays within 32 bits, each number multiplies it by ``s_x / s_y^(1 / n)`` too.
    """
    given, made = affines(inputs[0], outputs[0])
    if outputs[0].type == "UINT8":
        raise ValueError("LiteRT does not have this of uint8")
    over = axes_of(x, axes)
    count = math.prod(x.shape[a] for a in over)
    by = quantize_multiplier(float(given.scale) / float(made.scale) ** (1 / count))
    last = np.moveaxis(centred(x, given.zero), over, range(x.ndim - len(over), x.ndim))
    factors = last.reshape(*last.shape[: x.ndim - len(over)], count)
    product = factors[..., 0]
    for i in range(1, count):
        in_time()
        product = multiply_wide(product * factors[..., i], by)
    shape = x.sum(axis=over, keepdims=keep_dims).shape
    return finish(multiply_wide(product, by), outputs[0]).reshape(shape)
