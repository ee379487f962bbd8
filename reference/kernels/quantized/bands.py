"""What a band of lines sees of an image of stored integers: int16, less the zero point, with zeros for the padding.

So there are no borders and no zero points any more, and what int8 could not hold, the difference of two, has room.

B H W image, I channels. A line is a row of the output.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.arguments import WindowAxis
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.vector import WIDTH

Array = NDArray[Any]

BAND = 2**16  # numbers, 128 kB, which a second-level cache keeps


@kernel()
def reach(axis: WindowAxis, outputs: int) -> int:
    """How many pixels so many outputs see along an axis."""
    return (outputs - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1


@lru_cache(1024)
def least_band(rows: WindowAxis, columns: WindowAxis, channels: int) -> tuple[int, int, int]:
    """What one line sees, as a shape."""
    return rows._replace(outputs=1).reach, columns.reach, channels


@kernel()
def most_lines(rows: WindowAxis, size: int) -> int:
    """How many lines make a band, of rows of so many numbers."""
    return min(max((BAND // size - reach(rows, 1)) // rows.stride + 1, 1), rows.outputs)


@kernel()
def empty_band(size: int) -> Array:
    """Room for so many int16, and for a vector beyond."""
    return np.empty((size + 1) // 2 + WIDTH, np.int32).view(np.int16)


@kernel()
def widen(
    x: Array, zero: np.int16, line: int, some: int, channels: int, room: int, rows: WindowAxis, columns: WindowAxis,
    band: Array,
) -> None:  # fmt: skip
    """``band <-`` what some lines see, with ``room`` for a pixel's channels. (B H W I,) -> (rows, width, room)."""
    width, height = reach(columns, columns.outputs), reach(rows, some)
    top = line % rows.outputs * rows.stride - rows.before
    start, stop = max(top, 0), min(top + height, rows.image)
    seen = min(columns.image, width - columns.before)
    if room > channels or seen < width or stop - start < height:
        band[: height * width * room] = 0
    count, across, run = stop - start, 1, seen * channels  # a row is a run
    if room > channels:
        across, run = seen, channels  # a pixel is
    elif seen == width == columns.image:
        count, run = 1, count * run  # all of it is
    for n in range(count * across):
        h, v = n // across, n % across
        at = ((line // rows.outputs * rows.image + start + h) * columns.image + v) * channels
        _subtract(x, at, run, zero, band, ((start - top + h) * width + columns.before + v) * room)


@kernel()
def _subtract(x: Array, at: int, count: int, zero: np.int16, band: Array, to: int) -> None:
    """``band[to : to + count] = x[at : at + count] - zero``."""
    wide, narrow = band[to : to + count], x[at : at + count]  # indices from 0 on, or the loop would not be vectorised
    for i in range(count):
        wide[i] = np.int16(narrow[i]) - zero
