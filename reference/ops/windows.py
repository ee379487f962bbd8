"""Sliding windows: how far a convolution or pooling pads, and what each tap of its kernel sees.

H W image, I input channels, KH KW kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import in_time, paddable

Array = NDArray[Any]

_MOST_TAPS = 2**16  # a kernel of 256 x 256: larger ones come from damaged files


class Axis(NamedTuple):
    """One direction of a sliding window, in pixels."""

    size: int  # of the output
    before: int  # padding
    after: int


def window_axis(size: int, kernel: int, stride: int, dilation: int, padding: str) -> Axis:
    """Output size and padding along one axis.

    SAME gives ``ceil(size / stride)`` outputs; where the padding is odd, the odd pixel comes at the end.
    VALID pads nothing: ``ceil((size - reach + 1) / stride)`` outputs, reach = the pixels a dilated kernel spans.
    """
    if min(kernel, stride, dilation) < 1:
        raise ValueError(f"a window of {kernel} pixels with stride {stride} and dilation {dilation}")
    reach = (kernel - 1) * dilation + 1
    if padding == "VALID":
        if reach > size:
            raise ValueError(f"a window of {reach} pixels does not fit into {size}")
        return Axis(-(-(size - reach + 1) // stride), 0, 0)
    out = -(-size // stride)
    total = max((out - 1) * stride + reach - size, 0)
    return Axis(out, total // 2, total - total // 2)


def pad_image(x: Array, rows: Axis, columns: Axis, value: float = 0.0) -> Array:
    """(B, H, W, I) with ``value`` around it; x itself where nothing is to be added."""
    if rows.before == rows.after == columns.before == columns.after == 0:
        return x
    around = ((0, 0), (rows.before, rows.after), (columns.before, columns.after), (0, 0))
    paddable([n + a + b for n, (a, b) in zip(x.shape, around, strict=True)], x.size, x.itemsize)
    return np.pad(x, around, constant_values=x.dtype.type(value))


def taps(
    x: Array, rows: Axis, columns: Axis, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Iterator[tuple[int, int, Array]]:
    """For each kernel position (i, j): the pixels of the padded x that it meets, a view (B, OH, OW, I)."""
    if kernel[0] * kernel[1] > _MOST_TAPS:
        raise ValueError(f"a kernel of {kernel[0]} x {kernel[1]} pixels")
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            in_time()
            top, left = i * dilation[0], j * dilation[1]
            bottom = top + (rows.size - 1) * stride[0] + 1
            right = left + (columns.size - 1) * stride[1] + 1
            yield i, j, x[:, top : bottom : stride[0], left : right : stride[1]]
