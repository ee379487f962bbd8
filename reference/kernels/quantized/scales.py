"""The change of scale after a sum of stored integers, worked out once from what the file says, and made by vectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.quantized.integers import load, rescaled, store
from tflite_transfer.reference.kernels.vector import WIDTH
from tflite_transfer.reference.ops.quantized.affine import affine, limits
from tflite_transfer.reference.ops.quantized.fixed_point import Multiplier
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

PANEL = 2 * WIDTH  # outputs that are stored together


class Scales(NamedTuple):
    """``min(max(x 2^left mantissa 2^-31 2^-right + zero, low), high)`` for each of n outputs."""

    rows: Array  # int32 (5 n,): ``parts``, each of all outputs
    limits: tuple[np.int16, np.int16, np.int16]  # low, high, zero


def scales(by: Multiplier, outputs: int, made: Tensor, activation: str) -> Scales | None:
    """Those of so many outputs, up to whole panels. None for what no int8 has in a sound file."""
    found = bounds(made, activation)
    if found is None:
        return None
    rows = np.zeros((5, panels(outputs) * PANEL), np.int32)
    rows[:, :outputs] = np.reshape(parts(by), (5, -1))
    return Scales(rows.reshape(-1), found)


def bounds(made: Tensor, activation: str) -> tuple[np.int16, np.int16, np.int16] | None:
    """Low, high and zero of an int8, as kernels take them; None if they are no int8."""
    numbers = *limits(made, activation), affine(made).zero
    low, high, zero = (np.int16(n) if is_byte(n) else None for n in numbers)
    return None if low is None or high is None or zero is None else (low, high, zero)


def parts(by: Multiplier) -> list[Array]:
    """Left, mantissa, right, ``2^right - 1``, and half of that."""
    left, right = np.maximum(by.shift, 0), np.maximum(-by.shift, 0)
    mask = (1 << right) - 1
    return [left, by.mantissa, right, mask, mask >> 1]


def panels(outputs: int) -> int:
    """How many panels so many outputs fill."""
    return -(-outputs // PANEL)


def zero_of(x: Tensor | None, weights: Tensor | None) -> int | None:
    """The zero point of pixels; None if it is no int8, or the weights have one: theirs are 0 in int8 files."""
    pixels, filters = (t.quantization if t is not None else None for t in (x, weights))
    if pixels is None or filters is None or pixels.zero_point.size != 1 or filters.zero_point.any():
        return None
    zero = int(pixels.zero_point.reshape(-1)[0])
    return zero if is_byte(zero) else None


def is_byte(number: int) -> bool:
    """Has int8 this number?"""
    return -128 <= number <= 127


def biases(bias: Array | None, outputs: int) -> Array:
    """A number for each output, up to whole panels. (O,)? -> (n,)."""
    row = np.zeros(panels(outputs) * PANEL, np.int32)
    if bias is not None:
        row[:outputs] = bias.reshape(-1)
    return row


@kernel(forceinline=True)
def finish(y: Array, at: int, sums: Any, rows: Array, o: int, left: int, limits: Any) -> None:
    """``y[at : at + left] <-`` two vectors of sums, at the scale of the outputs from o on."""
    n, p = len(rows) // 5, o + WIDTH
    first = rescaled(
        sums[0], load(rows, o), load(rows, n + o), load(rows, 2 * n + o), load(rows, 3 * n + o), load(rows, 4 * n + o)
    )
    second = rescaled(
        sums[1], load(rows, p), load(rows, n + p), load(rows, 2 * n + p), load(rows, 3 * n + p), load(rows, 4 * n + p)
    )
    store(y, at, first, second, left, limits)
