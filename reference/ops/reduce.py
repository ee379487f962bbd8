"""Reductions over the axes that the second input names, and running sums along one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference import head
from tflite_transfer.reference.ops.limit import numbers
from tflite_transfer.reference.tflite.enums import TENSOR_TYPES
from tflite_transfer.reference.tflite.graph import DTYPES

Array = NDArray[Any]


_WIDE = 1024  # numbers of a wide row


def axes_of(x: Array, axes: Array) -> tuple[int, ...]:
    """The axes as non-negative numbers, each once: TFLite lets a file name one twice. A single number has none."""
    return _axes_of(x.ndim, *numbers(axes.reshape(-1)))


@lru_cache  # 3 of the 7 us that a small sum took
def _axes_of(rank: int, *axes: Any) -> tuple[int, ...]:
    return tuple(sorted({int(a) + rank if a < 0 else int(a) for a in axes})) if rank else ()


def ends(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The least and the largest value of a type."""
    if dtype.kind == "b":
        return False, True
    if dtype.kind == "f":
        return -np.inf, np.inf
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def mean(x: Array, axes: Array, *, keep_dims: bool = False) -> Array:
    """The mean over ``axes``; of integers by a sum of int64, rounded towards zero. (...) -> (...)."""
    along = axes_of(x, axes)
    count = math.prod(x.shape[a] for a in along)
    if x.dtype.kind == "f":
        return _sum(x, along, keep_dims) / x.dtype.type(count)
    sums = x.sum(axis=along, keepdims=keep_dims, dtype=np.int64)
    return (sums // max(count, 1) + ((sums < 0) & (sums % max(count, 1) != 0))).astype(x.dtype)


def total(x: Array, axes: Array, *, keep_dims: bool = False) -> Array:
    """The sum over ``axes``. (...) -> (...)."""
    return _sum(x, axes_of(x, axes), keep_dims)


def _sum(x: Array, along: tuple[int, ...], keep_dims: bool) -> Array:
    """The sum, over the first axes of an image's floats in two steps: of wide rows first, then of the parts of one.

    NumPy adds row to row, and each takes it 25 ns: of 16 channels 36,864 rows took 1,020 us, and so take 75. And they
    add up to less of an error.
    """
    width = math.prod(x.shape[len(along) :]) if x.size >= 8 * _WIDE else _WIDE
    parts = _WIDE // max(width, 1)
    if parts < 2 or x.dtype.kind != "f" or along != (*range(len(along)),) or not x.flags.c_contiguous:
        return np.add.reduce(x, axis=along, dtype=x.dtype, keepdims=keep_dims)
    rows = x.reshape(-1, width)
    whole = len(rows) - len(rows) % parts
    y = rows[:whole].reshape(-1, parts * width).sum(axis=0).reshape(parts, width).sum(axis=0) + rows[whole:].sum(axis=0)
    return y.reshape((1,) * len(along) * keep_dims + x.shape[len(along) :])


def reduce_max(x: Array, axes: Array, *, keep_dims: bool = False) -> Array:
    """The largest over ``axes``; of none the least that the type has. (...) -> (...)."""
    return x.max(axis=axes_of(x, axes), keepdims=keep_dims, initial=ends(x.dtype)[0])


def reduce_min(x: Array, axes: Array, *, keep_dims: bool = False) -> Array:
    """The smallest over ``axes``; of none the largest that the type has. (...) -> (...)."""
    return x.min(axis=axes_of(x, axes), keepdims=keep_dims, initial=ends(x.dtype)[1])


def reduce_prod(x: Array, axes: Array, *, keep_dims: bool = False) -> Array:
    """The product over ``axes``. (...) -> (...)."""
    return x.prod(axis=axes_of(x, axes), keepdims=keep_dims, dtype=x.dtype)


def reduce_any(x: Array, axes: Array, *, keep_dims: bool = False) -> Array:
    """Is any true over ``axes``? (...) -> (...)."""
    return np.logical_or.reduce(x, axis=axes_of(x, axes), keepdims=keep_dims)


def reduce_all(x: Array, axes: Array, *, keep_dims: bool = False) -> Array:
    """Are all true over ``axes``? (...) -> (...)."""
    return np.logical_and.reduce(x, axis=axes_of(x, axes), keepdims=keep_dims)


def arg_max(x: Array, axis: Array, *, output_type: int = 0) -> Array:
    """Where the first of the largest is, along an axis. (..., N, ...) -> (...)."""
    return _first(x, axis, np.max, output_type)


def arg_min(x: Array, axis: Array, *, output_type: int = 0) -> Array:
    """Where the first of the smallest is, along an axis. (..., N, ...) -> (...)."""
    return _first(x, axis, np.min, output_type)


def _first(x: Array, axis: Array, best: Callable[..., Array], output_type: int) -> Array:
    """Where the first element is that equals the best. NaN is passed over; among NaN alone it is 0."""
    kind = TENSOR_TYPES[output_type]
    if kind not in ("INT32", "INT64"):
        raise ValueError(f"places are INT32 or INT64, not {kind}")
    along = int(axis.reshape(()))
    worst = ends(x.dtype)[0 if best is np.max else 1]
    numbers = x == x  # all but NaN
    found = best(np.where(numbers, x, x.dtype.type(worst)), axis=along, keepdims=True)
    return (x == found).argmax(axis=along).astype(DTYPES[kind])


def cumsum(x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False) -> Array:
    """``y_i = x_0 + ... + x_i`` along an axis; exclusive: without x_i; reverse: from the end. (...) -> (...)."""
    if x.ndim == 0:
        raise ValueError("a single number has no axis to sum along")
    along = int(axis.reshape(()))
    turned = np.flip(x, along) if reverse else x
    sums = np.cumsum(turned, axis=along, dtype=x.dtype)
    if exclusive:
        sums = np.roll(sums, 1, along)
        np.moveaxis(sums, along, 0)[:1] = 0
    return np.flip(sums, along) if reverse else sums


def softmax(z: Array, *, beta: float = 1.0) -> Array:
    """``softmax(beta z)`` over the last axis; shifted before it is scaled, for ``beta z`` may overflow. (..., C)."""
    return head.softmax((z - z.max(axis=-1, keepdims=True)) * z.dtype.type(beta))


def log_softmax(z: Array) -> Array:
    """The logarithm of softmax over the last axis, without underflow. (..., C) -> (..., C)."""
    return head.log_softmax(z)
