"""An INT4 constant's buffer: two numbers a byte, the first one in the lower half; the last half may be empty."""

from __future__ import annotations

import math

import numpy as np

from tflite_transfer.reference.tflite.graph import Array


def size_of(shape: tuple[int, ...]) -> int:
    """How many bytes a constant of that shape has."""
    return (math.prod(shape) + 1) // 2


def one_a_byte(content: Array, shape: tuple[int, ...]) -> Array:
    """The numbers, -8 to 7, as int8. (ceil(n / 2),) bytes -> shape, of n numbers."""
    halves = np.stack([content << 4, content], axis=-1).view(np.int8) >> 4  # brings the sign along
    return halves.reshape(-1)[: math.prod(shape)].reshape(shape)
