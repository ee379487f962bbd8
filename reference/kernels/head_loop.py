"""The loop of training steps: logits, softmax, gradient and optimizer, compiled into one.

A step reads its examples twice, for the logits and for the gradient, both times slice by slice over the features. The
gradient of four classes of a slice is used up at once, so that it never exists as a whole.

Two matrix products by NumPy's BLAS need more time but for many classes *and* examples (us a step of SGD, one thread,
AVX-512, medians of one noisy run):

=====  ======  ====  ======  =======
C      F       B     here    BLAS
=====  ======  ====  ======  =======
4      1,280   20    17      70
4      62,720  20    954     2,058
32     1,280   100   411     501
1000   1,280   20    2,363   2,953
1000   1,280   100   9,550   6,255
=====  ======  ====  ======  =======
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import REORDER, kernel
from tflite_transfer.reference.kernels.head_products import PACKED, ROWS, SLICE, STEP, TILE, gradient, logits, pack
from tflite_transfer.reference.kernels.optimizers import adam, bias_corrections, sgd

Array = NDArray[Any]
Scalars = tuple[np.float32, ...]

AHEAD = 2**16  # numbers of a batch, 256 kB: smaller ones are fetched while the batch before them is computed with
# Errors below this count as 0. Their products are denormal numbers, which are slow: with logits 90 apart a step took
# up to 7,400 us instead of 600. A weight would move by 1e-30 of the rate, by Adam with epsilon 1e-8 by 1e-22.
NOTHING = np.float32(1e-30)
LEAST_EPSILON = np.float32(1e-12)  # with a smaller one in Adam no error counts as 0: it may move a weight by the rate


class Head(NamedTuple):
    """The parameters, or one number for each of them. C-contiguous float32.

    The weights lie transposed to the file's ``ws``: then each class is one run of memory, as each example is.
    """

    wt: Array  # (C, F)
    bs: Array  # (C,)


class AdamSlots(NamedTuple):
    """What Adam keeps between steps."""

    mean: Head
    square: Head
    step: Array  # (1,), float32: the steps taken


@kernel()
def train(
    x: Array,
    labels: Array,
    batches: Array,
    head: Head,
    slots: AdamSlots | None,
    rule: Scalars,
    l2: np.float32,
    divisor: np.float32,
) -> Array:
    """All the steps. ``d`` holds a batch's logits, then its errors: see ``logits``."""
    steps, examples = batches.shape
    classes, features = head.wt.shape
    samples, weights = x.reshape(-1), head.wt.reshape(-1)
    width = min(SLICE, -(-features // STEP) * STEP)
    losses = np.empty(steps, np.float32)
    rows = np.empty(-(-examples // ROWS) * ROWS, np.int64)
    coming = np.empty_like(rows)
    d = np.empty((-(-classes // TILE), rows.size, TILE), np.float32)
    g = np.empty((TILE, width), np.float32)
    panel = np.empty(examples * (width if classes > PACKED else STEP), np.float32)
    g_bs = np.empty_like(head.bs)
    corrections = np.float32(1), np.float32(1)
    nothing = NOTHING
    if slots is not None and rule[5] < LEAST_EPSILON:
        nothing = np.float32(0)
    for k in range(steps):
        _begin(batches[k], features, rows)
        _begin(batches[min(k + 1, steps - 1) if examples * features <= AHEAD else k], features, coming)
        logits(samples, rows, weights, features, width, d)
        loss = _errors(d, labels[k], head.bs, divisor, nothing, g_bs)
        if slots is not None:
            corrections = bias_corrections(rule, slots.step[0])
            slots.step[0] += np.float32(1)
        squares = _update_weights(samples, rows[:examples], coming, d, head.wt, slots, rule, corrections, l2, g, panel)
        losses[k] = np.float32(loss) + l2 * np.float32(squares)
        if slots is None:
            sgd(head.bs, g_bs, rule)
        else:
            adam(head.bs, g_bs, slots.mean.bs, slots.square.bs, rule, corrections)
    return losses


@kernel()
def _begin(batch: Array, features: int, rows: Array) -> None:
    """Where in x each example of a batch begins; past the last one, that example again."""
    for i in range(rows.size):
        rows[i] = batch[min(i, batch.size - 1)] * features


@kernel()
def _errors(d: Array, labels: Array, bs: Array, divisor: np.float32, nothing: np.float32, g_bs: Array) -> float:
    """Logits to errors: ``d <- (softmax(d + bs) - y) / divisor``, 0 for what fills the tiles. -> mean loss."""
    examples, classes = labels.size, bs.size
    g_bs[:] = np.float32(0)
    z = np.zeros(len(d) * TILE, np.float32)
    p = z[:classes]
    loss: Any = 0.0
    for i in range(examples):
        for c in range(classes):
            p[c] = d[c // TILE, i, c % TILE] + bs[c]
        top, label = _largest(p), labels[i]
        gap = top - p[label]
        for c in range(classes):
            p[c] = math.exp(p[c] - top)
        total = _sum(p)
        loss += math.log(total) + gap
        for c in range(classes):
            p[c] /= np.float32(total)
        p[label] -= np.float32(1)
        for c in range(classes):
            g_bs[c] += p[c]
            p[c] = np.float32(0) if abs(p[c]) < nothing else p[c] / divisor
        for c in range(z.size):
            d[c // TILE, i, c % TILE] = z[c]
    for c in range(classes):
        g_bs[c] /= np.float32(examples)
    return loss / examples


@kernel(fastmath=REORDER)
def _largest(p: Array) -> np.float32:
    """The largest number."""
    top = p[0]
    for c in range(p.size):
        top = max(top, p[c])
    return top


@kernel(fastmath=REORDER)
def _sum(p: Array) -> float:
    """The sum in double."""
    total = 0.0
    for c in range(p.size):
        total += p[c]
    return total


@kernel()
def _update_weights(
    x: Array,
    rows: Array,
    coming: Array,
    d: Array,
    wt: Array,
    slots: AdamSlots | None,
    rule: Scalars,
    corrections: Scalars,
    l2: np.float32,
    g: Array,
    panel: Array,
) -> float:
    """Gradient and optimizer, four classes of one slice at a time. -> sum of the old weights' squares, if needed."""
    classes, features = wt.shape
    width = g.shape[1]
    places = np.arange(rows.size) * STEP
    squares = 0.0
    for lo in range(0, features, width):
        hi = min(lo + width, features)
        rest = lo if classes > PACKED else hi - (hi - lo) % STEP
        pack(x, rows, rest, hi, panel)
        for c in range(0, classes, TILE):
            errors = d[c // TILE].reshape(-1)
            gradient(x, rows, 1, coming, errors, lo, rest, g, 0)
            gradient(panel, places, rows.size, places, errors, 0, hi - rest, g, rest - lo)
            for n in range(min(TILE, classes - c)):
                w, g_w = wt[c + n, lo:hi], g[n, : hi - lo]
                if l2 != 0:
                    squares += float(_add_decay(w, l2, g_w))
                if slots is None:
                    sgd(w, g_w, rule)
                else:
                    m, v = slots.mean.wt[c + n, lo:hi], slots.square.wt[c + n, lo:hi]
                    adam(w, g_w, m, v, rule, corrections)
    return squares


@kernel(fastmath=REORDER)
def _add_decay(w: Array, l2: np.float32, g: Array) -> np.float32:
    """``g += 2 l2 w``. -> sum of the squares of w."""
    squares = np.float32(0)
    twice_l2 = np.float32(2) * l2
    for f in range(w.size):
        g[f] += twice_l2 * w[f]
        squares += w[f] * w[f]
    return squares
