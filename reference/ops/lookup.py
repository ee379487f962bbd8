"""Rows of a table by number or by key, and hash tables, which outlive a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.memory import ENTRY, Handle
from tflite_transfer.reference.ops.limit import numbers, within_limit
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

_SUM, _MEAN, _SQRTN = 0, 1, 2  # EmbeddingLookupSparseOptions.combiner


def embedding_lookup(ids: Array, table: Array) -> Array:
    """``table[ids]``. (n,), (N, ...) -> (n, ...)."""
    _check(ids, table)
    within_limit((*ids.shape, *table.shape[1:]), table.itemsize)
    return table[ids]


def embedding_lookup_sparse(
    ids: Array, indices: Array, shape: Array, weights: Array, table: Array, *, combiner: int = _SUM
) -> Array:
    """``sum_j w_j table[id_j]`` over the entries of each row of a sparse matrix, by default.

    MEAN divides by ``sum_j w_j``, SQRTN by ``sqrt(sum_j w_j^2)``.
    (n,), (n, rank), (rank,), (n,), (N, ...) -> (rows.., ...).
    """
    _check(ids, table)
    if not ids.shape == weights.shape == indices.shape[:1]:
        raise ValueError(f"{ids.shape} rows with {weights.shape} weights at {indices.shape} places")
    rows = tuple(numbers(shape)[:-1])
    row = np.ravel_multi_index(tuple(indices[:, :-1].T), rows) if rows else np.zeros(len(ids), int)
    if combiner != _SUM and (np.diff(row) < 0).any():  # LiteRT divides each time that a row ends
        raise ValueError("the entries of a sparse matrix must come row by row")
    for several in (rows, ids.shape):
        within_limit((*several, *table.shape[1:]), table.itemsize)
    y = np.zeros((math.prod(rows), *table.shape[1:]), table.dtype)
    entry = (-1, *[1] * (table.ndim - 1))
    np.add.at(y, row, table[ids] * weights.reshape(entry))
    if combiner != _SUM:
        total = np.zeros(len(y), weights.dtype)
        np.add.at(total, row, weights if combiner == _MEAN else weights * weights)
        total[np.bincount(row, minlength=len(y)) == 0] = 1
        y /= (total if combiner == _MEAN else np.sqrt(total)).reshape(entry)
    return y.reshape(*rows, *table.shape[1:])


def hashtable_lookup(keys: Array, table_keys: Array, table: Array) -> tuple[Array, Array]:
    """The rows of sorted keys, 0 for keys that are not there; and which are. (n,), (N,), (N, ...) -> (n, ...), (n,)."""
    if len(table_keys) != len(table) or len(table) == 0 or (np.diff(table_keys) < 0).any():
        raise ValueError(f"{len(table)} rows with {len(table_keys)} keys, which must be sorted")
    within_limit((*keys.shape, *table.shape[1:]), table.itemsize)
    at = np.minimum(np.searchsorted(table_keys, keys), len(table) - 1)
    found, y = table_keys[at] == keys, table[at]
    y[~found] = b"" if table.dtype.kind == "O" else 0
    return y, found.astype(np.uint8)


def hashtable(*, table_id: int = 0, key_dtype: int = 0, value_dtype: int = 0, run: Any) -> Handle:
    """The table of that number, whether or not it holds something yet. The types are those of what it is given."""
    return Handle(f"table {table_id}")


def hashtable_import(handle: Handle, keys: Array, values: Array, *, run: Any) -> tuple[()]:
    """What the table holds; only the first import counts, and of equal keys the first. handle, (...), (...)."""
    if keys.shape != values.shape:
        raise ValueError(f"keys of shape {keys.shape} for values of shape {values.shape}")
    if handle.name not in run.memory.tables:
        table = dict(zip(keys.ravel().tolist()[::-1], values.ravel().tolist()[::-1], strict=True))
        run.meter.hold(ENTRY * len(table))
        run.memory.tables[handle.name] = table
    return ()


def hashtable_find(handle: Handle, keys: Array, default: Array, *, outputs: tuple[Tensor, ...], run: Any) -> Array:
    """The value of each key, ``default`` for keys that are not there. handle, (...), () -> (...)."""
    if handle.name not in run.memory.tables:
        raise LookupError(f"{handle.name} is read before anything is imported into it")
    table, otherwise = run.memory.tables[handle.name], default.ravel().tolist()[0]
    values = np.empty(keys.size, outputs[0].dtype)
    values[:] = [table.get(key, otherwise) for key in keys.ravel().tolist()]
    return values.reshape(keys.shape)


def hashtable_size(handle: Handle, *, run: Any) -> Array:
    """How many keys the table holds. handle -> (1,)."""
    return np.array([len(run.memory.tables.get(handle.name, ()))], np.int64)


def _check(ids: Array, table: Array) -> None:
    if table.ndim < 2:
        raise ValueError(f"a table of shape {table.shape}")
    if ids.size and not 0 <= ids.min() <= ids.max() < len(table):
        raise IndexError(f"a row of {len(table)} is out of bounds: {ids.min()} to {ids.max()}")
