"""Convolutions of stored integers: exact sums, then one change of scale for each output channel.

The sums are the plain functions' in float64, where every whole number below 2^53 is exact: BLAS is as fast as it gets.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops import conv
from tflite_transfer.reference.ops.linear import one_each
from tflite_transfer.reference.ops.pieces import Pieces, in_pieces, is_large
from tflite_transfer.reference.ops.quantized.affine import Tensors, affines, centred, finish, same_type
from tflite_transfer.reference.ops.quantized.fixed_point import (
    Multiplier,
    multiply,
    multiply_wide,
    quantize_multiplier,
    wrap,
)
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    padding: str,
    stride_h: int,
    stride_w: int,
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
    activation: str = "NONE",
) -> Array:
    """``y = s_x s_w / s_y (sum_ij (x_ij - z_x) (w_ij - z_w)^T + b) + z_y``. Shapes as in ``ops/conv.py``.

    Padding is a zero after x is centred: the real number 0.
    """
    window: dict[str, Any] = {"padding": padding, "stride_h": stride_h, "stride_w": stride_w}
    window |= {"dilation_h_factor": dilation_h_factor, "dilation_w_factor": dilation_w_factor}
    by = quantize_multiplier(rescale(inputs, outputs[0], axis=0))
    total = conv.conv_2d(whole(x, inputs[0]), whole(filters, inputs[1]), **window)
    return scaled(total, bias, by, outputs[0], activation)


def depthwise_conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    padding: str,
    stride_h: int,
    stride_w: int,
    depth_multiplier: int = 0,
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
    activation: str = "NONE",
) -> Array:
    """The same, each channel alone. Shapes as in ``ops/conv.py``; scales, where several, are the last axis's."""
    window: dict[str, Any] = {"padding": padding, "stride_h": stride_h, "stride_w": stride_w}
    window |= {"dilation_h_factor": dilation_h_factor, "dilation_w_factor": dilation_w_factor}
    if outputs[0].type == "INT16" and bias is not None and bias.dtype != np.int64:
        raise ValueError(f"int16 with a bias of type {bias.dtype}")
    by = quantize_multiplier(rescale(inputs, outputs[0], axis=3))
    total = conv.depthwise_conv_2d(whole(x, inputs[0]), whole(filters, inputs[1]), **window)
    return scaled(total, bias, by, outputs[0], activation)


def whole(x: Array, tensor: Tensor | None) -> Array:
    """``stored - zero_point`` in float64; with scales for each channel, the zero points are 0. (...) -> (...)."""
    quantization = tensor.quantization if tensor is not None else None
    if tensor is None or quantization is None or quantization.scale.size == 0:
        raise ValueError(f"{tensor.name if tensor else 'a missing input'!r} has no scale")
    if quantization.scale.size > 1 and quantization.zero_point.any():
        raise ValueError(f"{tensor.name!r} has scales for each channel, and zero points other than 0")
    return centred(x, int(quantization.zero_point.reshape(-1)[0])).astype(np.float64)


def rescale(
    inputs: Tensors, output: Tensor, axis: int, *, kinds: tuple[str, ...] = ("INT8",), narrow: bool = True
) -> Array:
    """``s_x s_w / s_y`` in double, one number or one for each index of ``axis``.

    Raises ValueError where types, scales or zero points do not go together.

    Parameters
    ----------
    kinds : the types of weights that int16 may have
    narrow : of uint8 ``s_x s_w`` is float32
    """
    x, weights, bias = inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
    kind = same_type(x, output)
    stored = weights.quantization if weights is not None else None
    if weights is None or stored is None or weights.type not in (kinds if kind == "INT16" else (kind,)):
        raise ValueError(f"weights for {kind} are missing or of another type")
    a, b = affines(x, output)
    scales = stored.scale
    if scales.size > 1 and (kind == "UINT8" or stored.axis != axis or scales.size != weights.shape[axis]):
        raise ValueError(f"{scales.size} scales along axis {stored.axis} of {kind} weights {weights.shape}")
    if kind == "UINT8":
        check_bias(bias, a.scale, scales[0], b.scale)
    if kind == "UINT8" and narrow:
        return (a.scale * scales).astype(np.float64) / np.float64(b.scale)
    return np.float64(a.scale) * scales.astype(np.float64) / np.float64(b.scale)


def check_bias(bias: Tensor | None, x: np.float32, weights: np.float32, y: np.float32) -> None:
    """The bias has the scale of the products, or nearly: to 0.02 of an output's step."""
    if bias is None:
        return
    scale = float(bias.quantization.scale[0]) if bias.quantization and bias.quantization.scale.size == 1 else 0.0
    if abs(float(x) * float(weights) - scale) / float(y) > 0.02:
        raise ValueError(f"the bias has scale {scale}, and the products {float(x) * float(weights)}")


def scaled(total: Array, bias: Array | None, by: Multiplier, output: Tensor, activation: str) -> Array:
    """``by (total + bias) + zero_point``, clamped. (..., O) -> (..., O).

    Sums have 32 bits; of int16 64, unless the bias has 32.
    """
    how = Pieces(64, whole=1)
    function = partial(_scaled, bias=bias, by=by, output=output, activation=activation)
    return in_pieces(function, (total,), how, output.dtype) if is_large((total,), how) else function(total)


def _scaled(total: Array, bias: Array | None, by: Multiplier, output: Tensor, activation: str) -> Array:
    total = with_bias(total.astype(np.int64), bias, output)
    narrow = output.type != "INT16" or (bias is not None and bias.dtype == np.int32)
    return finish(multiply(wrap(total), by) if narrow else multiply_wide(total, by), output, activation)


def with_bias(total: Array, bias: Array | None, output: Tensor) -> Array:
    """``total + bias``; the bias is int32, of int16 tensors also int64. (..., O), (O,)? -> (..., O)."""
    if bias is None:
        return total
    if bias.dtype != np.int32 and (bias.dtype != np.int64 or output.type != "INT16"):
        raise ValueError(f"{output.type} with a bias of type {bias.dtype}")
    return total + one_each(bias, total.shape[-1])
