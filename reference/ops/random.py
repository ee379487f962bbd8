"""Random numbers: Philox's stream, of which each operator has its own, and which goes on from run to run.

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". A block of four numbers is a hash of the block's
place, by a key; TensorFlow takes ``seed`` for the key and ``seed2`` for the upper half of the first place. With both
seeds 0 the operating system gives them. LiteRT keeps 32 bits of a seed, as a signed number.
"""

from __future__ import annotations

import math
import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import in_time, numbers, within_limit
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint32)  # the golden ratio and the square root of 3, less 1
_ROUNDS = 10


def philox(key: int, place: int, blocks: int) -> Array:
    """Philox4x32-10: the blocks from ``place`` on, of a key of 64 bits and a place of 128. -> (blocks, 4) uint32."""
    keys = np.array([key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF], np.uint32)
    low = np.uint64(place & 0xFFFFFFFFFFFFFFFF) + np.arange(blocks, dtype=np.uint64)
    high = np.uint64(place >> 64 & 0xFFFFFFFFFFFFFFFF) + (low < np.uint64(place & 0xFFFFFFFFFFFFFFFF))
    c = np.stack([low, low >> np.uint64(32), high, high >> np.uint64(32)], axis=1).astype(np.uint32)
    for _ in range(_ROUNDS):
        product = c[:, ::2] * _MULTIPLIERS  # of the first number and of the third
        upper, lower = (product >> np.uint64(32)).astype(np.uint32), product.astype(np.uint32)
        c[:, ::2] = upper[:, ::-1] ^ c[:, 1::2] ^ keys
        c[:, 1::2] = lower[:, ::-1]
        keys = keys + _WEYL
    return c


def random_uniform(
    shape: Array,
    *,
    seed: int = 0,
    seed2: int = 0,
    outputs: tuple[Tensor, ...],
    run: Any,
    place: tuple[int, int],
) -> Array:
    """Numbers of [0, 1), 23 bits each. (rank,) -> ``shape``."""
    sizes = _sizes(shape, outputs[0])
    blocks = -(-math.prod(sizes) // 4)
    drawn = _draw(run.memory.streams, place, (seed, seed2), blocks)
    return _uniform(drawn.reshape(-1)[: math.prod(sizes)].reshape(sizes)).astype(outputs[0].dtype)


def random_standard_normal(
    shape: Array,
    *,
    seed: int = 0,
    seed2: int = 0,
    outputs: tuple[Tensor, ...],
    run: Any,
    place: tuple[int, int],
) -> Array:
    """``sqrt(-2 log u) sin 2 pi v`` and ``cos``, in turns: Box and Muller's normal numbers. (rank,) -> ``shape``.

    The functions are taken in double and rounded once each.
    """
    sizes, dtype = _sizes(shape, outputs[0]), outputs[0].dtype
    blocks = -(-math.prod(sizes) // 4)
    drawn = _uniform(_draw(run.memory.streams, place, (seed, seed2), blocks)).astype(np.float64)
    length = np.sqrt(-2 * np.log(np.maximum(drawn[:, ::2], np.float32(1e-7))).astype(dtype))
    angle = (2 * np.pi * drawn[:, 1::2]).astype(dtype).astype(np.float64)
    normal = np.stack([np.sin(angle).astype(dtype) * length, np.cos(angle).astype(dtype) * length], axis=-1)
    return normal.reshape(-1)[: math.prod(sizes)].reshape(sizes)


def multinomial(
    logits: Array,
    count: Array,
    *,
    seed: int = 0,
    seed2: int = 0,
    outputs: tuple[Tensor, ...],
    run: Any,
    place: tuple[int, int],
) -> Array:
    """Classes drawn with the odds ``exp(logits)``; one that is not finite is never drawn, of none it is C.

    (B, C), () -> (B, n). The first class whose running sum of odds is above ``u`` of the whole, u in [0, 1) of 52 bits.
    As in TensorFlow the stream then goes on far behind what was drawn: 512 blocks for each number of a row, rounded up
    to whole blocks.
    """
    if count.ndim > 0 or count.dtype != np.int32:
        raise ValueError(f"the number to draw is of type {count.dtype} and shape {count.shape}")
    samples = int(count)
    if logits.ndim != 2 or logits.shape[1] == 0 or samples < 0 or outputs[0].type not in ("INT32", "INT64"):
        raise ValueError(f"{samples} classes drawn as {outputs[0].type} from logits of shape {logits.shape}")
    rows = len(logits)
    within_limit((rows, max(samples, 1), 4), 8)
    ahead = rows * (-(-samples // 4) * 4) * 512
    drawn = _draw(run.memory.streams, place, (seed, seed2), -(-rows * samples // 2), ahead).reshape(-1, 2)
    bits = (drawn[:, 0].astype(np.uint64) & np.uint64(0xFFFFF)) << np.uint64(32) | drawn[:, 1]
    u = ((np.uint64(1023) << np.uint64(52) | bits).view(np.float64) - 1)[: rows * samples].reshape(rows, samples)
    finite, wide = np.isfinite(logits), logits.astype(np.float64)
    largest = np.where(finite, wide, np.finfo(np.float32).min).max(axis=1, keepdims=True)
    sums = np.where(finite, np.exp(wide - largest), 0).cumsum(axis=1)
    found = np.empty((rows, samples), outputs[0].dtype)
    for n, (row, x) in enumerate(zip(sums, u, strict=True)):
        in_time()
        found[n] = np.searchsorted(row, x * row[-1], side="right")
    return found


def _draw(
    streams: dict[tuple[int, int], Any], place: tuple[int, int], seeds: tuple[int, int], blocks: int, ahead: int = 0
) -> Array:
    """The next blocks of an operator's stream, which goes on behind them, or so far ahead. -> (blocks, 4)."""
    if place not in streams:
        key, upper = (((s & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000 for s in seeds)
        if key == upper == 0:
            key, upper = secrets.randbits(64), secrets.randbits(64)
        streams[place] = key, (upper & 0xFFFFFFFFFFFFFFFF) << 64
    key, at = streams[place]
    streams[place] = key, at + (ahead or blocks)
    return philox(key, at, blocks)


def _uniform(drawn: Array) -> Array:
    """The lower 23 bits as the fraction of a float32 in [1, 2), less 1. (...) -> (...)."""
    return (drawn & np.uint32(0x7FFFFF) | np.uint32(127 << 23)).view(np.float32) - np.float32(1)


def _sizes(shape: Array, output: Tensor) -> tuple[int, ...]:
    sizes = numbers(shape)
    if shape.ndim != 1 or shape.dtype != np.int32 or (shape < 0).any() or output.dtype.kind != "f":
        raise ValueError(f"random numbers of type {output.type} for the {shape.dtype} shape {sizes}")
    within_limit(sizes, 16)
    return tuple(sizes)
