"""Matrix products of stored integers: exact in float64, then one change of scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops import linear
from tflite_transfer.reference.ops.quantized.affine import Tensors, affine, affines, finish, round_away
from tflite_transfer.reference.ops.quantized.conv import check_bias, rescale, whole, with_bias
from tflite_transfer.reference.ops.quantized.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    multiply,
    multiply_wide,
    quantize_multiplier,
    wrap,
)
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def fully_connected(
    x: Array,
    weights: Array,
    bias: Array | None = None,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    keep_num_dims: bool = False,
    activation: str = "NONE",
) -> Array:
    """``s_x s_w / s_y ((x - z_x) (w - z_w)^T + b) + z_y``. Shapes as in ``ops/linear.py``.

    But for weights of int16 the scale changes in double, not in fixed point as in every other operator.
    """
    total = linear.fully_connected(whole(x, inputs[0]), whole(weights, inputs[1]), keep_num_dims=keep_num_dims)
    return scaled(total, bias, inputs, outputs[0], activation)


def scaled(total: Array, bias: Array | None, inputs: Tensors, output: Tensor, activation: str) -> Array:
    """``s_x s_w / s_y (total + b) + z_y``, clamped. (..., O) of float64 -> (..., O)."""
    real = rescale(inputs, output, axis=0, kinds=("INT8", "INT16"), narrow=False)
    if inputs[1] is not None and inputs[1].type == "INT16":
        wide = multiply_wide(with_bias(total.astype(np.int64), bias, output), quantize_multiplier(real))
        return finish(wide, output, activation)
    if real.size == 1:
        scales = (affine(t).scale for t in (*inputs[:2], output))
        check_bias(inputs[2] if len(inputs) > 2 else None, *scales)
    y = np.clip(round_away(with_bias(total, bias, output) * real), INT32_MIN, INT32_MAX)
    return finish(y.astype(np.int64), output, activation)


def batch_matmul(
    a: Array, b: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], adj_x: bool = False, adj_y: bool = False
) -> Array:
    """``s_a s_b / s_y (a - z_a) (b - z_b) + z_y``; ``s_a s_b`` in float32. Shapes as in ``ops/linear.py``."""
    one, two, y = (t.scale for t in affines(*inputs, outputs[0]))
    by = quantize_multiplier(np.float64(one * two) / np.float64(y))
    total = linear.batch_matmul(whole(a, inputs[0]), whole(b, inputs[1]), adj_x=adj_x, adj_y=adj_y).astype(np.int64)
    return finish(multiply_wide(total, by) if outputs[0].type == "INT16" else multiply(wrap(total), by), outputs[0])
