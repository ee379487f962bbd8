"""Operators that move elements, or speak of shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers, paddable, within_limit
from tflite_transfer.reference.tflite.enums import TENSOR_TYPES
from tflite_transfer.reference.tflite.graph import DTYPES

Array = NDArray[Any]


def reshape(x: Array, shape: Array | None = None, *, new_shape: tuple[int, ...] | None = None) -> Array:
    """The same elements in another shape, -1 for what is left; a second input beats the option. (...) -> (...)."""
    target = tuple(numbers(shape)) if shape is not None else new_shape or ()
    return x.reshape(() if target == (0,) and x.size == 1 else target)  # how old files ask for a scalar


def densify(x: Array) -> Array:
    """A sparse constant with its zeros, which it has since the file was read (``unpack.py``). (...) -> (...)."""
    return x


def squeeze(x: Array, *, squeeze_dims: tuple[int, ...] | None = None) -> Array:
    """Without the named axes of size 1, or without all of them. (...) -> (...)."""
    return np.squeeze(x, axis=squeeze_dims or None)


def expand_dims(x: Array, axis: Array) -> Array:
    """With a new axis of size 1. (...) -> (...)."""
    return np.expand_dims(x, int(axis.reshape(())))


def transpose(x: Array, permutation: Array) -> Array:
    """With the axes in another order. (...) -> (...)."""
    return np.transpose(x, numbers(permutation))


def shape(x: Array, *, out_type: int = 0) -> Array:
    """The sizes of x; int32, or what ``out_type`` says. (...) -> (rank,)."""
    return np.array(x.shape, DTYPES[TENSOR_TYPES[out_type]] if out_type else np.int32)


def gather(x: Array, indices: Array, *, axis: int = 0, batch_dims: int = 0) -> Array:
    """``x[indices]`` along an axis. (..., N, ...), (...) -> (...). No index counts from the end, as in LiteRT."""
    axis = axis + x.ndim if axis < 0 else axis
    batch = batch_dims + indices.ndim if batch_dims < 0 else batch_dims
    if indices.size and not 0 <= indices.min() <= indices.max() < x.shape[axis]:
        raise IndexError(f"an index is out of bounds: {indices.min()} to {indices.max()} of {x.shape[axis]}")
    within_limit((*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :]), x.itemsize)
    if batch:
        return _gather_each(x, indices, axis, batch)
    return np.asarray(np.take(x, indices, axis=axis), x.dtype)  # one text would come as bytes


def _gather_each(x: Array, indices: Array, axis: int, batch: int) -> Array:
    """``gather`` from each of a batch with indices of its own: from all in one row, with indices moved on."""
    if x.shape[:batch] != indices.shape[:batch] or axis < batch:
        raise ValueError(f"{batch} axes of indices of shape {indices.shape} do not go with {x.shape}")
    count, n = math.prod(x.shape[:batch]), x.shape[axis]
    rows = np.moveaxis(x, axis, batch)
    rest = rows.shape[batch + 1 :]
    at = indices.reshape(count, -1).astype(np.int64) + n * np.arange(count)[:, None]
    y = rows.reshape(count * n, *rest)[at].reshape(*indices.shape, *rest)
    return np.moveaxis(y, range(batch, indices.ndim), range(axis, axis + indices.ndim - batch))


def pack(*values: Array, values_count: int, axis: int = 0) -> Array:
    """The inputs along a new axis. n times (...) -> (..., n, ...)."""
    if values_count != len(values):
        raise ValueError(f"values_count is {values_count}, and there are {len(values)} inputs")
    within_limit((len(values), *values[0].shape), values[0].itemsize)
    return np.stack(values, axis=axis)


def concatenation(*values: Array, axis: int = 0) -> Array:
    """The inputs one after the other along an axis. (..., n, ...), (..., m, ...) -> (..., n + m, ...)."""
    within_limit((sum(v.size for v in values),), values[0].itemsize)
    return np.concatenate(values, axis=axis)


def pad(x: Array, paddings: Array, value: Array | None = None) -> Array:
    """With zeros, or PADV2's ``value``, around it. (...), (rank, 2) -> (...)."""
    around = numbers(paddings)
    paddable([n + before + after for n, (before, after) in zip(x.shape, around, strict=True)], x.size, x.itemsize)
    return np.pad(x, around, constant_values=x.dtype.type(0) if value is None else value.reshape(()))


def fill(dims: Array, value: Array) -> Array:
    """``value`` everywhere. (rank,), () -> dims."""
    return np.full(within_limit(numbers(dims), value.itemsize), value.reshape(()))


def slice_(x: Array, begin: Array, size: Array) -> Array:
    """``x[begin : begin + size]``, -1 for all that is left. (...) -> (...)."""
    begins, sizes = numbers(begin), numbers(size)
    if min(begins, default=0) < 0:
        raise IndexError(f"a slice begins at {begins}")
    ends = [n if s == -1 else b + s for b, s, n in zip(begins, sizes, x.shape, strict=True)]
    return x[tuple(slice(b, e) for b, e in zip(begins, ends, strict=True))]


def strided_slice(
    x: Array,
    begin: Array,
    end: Array,
    strides: Array,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    offset: bool = False,
) -> Array:
    """NumPy's ``x[begin:end:stride, ...]``; bit i of a mask changes the i-th entry. (...) -> (...).

    begin, end: the bound is left out. ellipsis: ``...``. new_axis: a new axis. shrink_axis: one element, no axis.
    """
    index: list[Any] = []
    for i, (b, e, s) in enumerate(zip(*map(numbers, (begin, end, strides)), strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            index.append(Ellipsis)
        elif new_axis_mask & bit:
            index.append(None)
        elif shrink_axis_mask & bit:
            index.append((0 if s > 0 else -1) if begin_mask & bit else b)
        else:
            last = b + e if offset else e
            index.append(slice(None if begin_mask & bit else b, None if end_mask & bit else last, s))
    return np.asarray(x[tuple(index)], x.dtype)  # one text would come as bytes
