"""Where TensorFlow's sliding windows lie: its strides, dilations and paddings by axis of the layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import within_limit
from tflite_transfer.reference.ops.windows import Axis, taps, window_axis
from tflite_transfer.reference.tflite.enums import PADDINGS

Array = NDArray[Any]


class Geometry(NamedTuple):
    """Output size and padding of both axes, and how the kernel moves."""

    rows: Axis
    columns: Axis
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]

    def padded_zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Room for the gradient of a (B, H, W, I) image with its padding. Raises ValueError for too much of it."""
        batch, height, width, depth = shape
        padded = (height + self.rows.before + self.rows.after, width + self.columns.before + self.columns.after)
        return np.zeros(within_limit((batch, *padded, depth), dtype.itemsize), dtype)

    def inside(self, padded: Array, shape: tuple[int, ...]) -> Array:
        """The image without its padding: a copy (B, H, W, I)."""
        top, left = self.rows.before, self.columns.before
        return np.ascontiguousarray(padded[:, top : top + shape[1], left : left + shape[2]])

    def taps(self, padded: Array) -> Iterator[tuple[int, int, Array]]:
        """For each kernel position (i, j): the pixels that it meets, a view (B, OH, OW, I)."""
        return taps(padded, self.rows, self.columns, self.kernel, self.stride, self.dilation)


def geometry(
    image: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int],
    data_format: str,
    output: Sequence[int] | None = None,
) -> Geometry:
    """The geometry of a (B, H, W, I) image. Raises ValueError for another layout, or an output of another size."""
    if data_format != "NHWC" or len(image) != 4 or strides[0] != 1 or strides[3] != 1:
        raise ValueError(f"windows over layout {data_format}, image {tuple(image)}, strides {tuple(strides)}")
    if padding == "EXPLICIT":
        around = (explicit_paddings[2:4], explicit_paddings[4:6])
        axes = [
            window_axis(image[n + 1] + sum(around[n]), kernel[n], strides[n + 1], dilations[n + 1], "VALID")
            for n in (0, 1)
        ]
        rows, columns = (Axis(axis.size, *extra) for axis, extra in zip(axes, around, strict=True))
    elif padding not in PADDINGS:
        raise ValueError(f"padding {padding!r}")
    else:
        rows, columns = (
            window_axis(image[n + 1], kernel[n], strides[n + 1], dilations[n + 1], padding) for n in (0, 1)
        )
    if output is not None and (len(output) != 4 or tuple(output[:3]) != (image[0], rows.size, columns.size)):
        raise ValueError(f"a gradient of shape {tuple(output)} for windows of {(image[0], rows.size, columns.size)}")
    return Geometry(rows, columns, (kernel[0], kernel[1]), (strides[1], strides[2]), (dilations[1], dilations[2]))
