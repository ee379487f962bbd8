"""From logits to errors: softmax, cross-entropy and their gradient ``(p - y) / B``, example by example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import REORDER, part
from tflite_transfer.reference.kernels.head_products import TILE
from tflite_transfer.reference.kernels.softmax import exponentials, total

Array = NDArray[Any]

# Errors below this count as 0. Their products are denormal numbers, which are slow: with logits 90 apart a step took
# up to 7,400 us instead of 600. A weight would move by 1e-30 of the rate, by Adam with epsilon 1e-8 by 1e-22.
NOTHING = np.float32(1e-30)


@part()
def errors(
    d: Array, p: Array, labels: Array, bs: Array, divisor: np.float32, nothing: np.float32, g_bs: Array
) -> float:
    """Logits to errors: ``d <- (softmax(d + bs) - y) / divisor``, 0 for what fills the tiles. -> mean loss."""
    examples, classes = labels.size, bs.size
    across = d.size // p.size * TILE  # numbers of a tile of classes
    for c in range(classes):
        g_bs[c] = np.float32(0)
    loss: Any = 0.0
    for i in range(examples):
        at = i * TILE
        for c in range(classes):
            p[c] = d[c // TILE * across + at + c % TILE] + bs[c]
        top, label = _largest(p, classes), labels[i]
        gap = top - p[label]
        q = p[:classes]
        for c in range(exponentials(q, top, np.float32(1), q), classes):
            p[c] = math.exp(p[c] - top)
        whole = total(q)
        loss += math.log(whole) + gap
        for c in range(classes):
            p[c] /= np.float32(whole)
        p[label] -= np.float32(1)
        for c in range(classes):
            g_bs[c] += p[c]
            p[c] = np.float32(0) if abs(p[c]) < nothing else p[c] / divisor
        for c in range(p.size):
            d[c // TILE * across + at + c % TILE] = p[c]
    for c in range(classes):
        g_bs[c] /= np.float32(examples)
    return loss / examples


@part(fastmath=REORDER)
def _largest(p: Array, count: int) -> np.float32:
    """The largest number: of few classes sooner than by vectors."""
    top = p[0]
    for c in range(count):
        top = max(top, p[c])
    return top
