"""Reductions over the rows that share a segment number, in the rows' order. N rows, S segments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import within_limit

Array = NDArray[Any]


def segment_sum(x: Array, segments: Array) -> Array:
    """The sum of each segment; their numbers begin at 0 and rise by 1. (N, ...), (N,) -> (S, ...)."""
    if segments.shape != x.shape[:1] or segments[:1].any() or not np.isin(np.diff(segments), (0, 1)).all():
        raise ValueError(f"{segments.shape} segments that do not rise from 0 by 1, of {x.shape[:1]} rows")
    return unsorted_segment_sum(x, segments, segments[-1:].max(initial=-1) + np.int64(1))


def unsorted_segment_sum(x: Array, segments: Array, num_segments: Array) -> Array:
    """The sum of each segment, 0 if it is empty. (N.., ...), (N..), () -> (S, ...)."""
    return _segments(np.add, 0, x, segments, num_segments)


def unsorted_segment_prod(x: Array, segments: Array, num_segments: Array) -> Array:
    """The product of each segment, 1 if it is empty. (N.., ...), (N..), () -> (S, ...)."""
    return _segments(np.multiply, 1, x, segments, num_segments)


def unsorted_segment_max(x: Array, segments: Array, num_segments: Array) -> Array:
    """The largest of each segment, the lowest finite value if it is empty. (N.., ...), (N..), () -> (S, ...)."""
    return _segments(np.maximum, _finite(x).min, x, segments, num_segments)


def unsorted_segment_min(x: Array, segments: Array, num_segments: Array) -> Array:
    """The smallest of each segment, the highest finite value if it is empty. (N.., ...), (N..), () -> (S, ...)."""
    return _segments(np.minimum, _finite(x).max, x, segments, num_segments)


def _segments(combine: np.ufunc, initial: Any, x: Array, segments: Array, num_segments: Array) -> Array:
    """Rows of a negative segment number are left out."""
    n = segments.ndim
    if segments.shape != x.shape[:n]:
        raise ValueError(f"segments of shape {segments.shape} for rows of shape {x.shape}")
    y = np.full(within_limit([int(num_segments.reshape(())), *x.shape[n:]], x.itemsize), initial, x.dtype)
    kept = segments >= 0
    combine.at(y, segments[kept], x[kept])
    return y


def _finite(x: Array) -> Any:
    return np.finfo(x.dtype) if x.dtype.kind == "f" else np.iinfo(x.dtype)
