"""What the compiled training steps of a head work on, and in: arrays by name.

NumPy makes them all: numba would compile each of NumPy's functions that a kernel calls, 0.1 to 0.3 s for each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.gate import gates
from tflite_transfer.reference.kernels.head_products import PACKED, SLICE, STEP, TILE

Array = NDArray[Any]


class Head(NamedTuple):
    """The parameters, or one number for each of them. C-contiguous float32.

    The weights lie transposed to the file's ``ws``: then each class is one run of memory, as each example is.
    """

    wt: Array  # (C, F); flat in the loop
    bs: Array  # (C,)


class AdamSlots(NamedTuple):
    """What Adam keeps between steps."""

    mean: Head
    square: Head
    step: Array  # (1,), float32: the steps taken


class Room(NamedTuple):
    """The memory that a thread's step works in, all of it flat."""

    d: Array  # a batch's logits, then its errors: see ``logits``
    p: Array  # an example's probabilities; zeros after them fill the last tile
    g: Array  # the gradient of four classes of a slice
    g_bs: Array
    panel: Array  # a packed slice, to write to
    packed: Array  # the same memory, to read: read-only as x is, so that ``gradient`` is compiled for one type
    places: Array  # where in it each example begins
    late: Array  # where the second half of each example of the coming batch begins


class Share(NamedTuple):
    """Which features a thread has a step's sums and updates of, and where threads meet."""

    thread: int
    first: int  # feature, where a slice begins
    last: int
    gates: Array
    board: Array  # (2, slices, d): each slice's part of the logits, of this step and the one before or after it


def slice_width(features: int) -> int:
    """Features of a slice: whole vectors of the gradient's inner loop."""
    return min(SLICE, -(-features // STEP) * STEP)


def slices(features: int) -> int:
    """How many there are."""
    return -(-features // slice_width(features))


def shares(rows: int, classes: int, features: int, threads: int) -> list[Share]:
    """Whole slices for each thread, so that sums have the same parts whatever their number."""
    width, count = slice_width(features), slices(features)
    sums = -(-classes // TILE) * TILE * rows
    board = np.empty(2 * count * sums if threads > 1 else 0, np.float32)
    edges = [min(n * count // threads * width, features) for n in range(threads + 1)]
    where = gates(threads)
    return [Share(n, edges[n], edges[n + 1], where, board) for n in range(threads)]


def room_for(examples: int, rows: int, classes: int, features: int) -> Room:
    """For batches of so many examples, which ``rows`` fill up to whole tiles."""
    width = slice_width(features)
    whole = -(-classes // TILE) * TILE  # classes
    panel = np.empty(examples * (width if classes > PACKED else STEP), np.float32)
    packed = panel.view()
    packed.flags.writeable = False
    d, g, g_bs = (np.empty(size, np.float32) for size in (whole * rows, TILE * width, classes))
    p = np.zeros(whole, np.float32)
    return Room(d, p, g, g_bs, panel, packed, np.arange(examples) * STEP, np.empty(rows, np.int64))
