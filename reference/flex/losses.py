"""Cross-entropy of softmax, with its gradient. B examples, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.head import log_softmax, softmax
from tflite_transfer.reference.ops.limit import within_limit

Array = NDArray[Any]


def softmax_cross_entropy_with_logits(z: Array, y: Array) -> tuple[Array, Array]:
    """``-sum y log softmax(z)`` and ``softmax(z) - y``. (B, C), (B, C) -> (B,), (B, C)."""
    within_limit(np.broadcast_shapes(z.shape, y.shape), z.itemsize)
    z, y = np.broadcast_arrays(z, y)
    return -(y * log_softmax(z)).sum(axis=1, dtype=z.dtype), softmax(z) - y


def sparse_softmax_cross_entropy_with_logits(z: Array, classes: Array) -> tuple[Array, Array]:
    """The same for class numbers. (B, C), (B,) -> (B,), (B, C). NaN for a class that is not there, as in TensorFlow."""
    known = (classes >= 0) & (classes < z.shape[1])
    rows = np.arange(len(z))
    column = np.where(known, classes, 0)
    loss, gradient = -log_softmax(z)[rows, column], softmax(z)
    gradient[rows, column] -= 1
    loss[~known], gradient[~known] = np.nan, np.nan
    return loss, gradient
