"""Operators that cut an array into several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def split(axis: Array, x: Array, *, num_splits: int, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
    """Equal parts along an axis. (), (..., m n, ...) -> m times (..., n, ...)."""
    if num_splits != len(outputs):
        raise ValueError(f"num_splits is {num_splits}, and there are {len(outputs)} outputs")
    return tuple(np.split(x, num_splits, int(axis.reshape(()))))


def split_v(x: Array, sizes: Array, axis: Array, *, num_splits: int, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
    """Parts of the given sizes along an axis, one of them -1 for what is left. (..., N, ...) -> (..., n_i, ...)."""
    if not num_splits == sizes.size == len(outputs):
        raise ValueError(f"num_splits is {num_splits}, there are {sizes.size} sizes and {len(outputs)} outputs")
    along, parts = int(axis.reshape(())), sizes.reshape(-1).tolist()
    if parts.count(-1) == 1:
        parts[parts.index(-1)] = x.shape[along] - sum(parts) - 1
    if min(parts) < 0 or sum(parts) != x.shape[along]:
        raise ValueError(f"{x.shape[along]} is to be split into {sizes.tolist()}")
    return tuple(np.split(x, np.cumsum(parts[:-1], dtype=int), along))


def unpack(x: Array, *, num: int, axis: int = 0) -> tuple[Array, ...]:
    """The slices along an axis, without it. (..., n, ...) -> n times (...)."""
    if x.shape[axis] != num:
        raise ValueError(f"num is {num}, and axis {axis} has size {x.shape[axis]}")
    return tuple(np.moveaxis(x, axis, 0))
