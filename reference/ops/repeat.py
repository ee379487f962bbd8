"""Operators that repeat, mirror and reverse what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers, paddable, within_limit

Array = NDArray[Any]

_REFLECT, _SYMMETRIC = 0, 1  # MirrorPadOptions.mode


def tile(x: Array, multiples: Array) -> Array:
    """x, so many times along each axis. (n, ...), (rank,) -> (m n, ...)."""
    times = numbers(multiples)
    if len(times) != x.ndim or min(times, default=0) < 0:
        raise ValueError(f"an array of {x.ndim} axes is to be repeated {times} times")
    within_limit([n * m for n, m in zip(x.shape, times, strict=True)], x.itemsize)
    return np.tile(x, times)


def broadcast_to(x: Array, shape: Array) -> Array:
    """x, repeated along axes of size 1 and new leading ones. (...) -> shape."""
    return np.broadcast_to(x, within_limit(numbers(shape), x.itemsize)).copy()


def broadcast_args(a: Array, b: Array) -> Array:
    """The shape that two shapes are broadcast to. (n,), (m,) -> (max(n, m),)."""
    rank = max(a.size, b.size)
    a, b = (np.concatenate([np.ones(rank - s.size, s.dtype), s]) for s in (a, b))
    if not ((a == b) | (a == 1) | (b == 1)).all():
        raise ValueError(f"shapes {numbers(a)} and {numbers(b)} cannot be broadcast")
    return np.where(a == 1, b, a)


def mirror_pad(x: Array, paddings: Array, *, mode: int = _REFLECT) -> Array:
    """With its own mirror image around it; REFLECT does not repeat the edge. (...), (rank, 2) -> (...)."""
    if mode not in (_REFLECT, _SYMMETRIC):
        raise ValueError(f"the mode is {mode}")
    around, edge = numbers(paddings), 1 if mode == _REFLECT else 0
    for n, sides in zip(x.shape, around, strict=True):
        if not 0 <= min(sides) <= max(sides) <= max(n - edge, 0):
            raise ValueError(f"{n} values are to be padded by {sides}, mode {mode}")
    within_limit([n + a + b for n, (a, b) in zip(x.shape, around, strict=True)], x.itemsize)
    return np.pad(x, around, mode="reflect" if mode == _REFLECT else "symmetric")


def dilate(x: Array, dilations: Array, value: Array) -> Array:
    """With ``d - 1`` times ``value`` between neighbours along each axis. (n, ...) -> ((n - 1) d + 1, ...)."""
    steps = numbers(dilations)
    if min(steps, default=1) < 1:
        raise ValueError(f"the dilations are {steps}")
    shape = [(n - 1) * d + 1 if n else 0 for n, d in zip(x.shape, steps, strict=True)]
    y = np.full(paddable(shape, x.size), value.reshape(()), x.dtype)
    y[tuple(slice(None, None, d) for d in steps)] = x
    return y


def reverse(x: Array, axes: Array) -> Array:
    """The other way round along each of the axes. (...) -> (...)."""
    return np.flip(x, tuple(numbers(axes)))


def reverse_sequence(x: Array, lengths: Array, *, seq_dim: int = 0, batch_dim: int = 0) -> Array:
    """The first ``lengths[b]`` steps of sequence b the other way round. (..., B, ..., T, ...), (B,) -> the same."""
    if min(seq_dim, batch_dim) < 0 or seq_dim == batch_dim:
        raise ValueError(f"sequences along axis {seq_dim}, batch along axis {batch_dim}")
    if lengths.ndim != 1:
        raise ValueError(f"lengths of shape {lengths.shape}")
    sequences = np.moveaxis(x, (batch_dim, seq_dim), (0, 1))
    batch, steps = np.arange(sequences.shape[0])[:, None], np.arange(sequences.shape[1])
    n = lengths[:, None]
    if len(n) != len(batch) or (n > steps.size).any():
        raise ValueError(f"{len(batch)} sequences of {steps.size} steps, and {len(n)} lengths up to {n.max(initial=0)}")
    source = np.where(steps < n, n - 1 - steps, steps)
    return np.moveaxis(sequences[batch, source], (0, 1), (batch_dim, seq_dim))
