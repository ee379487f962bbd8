"""SOFTMAX and LOG_SOFTMAX of float32, row by row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import REORDER, kernel, part
from tflite_transfer.reference.kernels.exponential import exponential
from tflite_transfer.reference.kernels.threads import Part, each
from tflite_transfer.reference.kernels.vector import WIDTH, first, lanes, larger, load, minus, most, store, times
from tflite_transfer.reference.ops import reduce
from tflite_transfer.reference.ops.limit import within_limit

Array = NDArray[Any]

TERMS = 4  # of ``each``: an exponential takes as long as so many multiply-adds


def softmax(z: Array, *, beta: float = 1.0) -> Array:
    """``ops.reduce.softmax``. (..., C) -> (..., C)."""
    if z.dtype != np.float32 or beta <= 0 or z.size == 0:
        return reduce.softmax(z, beta=beta)
    return _rows(_softmax, z, np.float32(beta))


def log_softmax(z: Array) -> Array:
    """``ops.reduce.log_softmax``. (..., C) -> (..., C)."""
    if z.dtype != np.float32 or z.size == 0:
        return reduce.log_softmax(z)
    return _rows(_log_softmax, z)


def _rows(compiled: Callable[..., None], z: Array, *more: np.float32) -> Array:
    """A copy of z, changed in place row by row."""
    classes = z.shape[-1]
    within_limit((z.size // classes + 1, classes))  # the result, and a row to work in
    y = np.array(z, order="C")
    numbers = y.reshape(-1)

    def work(rows: Part) -> None:
        compiled(numbers[rows[0] * classes : rows[1] * classes], np.empty(classes, np.float32), *more)

    each(z.size // classes, TERMS * classes, work)
    return y


@kernel()
def _softmax(z: Array, room: Array, beta: np.float32) -> None:
    for at in range(0, z.size, room.size):
        row = z[at : at + room.size]
        _exponentials(row, largest(row), beta, row)
        whole = np.float32(total(row))
        for c in range(row.size):
            row[c] /= whole


@kernel()
def _log_softmax(z: Array, room: Array) -> None:
    for at in range(0, z.size, room.size):
        row = z[at : at + room.size]
        top = largest(row)
        _exponentials(row, top, np.float32(1), room)
        gap = np.float32(math.log(total(room)))
        for c in range(row.size):
            row[c] = row[c] - top - gap


@part()
def _exponentials(z: Array, top: np.float32, beta: np.float32, y: Array) -> None:
    """``y <- exp(beta (z - top))``. (n,)."""
    for c in range(exponentials(z, top, beta, y), z.size):
        y[c] = first(exponential(lanes((z[c] - top) * beta)))


@part()
def exponentials(z: Array, top: np.float32, beta: np.float32, y: Array) -> int:
    """``y <- exp(beta (z - top))`` of whole vectors, as many as there are. (n,) -> how many numbers are done."""
    tops, betas, whole = lanes(top), lanes(beta), z.size // WIDTH * WIDTH
    for c in range(0, whole, WIDTH):
        store(y, c, exponential(times(minus(load(z, c), tops), betas)))
    return whole


@part()
def largest(z: Array) -> np.float32:
    """The largest number. (n,)."""
    top, whole = z[0], z.size // WIDTH * WIDTH
    if whole:
        tops = load(z, 0)
        for c in range(0, whole, WIDTH):
            tops = larger(load(z, c), tops)
        top = most(tops)
    for c in range(whole, z.size):
        top = max(top, z[c])
    return top


@part(fastmath=REORDER)
def total(z: Array) -> float:
    """The sum, in double. (n,)."""
    whole = 0.0
    for c in range(z.size):
        whole += z[c]
    return whole
