"""Pooling of stored integers, whose scale stays. B examples, H W image, I channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops import pool
from tflite_transfer.reference.ops.quantized.affine import Tensors, limits, same_type
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def average_pool_2d(
    x: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    padding: str,
    stride_h: int,
    stride_w: int,
    filter_height: int,
    filter_width: int,
    activation: str = "NONE",
) -> Array:
    """The mean of each window's pixels. (B, H, W, I) -> (B, OH, OW, I).

    Of the stored integers, not of the real numbers: LiteRT rounds towards or away from the stored zero.
    """
    same_type(*inputs, outputs[0])
    kernel = {"filter_height": filter_height, "filter_width": filter_width}
    y = pool.average_pool_2d(x, padding=padding, stride_h=stride_h, stride_w=stride_w, **kernel)
    return np.clip(y, *limits(outputs[0], activation))


def max_pool_2d(
    x: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    padding: str,
    stride_h: int,
    stride_w: int,
    filter_height: int,
    filter_width: int,
    activation: str = "NONE",
) -> Array:
    """The largest of each window's pixels; padding does not count. (B, H, W, I) -> (B, OH, OW, I)."""
    same_type(*inputs, outputs[0])
    kernel = {"filter_height": filter_height, "filter_width": filter_width}
    y = pool.max_pool_2d(x, padding=padding, stride_h=stride_h, stride_w=stride_w, **kernel)
    return np.clip(y, *limits(outputs[0], activation))
