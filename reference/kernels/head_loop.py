"""The loop of training steps: logits, softmax, gradient and optimizer, compiled into one.

A step reads its examples twice, for the logits and for the gradient, both times slice by slice over the features. The
gradient of four classes of a slice is used up at once, so that it never exists as a whole; by SGD while it is in
registers. Threads share the slices
between them, and meet once a step: when each has its part of the logits. Errors and biases are each thread's own.

NumPy's BLAS needs as long or longer for the two matrix products alone, but for many classes *and* examples (us a step
of SGD, one thread, AVX2, medians):

=====  ======  ====  =====  ===================
C      F       B     here   two products, BLAS
=====  ======  ====  =====  ===================
4      1,280   20    8      19
4      62,720  20    319    920
1000   1,280   20    1,490  1,712
32     1,280   100   335    212
1000   1,280   100   7,280  6,249
=====  ======  ====  =====  ===================
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import REORDER, kernel, part
from tflite_transfer.reference.kernels.gate import LINE, meet
from tflite_transfer.reference.kernels.head_errors import NOTHING, errors
from tflite_transfer.reference.kernels.head_products import PACKED, STEP, TILE, Descent, add_logits, gradient, pack
from tflite_transfer.reference.kernels.head_room import Head, Room, Share
from tflite_transfer.reference.kernels.optimizers import adam, bias_corrections, sgd

Array = NDArray[Any]
Scalars = tuple[np.float32, ...]

# Numba would compile ``gradient`` once more for Python's 0 and 1, whose values it knows.
ZERO: Any = np.int64(0)
ONE: Any = np.int64(1)
# Numbers of a batch, 256 kB. Smaller ones are fetched while the batch before them is computed with, one half of each
# example beside the logits, the other beside the gradient: 1,280 x 4 x 20 out of 51 MB took 12.6 us with all of it
# beside the gradient, 10.7 so, and 7.6 with one batch again and again.
HELD = 2**16
LEAST_EPSILON = np.float32(1e-12)  # with a smaller one in Adam no error counts as 0: it may move a weight by the rate


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
    share: Share,
    losses: Array,
    squares: Array,
) -> None:
    """All the steps. ``starts``: where in x each example of each batch begins; past a batch's last one, it again.

    ``slots``: AdamSlots, or None for SGD. Numba knows a tuple's length, and compiles the rule's branches alone.
    ``losses``: without the weights' squares, which are in ``squares`` (K, slices), if they are needed.
    """
    steps, examples = labels.shape
    features = head.wt.size // head.bs.size
    held = int(examples * features <= HELD)
    corrections = np.float32(1), np.float32(1)
    nothing = NOTHING
    if len(rule) > 1 and rule[-1] < LEAST_EPSILON:
        nothing = np.float32(0)
    for k in range(steps):
        rows = starts[k]
        coming = starts[min(k + 1, steps - 1) if held else k]
        for i in range(rows.size):
            room.late[i] = coming[i] + features // 2
        _logits(x, rows, coming, held, head, k, room, share)
        losses[k] = errors(room.d, room.p, labels[k], head.bs, divisor, nothing, room.g_bs)
        if len(rule) > 1:
            corrections = bias_corrections(rule, slots.step[0])
            slots.step[0] += np.float32(1)
        of_step = squares[k]
        _update_weights(x, rows, examples, held, head, slots, rule, corrections, l2, room, share, of_step)
        if len(rule) == 1:
            sgd(head.bs, room.g_bs, rule)
        else:
            adam(head.bs, room.g_bs, slots.mean.bs, slots.square.bs, rule, corrections)


@part()
def _logits(x: Array, rows: Array, coming: Array, halved: int, head: Head, k: int, room: Room, share: Share) -> None:
    """``d <- x w``, slice after slice in their order, whichever thread computed it."""
    width, size = room.g.size // TILE, room.d.size
    alone = share.gates.size == LINE
    start = k % 2 * (share.board.size // 2)
    own, apart = room.d, ZERO
    if not alone:
        own = share.board[start + share.first // width * size : start + -(-share.last // width) * size]
        apart = size
    for n in range(own.size):
        own[n] = np.float32(0)
    add_logits(x, rows, coming, halved, head.wt, head.bs.size, share.first, share.last, width, own, apart)
    if alone:
        return
    meet(share.gates, share.thread, k + 1)
    for n in range(size):
        room.d[n] = np.float32(0)
    for at in range(start, start + share.board.size // 2, size):
        of_slice = share.board[at : at + size]
        for n in range(size):
            room.d[n] += of_slice[n]


@part()
def _update_weights(
    x: Array,
    rows: Array,
    examples: int,
    held: int,
    head: Head,
    slots: Any,
    rule: Scalars,
    corrections: Scalars,
    l2: np.float32,
    room: Room,
    share: Share,
    squares: Array,
) -> None:
    """Gradient and optimizer, four classes of one slice at a time; and the sum of a slice's old squares, if needed."""
    classes, g = head.bs.size, room.g
    features, width = head.wt.size // classes, g.size // TILE
    for lo in range(share.first, share.last, width):
        hi = min(lo + width, share.last)
        rest = lo if classes > PACKED else hi - (hi - lo) % STEP
        pack(x, rows, examples, rest, hi, room.panel)
        for c in range(0, classes, TILE):
            first, count, done = c * rows.size, min(TILE, classes - c), ZERO
            if l2 != 0:
                for n in range(count):
                    squares[lo // width] += _squares(head.wt[(c + n) * features + lo : (c + n) * features + hi])
            if len(rule) == 1:
                descent = Descent(head.wt, count, c * features, features, rule[0], np.float32(2) * l2)
                done = rest - lo
            else:
                descent = None
            if held:
                gradient(x, rows, examples, ONE, room.late, room.d, first, lo, rest, g, ZERO, descent)
            else:
                gradient(x, rows, examples, ONE, None, room.d, first, lo, rest, g, ZERO, descent)
            to = rest - lo
            gradient(room.packed, room.places, examples, examples, None, room.d, first, ZERO, hi - rest, g, to, None)
            for n in range(count):
                at, end = (c + n) * features + lo + done, (c + n) * features + hi
                w, g_w = head.wt[at:end], g[n * width + done : n * width + hi - lo]
                if l2 != 0:
                    _add_decay(w, l2, g_w)
                if len(rule) == 1:
                    sgd(w, g_w, rule)
                else:
                    adam(w, g_w, slots.mean.wt[at:end], slots.square.wt[at:end], rule, corrections)


@part(fastmath=REORDER)
def _squares(w: Array) -> np.float32:
    """The sum of the squares."""
    squares = np.float32(0)
    for f in range(w.size):
        squares += w[f] * w[f]
    return squares


@part(fastmath=REORDER)
def _add_decay(w: Array, l2: np.float32, g: Array) -> None:
    """``g += 2 l2 w``."""
    twice_l2 = np.float32(2) * l2
    for f in range(w.size):
        g[f] += twice_l2 * w[f]
