"""The loop of training steps: logits, softmax, gradient and optimizer, compiled into one.

A step reads its examples twice, for the logits and for the gradient, both times slice by slice over the features. The
gradient of four classes of a slice is used up at once, so that it never exists as a whole.

NumPy's BLAS needs as long or longer for the two matrix products alone, but for many classes *and* examples (us a step
of SGD, one thread, AVX2, medians):

=====  ======  ====  =====  ===================
C      F       B     here   two products, BLAS
=====  ======  ====  =====  ===================
4      1,280   20    10     19
4      62,720  20    384    794
1000   1,280   20    1,540  1,701
32     1,280   100   395    216
1000   1,280   100   7,350  6,285
=====  ======  ====  =====  ===================
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import REORDER, kernel, part
from tflite_transfer.reference.kernels.head_products import PACKED, SLICE, STEP, TILE, gradient, logits, pack
from tflite_transfer.reference.kernels.optimizers import adam, bias_corrections, sgd
from tflite_transfer.reference.kernels.softmax import exponentials, largest, total
from tflite_transfer.reference.kernels.vector import WIDTH

Array = NDArray[Any]
Scalars = tuple[np.float32, ...]

# Numba would compile ``gradient`` once more for Python's 0 and 1, whose values it knows.
ZERO: Any = np.int64(0)
ONE: Any = np.int64(1)
AHEAD = 2**16  # numbers of a batch, 256 kB: smaller ones are fetched while the batch before them is computed with
# Errors below this count as 0. Their products are denormal numbers, which are slow: with logits 90 apart a step took
# up to 7,400 us instead of 600. A weight would move by 1e-30 of the rate, by Adam with epsilon 1e-8 by 1e-22.
NOTHING = np.float32(1e-30)
LEAST_EPSILON = np.float32(1e-12)  # with a smaller one in Adam no error counts as 0: it may move a weight by the rate


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
    """The memory that a step works in, all of it flat.

    NumPy gives it: numba would compile each of NumPy's functions that a kernel calls, 0.1 to 0.3 s for each.
    """

    d: Array  # a batch's logits, then its errors: see ``logits``
    p: Array  # an example's probabilities; what fills the last vector is 0
    g: Array  # the gradient of four classes of a slice
    g_bs: Array
    panel: Array  # a packed slice, to write to
    packed: Array  # the same memory, to read: read-only as x is, so that ``gradient`` is compiled for one type
    places: Array  # where in it each example begins


def room_for(examples: int, rows: int, classes: int, features: int) -> Room:
    """For batches of so many examples, which ``rows`` fill up to whole tiles."""
    width = min(SLICE, -(-features // STEP) * STEP)
    whole = -(-classes // TILE) * TILE  # classes
    panel = np.empty(examples * (width if classes > PACKED else STEP), np.float32)
    packed = panel.view()
    packed.flags.writeable = False
    d, g, g_bs = (np.empty(size, np.float32) for size in (whole * rows, TILE * width, classes))
    p = np.empty(-(-whole // WIDTH) * WIDTH, np.float32)
    return Room(d, p, g, g_bs, panel, packed, np.arange(examples) * STEP)


@kernel()
def train(
    x: Array,
    labels: Array,
    starts: Array,
    head: Head,
    slots: Any,
    rule: Scalars,
    l2: np.float32,
    divisor: np.float32,
    room: Room,
    losses: Array,
) -> None:
    """All the steps. ``starts``: where in x each example of each batch begins; past a batch's last one, it again.

    ``slots``: AdamSlots, or None for SGD. Numba knows a tuple's length, and compiles the rule's branches alone.
    """
    steps, examples = labels.shape
    features = head.wt.size // head.bs.size
    corrections = np.float32(1), np.float32(1)
    nothing = NOTHING
    if len(rule) > 1 and rule[-1] < LEAST_EPSILON:
        nothing = np.float32(0)
    for k in range(steps):
        rows = starts[k]
        coming = starts[min(k + 1, steps - 1) if examples * features <= AHEAD else k]
        logits(x, rows, head.wt, head.bs.size, room.g.size // TILE, room.d)
        loss = _errors(room.d, room.p, labels[k], head.bs, divisor, nothing, room.g_bs)
        if len(rule) > 1:
            corrections = bias_corrections(rule, slots.step[0])
            slots.step[0] += np.float32(1)
        squares = _update_weights(x, rows, examples, coming, head, slots, rule, corrections, l2, room)
        losses[k] = np.float32(loss) + l2 * np.float32(squares)
        if len(rule) == 1:
            sgd(head.bs, room.g_bs, rule)
        else:
            adam(head.bs, room.g_bs, slots.mean.bs, slots.square.bs, rule, corrections)


@part()
def _errors(
    d: Array, p: Array, labels: Array, bs: Array, divisor: np.float32, nothing: np.float32, g_bs: Array
) -> float:
    """Logits to errors: ``d <- (softmax(d + bs) - y) / divisor``, 0 for what fills the tiles. -> mean loss."""
    examples, classes = labels.size, bs.size
    tiles = -(-classes // TILE)
    across = d.size // tiles  # numbers of a tile of classes
    for c in range(classes):
        g_bs[c] = np.float32(0)
    loss: Any = 0.0
    for i in range(examples):
        label = labels[i]
        for n in range(tiles):
            for m in range(TILE):
                p[n * TILE + m] = d[n * across + i * TILE + m]
        for c in range(classes):
            p[c] += bs[c]
        for c in range(classes, p.size):
            p[c] = -np.inf
        top = largest(p)
        gap = top - p[label]
        exponentials(p, top, np.float32(1), p)
        whole = total(p)
        loss += math.log(whole) + gap
        for c in range(p.size):
            p[c] /= np.float32(whole)
        p[label] -= np.float32(1)
        for c in range(classes):
            g_bs[c] += p[c]
        for c in range(p.size):
            p[c] = np.float32(0) if abs(p[c]) < nothing else p[c] / divisor
        for n in range(tiles):
            for m in range(TILE):
                d[n * across + i * TILE + m] = p[n * TILE + m]
    for c in range(classes):
        g_bs[c] /= np.float32(examples)
    return loss / examples


@part()
def _update_weights(
    x: Array,
    rows: Array,
    examples: int,
    coming: Array,
    head: Head,
    slots: Any,
    rule: Scalars,
    corrections: Scalars,
    l2: np.float32,
    room: Room,
) -> float:
    """Gradient and optimizer, four classes of one slice at a time. -> sum of the old weights' squares, if needed."""
    classes, g = head.bs.size, room.g
    features, width = head.wt.size // classes, g.size // TILE
    squares = 0.0
    for lo in range(0, features, width):
        hi = min(lo + width, features)
        rest = lo if classes > PACKED else hi - (hi - lo) % STEP
        pack(x, rows, examples, rest, hi, room.panel)
        for c in range(0, classes, TILE):
            errors = c * rows.size
            gradient(x, rows, examples, ONE, coming, room.d, errors, lo, rest, g, ZERO)
            gradient(
                room.packed, room.places, examples, examples, room.places, room.d, errors, ZERO, hi - rest, g, rest - lo
            )
            for n in range(min(TILE, classes - c)):
                at = (c + n) * features + lo
                to = at + hi - lo
                w, g_w = head.wt[at:to], g[n * width : n * width + hi - lo]
                if l2 != 0:
                    squares += float(_add_decay(w, l2, g_w))
                if len(rule) == 1:
                    sgd(w, g_w, rule)
                else:
                    adam(w, g_w, slots.mean.wt[at:to], slots.square.wt[at:to], rule, corrections)
    return squares


@part(fastmath=REORDER)
def _add_decay(w: Array, l2: np.float32, g: Array) -> np.float32:
    """``g += 2 l2 w``. -> sum of the squares of w."""
    squares = np.float32(0)
    twice_l2 = np.float32(2) * l2
    for f in range(w.size):
        g[f] += twice_l2 * w[f]
        squares += w[f] * w[f]
    return squares
