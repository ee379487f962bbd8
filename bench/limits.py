"""The machine's own limits, measured in the same run as what is held against them."""

from __future__ import annotations

import numpy as np

from bench.timing import Side, timed
from tflite_transfer.backends.base import Array
from tflite_transfer.reference.kernels.compile import REORDER, kernel

SQUARE = 256  # rows of the matrices in ``fma_floor``: of 256 to 1024 the fastest, 45 G multiply-adds a second on Zen 3


def byte_floor(x: Array, batches: Array, weights: Array) -> Side:
    """The least that a step moves: each row of its batch read twice, ``weights`` read and written once.

    Twice, because all logits of a batch must be known before its gradient begins. x (N, F), batches (K, B).
    """
    return Side(timed(lambda: _stream(x, batches, 2, weights)), len(batches))


def stream(x: Array, batches: Array) -> Side:
    """The same rows read once, in the same order."""
    nothing = np.empty(0, np.float32)
    return Side(timed(lambda: _stream(x, batches, 1, nothing)), len(batches))


def fma_floor(count: float) -> Side:
    """So many multiply-adds of float32, at the rate of BLAS's product of small square matrices, on one thread."""
    a = np.random.default_rng(0).random((SQUARE, SQUARE), np.float32)
    out = np.empty_like(a)
    return Side(timed(lambda: np.dot(a, a, out=out)), SQUARE**3 / count)


@kernel()
def _stream(x: Array, batches: Array, passes: int, weights: Array) -> np.float32:
    """Add up the rows of each batch ``passes`` times, and change each weight. The sum keeps the reads alive.

    Four rows side by side: one after the other took 1.5 times as long, of 5 kB as of 250 kB each.
    """
    total = np.float32(0)
    last = batches.shape[1] - 1
    for k in range(len(batches)):
        rows = batches[k]
        for _ in range(passes):
            for i in range(0, rows.size, 4):
                p, q, r = rows[min(i + 1, last)], rows[min(i + 2, last)], rows[min(i + 3, last)]
                total += _sum(x[rows[i]], x[p], x[q], x[r])
        _shrink(weights)
    return total


@kernel(fastmath=REORDER)
def _sum(a: Array, b: Array, c: Array, d: Array) -> np.float32:
    p = q = r = s = np.float32(0)
    for f in range(a.size):
        p, q, r, s = p + a[f], q + b[f], r + c[f], s + d[f]
    return p + q + r + s


@kernel()
def _shrink(weights: Array) -> None:
    for f in range(weights.size):
        weights[f] *= np.float32(0.999)
