"""Pooling over sliding windows. B examples, H W image, I channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.reduce import ends
from tflite_transfer.reference.ops.windows import pad_image, taps, window_axis

Array = NDArray[Any]


def average_pool_2d(
    x: Array, *, padding: str, stride_h: int, stride_w: int, filter_height: int, filter_width: int
) -> Array:
    """The mean of each window's pixels; padding does not count. (B, H, W, I) -> (B, OH, OW, I).

    Of whole numbers the nearest one, halves away from zero.
    """
    kernel, stride = (filter_height, filter_width), (stride_h, stride_w)
    rows = window_axis(x.shape[1], filter_height, stride_h, 1, padding)
    columns = window_axis(x.shape[2], filter_width, stride_w, 1, padding)
    wide = x if x.dtype.kind == "f" else x.astype(np.int32)
    inside = pad_image(np.ones((1, *x.shape[1:3], 1), wide.dtype), rows, columns)
    total = sum(pixels for _, _, pixels in taps(pad_image(wide, rows, columns), rows, columns, kernel, stride, (1, 1)))
    count = sum(ones for _, _, ones in taps(inside, rows, columns, kernel, stride, (1, 1)))
    if wide is x:
        return np.divide(total, count)
    return (np.sign(total) * ((np.abs(total) + count // 2) // count)).astype(x.dtype)


def l2_pool_2d(x: Array, *, padding: str, stride_h: int, stride_w: int, filter_height: int, filter_width: int) -> Array:
    """The root of the mean square of each window's pixels; padding does not count. (B, H, W, I) -> (B, OH, OW, I)."""
    kernel = {"filter_height": filter_height, "filter_width": filter_width}
    return np.sqrt(average_pool_2d(x * x, padding=padding, stride_h=stride_h, stride_w=stride_w, **kernel))


def max_pool_2d(
    x: Array, *, padding: str, stride_h: int, stride_w: int, filter_height: int, filter_width: int
) -> Array:
    """The largest of each window's pixels; padding does not count. (B, H, W, I) -> (B, OH, OW, I)."""
    kernel, stride = (filter_height, filter_width), (stride_h, stride_w)
    rows = window_axis(x.shape[1], filter_height, stride_h, 1, padding)
    columns = window_axis(x.shape[2], filter_width, stride_w, 1, padding)
    least = ends(x.dtype)[0]
    y = np.full((len(x), rows.size, columns.size, x.shape[3]), least, x.dtype)
    for _, _, pixels in taps(pad_image(x, rows, columns, least), rows, columns, kernel, stride, (1, 1)):
        np.maximum(y, pixels, out=y)
    return y
