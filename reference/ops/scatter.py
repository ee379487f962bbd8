"""Operators that read or write at places that an array of indices names. No index counts from the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers, within_limit

Array = NDArray[Any]


def _rows(indices: Array, shape: tuple[int, ...]) -> Array:
    """Indices into the leading axes as numbers of rows, counted in C order. (..., K), K sizes -> (...)."""
    if indices.shape[-1] != len(shape) or (indices < 0).any() or (indices >= np.array(shape, np.int64)).any():
        raise IndexError(f"an index is out of bounds for {shape}")
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    return (indices.astype(np.int64) * np.array(strides, np.int64)).sum(-1)


def gather_nd(x: Array, indices: Array) -> Array:
    """``x[indices[..., 0], ..., indices[..., K - 1]]``. (n_0, ..., rest), (..., K) -> (..., rest)."""
    if indices.ndim == 0 or indices.shape[-1] > x.ndim:
        raise ValueError(f"indices of shape {indices.shape} into an array of {x.ndim} axes")
    k = indices.shape[-1]
    within_limit((*indices.shape[:-1], *x.shape[k:]), x.itemsize)
    return x.reshape(math.prod(x.shape[:k]), *x.shape[k:])[_rows(indices, x.shape[:k]), ...]


def scatter_nd(indices: Array, updates: Array, shape: Array) -> Array:
    """Zeros, with ``updates`` added at ``indices``, one after the other. (..., K), (..., rest) -> shape."""
    whole, k = tuple(within_limit(numbers(shape), updates.itemsize)), indices.shape[-1]
    if updates.shape != (*indices.shape[:-1], *whole[k:]):
        raise ValueError(f"updates of shape {updates.shape} at indices of shape {indices.shape} of {whole}")
    y = np.zeros((math.prod(whole[:k]), *whole[k:]), updates.dtype)
    np.add.at(y, _rows(indices, whole[:k]), updates)
    return y.reshape(whole)


def sparse_to_dense(
    indices: Array, shape: Array, values: Array, default: Array, *, validate_indices: bool = False
) -> Array:
    """``default``, with ``values`` at ``indices``; the last one stays. (), (n,) or (n, rank), shape, () or (n,)."""
    whole = tuple(within_limit(numbers(shape), values.itemsize))
    at = indices if indices.ndim == 2 else indices.reshape(-1, 1)
    y = np.full(math.prod(whole), default.reshape(()), values.dtype)
    y[_rows(at, whole)] = values
    return y.reshape(whole)


def dynamic_update_slice(x: Array, update: Array, start: Array) -> Array:
    """An array with another written into it, moved inwards to fit. (n, ...), (m, ...), (rank,) -> (n, ...)."""
    y = x.copy()
    room = np.subtract(x.shape, update.shape, dtype=np.int64) if x.ndim == update.ndim == start.size else -np.ones(1)
    if (room < 0).any():
        raise ValueError(f"an update of shape {update.shape} at {numbers(start)} of {x.shape}")
    begin = np.clip(start, 0, room).tolist()
    y[tuple(slice(b, b + m) for b, m in zip(begin, update.shape, strict=True))] = update
    return y


def stablehlo_gather(
    x: Array,
    start_indices: Array,
    *,
    offset_dims: tuple[int, ...] = (),
    collapsed_slice_dims: tuple[int, ...] = (),
    start_index_map: tuple[int, ...] = (),
    index_vector_dim: int = 0,
    slice_sizes: tuple[int, ...] = (),
    indices_are_sorted: bool = False,
) -> Array:
    """Slices of one size at places that are moved inwards until they fit. (...), (batch, K) -> (batch and offsets).

    The entries along ``index_vector_dim`` are the starts along ``start_index_map``; axes of size 1 are collapsed, the
    others go to ``offset_dims`` of the result (https://github.com/openxla/stablehlo/blob/main/docs/spec.md#gather).
    """
    if index_vector_dim == start_indices.ndim:
        start_indices = start_indices[..., None]
    starts = np.moveaxis(start_indices, index_vector_dim, -1)
    batch, sizes = starts.shape[:-1], slice_sizes or ()
    within_limit((*batch, *sizes), x.itemsize)
    within_limit((*batch, x.ndim), 8)
    index = []
    for axis, (n, size) in enumerate(zip(x.shape, sizes, strict=True)):
        if not 0 <= size <= n:
            raise ValueError(f"slices of {sizes} from an array of shape {x.shape}")
        mapped = axis in start_index_map
        begin = np.clip(starts[..., start_index_map.index(axis)], 0, n - size) if mapped else np.zeros(batch, np.int64)
        steps = np.arange(size).reshape([size if a == axis else 1 for a in range(x.ndim)])
        index.append(begin.reshape(batch + (1,) * x.ndim) + steps)
    found = x[tuple(index)].squeeze(tuple(len(batch) + a for a in collapsed_slice_dims or ()))
    return np.moveaxis(found, range(len(batch), found.ndim), offset_dims or ())
