"""Sparse constants: which places of the dense array their values have.

A constant of rank n, whose k axes are cut into blocks, has n + k levels, one within the other: the n axes in any order,
counted in blocks, then the k axes within a block. A dense level has every index. A CSR level has for each place of the
level above, number i, the indices ``indices[segments[i]:segments[i + 1]]``. What the last level leaves are the values.
``tensorflow/lite/schema/schema.fbs`` says so at SparsityParameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tflite_transfer.reference.tflite.graph import Array

_DENSE, _CSR = 0, 1


class Level(NamedTuple):
    """How many indices there are, and how many values of the dense array lie from one to the next."""

    size: int
    step: int
    csr: tuple[Array, Array] | None  # segments and indices


def dense(values: Array, shape: tuple[int, ...], sparsity: Mapping[str, Any]) -> Array:
    """The array with its zeros. Nothing is made before all counts agree. (values,) -> shape. Raises ValueError."""
    levels = checked(values.size, shape, sparsity)
    places = np.zeros(1, np.int64)
    for size, step, csr in levels:
        if csr is None:
            places = (places[:, None] + step * np.arange(size)).reshape(-1)
        else:
            places = np.repeat(places, np.diff(csr[0])) + step * csr[1]
    y = np.zeros(math.prod(shape), values.dtype)
    y[places] = values
    return y.reshape(shape)


def checked(count: int, shape: tuple[int, ...], sparsity: Mapping[str, Any]) -> list[Level]:
    """The levels of so many values, which fit together. Raises ValueError."""
    levels = _levels(shape, sparsity)
    if _count(levels) != count:
        raise ValueError(f"it has {count} values, and its indices are {_count(levels)}")
    return levels


def _levels(shape: tuple[int, ...], sparsity: Mapping[str, Any]) -> list[Level]:
    order, cut = (_numbers(sparsity[k]).tolist() for k in ("traversal_order", "block_map"))
    metadata, rank = sparsity["dim_metadata"] or [], len(shape)
    first, rest = order[:rank], order[rank:]
    fits = sorted(first) == list(range(rank)) and sorted(rest) == list(range(rank, rank + len(cut)))
    if not fits or len(metadata) != len(order) or len({a for a in cut if 0 <= a < rank}) != len(cut):
        raise ValueError(f"{len(metadata)} levels, in the order {order}, with blocks of {cut}, for {rank} axes")
    within = {cut[axis - rank]: m["dense_size"] for axis, m in zip(rest, metadata[rank:], strict=True)}
    if any(size < 1 or shape[axis] % size for axis, size in within.items()):
        raise ValueError(f"blocks of {list(within.values())} along the axes {list(within)} of {shape}")
    steps = [math.prod(shape[axis + 1 :]) for axis in range(rank)]
    outer = [(shape[a] // within.get(a, 1), steps[a] * within.get(a, 1)) for a in first]
    inner = [(size, steps[axis]) for axis, size in within.items()]
    return [_level(*level, m) for level, m in zip(outer + inner, metadata, strict=True)]


def _level(size: int, step: int, metadata: Mapping[str, Any]) -> Level:
    if metadata["format"] == _DENSE and metadata["dense_size"] == size:
        return Level(size, step, None)
    segments, indices = (_numbers((metadata[k] or {}).get("values")) for k in ("array_segments", "array_indices"))
    if metadata["format"] != _CSR or not segments.size:
        raise ValueError(f"a level of {size} indices has format {metadata['format']}, size {metadata['dense_size']}")
    if segments[0] != 0 or (np.diff(segments) < 0).any() or segments[-1] != len(indices):
        raise ValueError(f"segments that do not part {len(indices)} indices")
    rising, begins = np.diff(indices) > 0, segments[(segments > 0) & (segments < len(indices))]
    rising[begins - 1] = True
    if indices.size and not (rising.all() and 0 <= indices.min() <= indices.max() < size):
        raise ValueError(f"indices that do not ascend from 0 to {size - 1}")
    return Level(size, step, (segments, indices))


def _count(levels: Iterable[Level]) -> int:
    """How many values there are."""
    count = 1
    for size, _, csr in levels:
        if csr is not None and len(csr[0]) != count + 1:
            raise ValueError(f"{len(csr[0])} segments for {count} places")
        count = count * size if csr is None else len(csr[1])
    return count


def _numbers(values: Any) -> Array:
    return np.zeros(0, np.int64) if values is None else np.asarray(values, np.int64)
