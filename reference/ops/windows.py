"""Sliding windows: how far a convolution or pooling pads, and what each tap of its kernel sees.

H W image, I input channels, KH KW kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


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
    reach = (kernel - 1) * dilation + 1
    if padding == "VALID":
        return Axis(max(-(-(size - reach + 1) // stride), 0), 0, 0)
    out = -(-size // stride)
    total = max((out - 1) * stride + reach - size, 0)
    return Axis(out, total // 2, total - total // 2)


def pad_image(x: Array, rows: Axis, columns: Axis, value: float = 0.0) -> Array:
    """(B, H, W, I) with ``value`` around it; x itself where nothing is to be added."""
    if rows.before == rows.after == columns.before == columns.after == 0:
        return x
    around = ((0, 0), (rows.before, rows.after), (columns.before, columns.after), (0, 0))
    return np.pad(x, around, constant_values=x.dtype.type(value))


def taps(
    x: Array, rows: Axis, columns: Axis, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Iterator[tuple[int, int, Array]]:
    """For each kernel position (i, j): the pixels of the padded x that it meets, a view (B, OH, OW, I)."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            bottom = top + (rows.size - 1) * stride[0] + 1
            right = left + (columns.size - 1) * stride[1] + 1
            yield i, j, x[:, top : bottom : stride[0], left : right : stride[1]]
