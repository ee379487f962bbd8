"""Operators that move blocks of pixels into channels or the batch, and back.

B batch, H W image, C channels, s the block's edge.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers, paddable

Array = NDArray[Any]


def space_to_depth(x: Array, *, block_size: int) -> Array:
    """Each block of s x s pixels becomes one. (B, H, W, C) -> (B, H/s, W/s, s s C)."""
    s = _positive(block_size)
    b, h, w, c = x.shape
    return x.reshape(b, h // s, s, w // s, s, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h // s, w // s, s * s * c)


def depth_to_space(x: Array, *, block_size: int) -> Array:
    """Each pixel becomes a block of s x s. (B, H, W, s s C) -> (B, s H, s W, C)."""
    s = _positive(block_size)
    b, h, w, c = x.shape
    return x.reshape(b, h, w, s, s, c // (s * s)).transpose(0, 1, 3, 2, 4, 5).reshape(b, h * s, w * s, c // (s * s))


def space_to_batch_nd(x: Array, block: Array, paddings: Array) -> Array:
    """Pad with zeros; the positions within the blocks become images. (B, n_i.., ...) -> (B prod s, n_i / s_i.., ...).

    The inverse of a dilated convolution's gaps: image k holds every s-th pixel, beginning at the k-th.
    """
    sizes, m = [_positive(s) for s in numbers(block)], block.size
    around = [[0, 0], *numbers(paddings.reshape(m, 2)), *[[0, 0]] * (x.ndim - 1 - m)]
    paddable([n + a + b for n, (a, b) in zip(x.shape, around, strict=True)], x.size, x.itemsize)
    x = np.pad(x, around)
    batch, spatial, rest = x.shape[0], x.shape[1 : m + 1], x.shape[m + 1 :]
    blocks = [n // s for n, s in zip(spatial, sizes, strict=True)]
    cut = x.reshape(batch, *(d for pair in zip(blocks, sizes, strict=True) for d in pair), *rest)
    within, across = range(2, 2 * m + 1, 2), range(1, 2 * m, 2)
    moved = cut.transpose(*within, 0, *across, *range(2 * m + 1, cut.ndim))
    return moved.reshape(batch * math.prod(sizes), *blocks, *rest)


def batch_to_space_nd(x: Array, block: Array, crops: Array) -> Array:
    """The inverse: images become positions within blocks; crop. (B prod s, n_i.., ...) -> (B, s_i n_i.., ...)."""
    sizes, m = [_positive(s) for s in numbers(block)], block.size
    batch, spatial, rest = x.shape[0] // math.prod(sizes), x.shape[1 : m + 1], x.shape[m + 1 :]
    cut = x.reshape(*sizes, batch, *spatial, *rest)
    pairs = [axis for i in range(m) for axis in (m + 1 + i, i)]
    full = [n * s for n, s in zip(spatial, sizes, strict=True)]
    whole = cut.transpose(m, *pairs, *range(2 * m + 1, cut.ndim)).reshape(batch, *full, *rest)
    keep = []
    for n, (before, after) in zip(full, numbers(crops), strict=True):
        if min(before, after) < 0 or before + after > n:
            raise ValueError(f"{before} and {after} of {n} pixels are to be cropped")
        keep.append(slice(before, n - after))
    return whole[:, *keep]


def _positive(size: int) -> int:
    if size < 1:
        raise ValueError(f"a block of {size} pixels")
    return size
