"""Functions of one stored integer that are straight lines, or nearly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.quantized.affine import Tensors, affine, affines, centred, finish, same_type
from tflite_transfer.reference.ops.quantized.fixed_point import (
    doubling_high_multiply,
    multiply,
    quantize_multiplier,
    rounding_divide_by_power,
)
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def relu(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``max(x, 0)``. (...) -> (...)."""
    return finish(_rescaled(x, inputs[0], outputs[0]), outputs[0], "RELU")


def relu6(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``min(max(x, 0), 6)``. (...) -> (...)."""
    return finish(_rescaled(x, inputs[0], outputs[0]), outputs[0], "RELU6")


def relu_n1_to_1(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``min(max(x, -1), 1)``, not of int16. (...) -> (...)."""
    if outputs[0].type == "INT16":
        raise ValueError("LiteRT does not have this of int16")
    return finish(_rescaled(x, inputs[0], outputs[0]), outputs[0], "RELU_N1_TO_1")


def relu_0_to_1(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``min(max(x, 0), 1)``, not of int16. (...) -> (...)."""
    if outputs[0].type == "INT16":
        raise ValueError("LiteRT does not have this of int16")
    return finish(_rescaled(x, inputs[0], outputs[0]), outputs[0], "RELU_0_TO_1")


def _rescaled(x: Array, given: Tensor | None, made: Tensor) -> Array:
    a, b = affines(given, made)
    return multiply(centred(x, a.zero), quantize_multiplier(a.scale / b.scale))


def leaky_relu(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], alpha: float) -> Array:
    """``x`` where positive, else ``alpha x``. (...) -> (...)."""
    positive = _rescaled(x, inputs[0], outputs[0])
    a, b = affine(inputs[0]), affine(outputs[0])
    slope = a.scale * np.float32(alpha) / b.scale
    negative = multiply(centred(x, a.zero), quantize_multiplier(np.abs(slope))) * (-1 if slope < 0 else 1)
    return finish(np.where(x >= a.zero, positive, negative), outputs[0])


def absolute(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``|x|``, of int8 and int16. (...) -> (...)."""
    a, b = affines(inputs[0], outputs[0])
    if x.dtype == np.uint8:
        raise ValueError("LiteRT does not have this of uint8")
    value = np.abs(centred(x, a.zero))
    return finish(value if a.scale == b.scale else multiply(value, quantize_multiplier(a.scale / b.scale)), outputs[0])


def neg(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``-x`` of the stored integers, as in LiteRT, which is right at one scale and zero points of 0. (...) -> (...)."""
    a, b = affines(inputs[0], outputs[0])
    if x.dtype == np.uint8 or a != b or a.zero:
        raise ValueError("LiteRT has this of int8 and int16, at one scale and zero points of 0")
    return -x


def hard_swish(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``x min(max(x + 3, 0), 6) / 6`` in 16 bits, of int8 and uint8. (...) -> (...).

    Source: LiteRT's ``kernels/internal/reference/hard_swish.h``; x has 7 bits more than it is stored with.
    """
    made = outputs[0]
    if same_type(inputs[0], made) == "INT16":
        raise ValueError("LiteRT does not have this of int16")
    given, fine = affine(inputs[0]), np.float32(1 / 128) * affine(inputs[0]).scale
    to_output, to_gate = _short(fine / affine(made).scale), _short(fine / np.float32(3 / 32768))
    if to_output[1] > 0:
        raise ValueError(f"the output's scale {affine(made).scale} is less than 1/128 of the input's")
    value = centred(x, given.zero) << 7
    gate = _saturated(value << max(to_gate[1] - 1, 0))
    gate = doubling_high_multiply(gate, to_gate[0], 16)
    gate = _saturated(gate << 1) if to_gate[1] > 0 else rounding_divide_by_power(gate, -to_gate[1])
    gate = (gate + (1 << 15)) >> 1  # from [-1, 1] to [0, 1]
    product = gate * doubling_high_multiply(value, to_output[0], 16)
    cut = np.sign(product) * (np.abs(product) >> 15)  # towards zero: two biases cancel
    return finish(rounding_divide_by_power(cut, -to_output[1]), made)


def _short(real: np.float32) -> tuple[Array, int]:
    """A multiplier's upper 16 bits, rounded, and its shift."""
    mantissa, shift = quantize_multiplier(real)
    return np.minimum((mantissa + (1 << 15)) >> 16, 0x7FFF), int(shift)


def _saturated(x: Array) -> Array:
    return np.clip(x, -32768, 32767)
