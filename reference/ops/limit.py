"""Bounds on what one operator may make: a few wrong bytes in a file ask for more memory than any machine has."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST = 2**27  # values, 512 MB of float32: a head of 62,720 features and 2,000 classes may still be filled with zeros
PADDED = 2**22  # values, 16 MB of float32, or
GROWTH = 16  # times the input, so that a large batch may always be padded


def within_limit(shape: Sequence[int]) -> Sequence[int]:
    """``shape``, if an array of that shape may be made from nothing. Raises ValueError."""
    return _within(shape, MOST)


def paddable(shape: Sequence[int], given: int) -> Sequence[int]:
    """``shape``, if an array of ``given`` values may be padded to it. Raises ValueError."""
    return _within(shape, max(PADDED, GROWTH * given))


def _within(shape: Sequence[int], most: int) -> Sequence[int]:
    if math.prod(shape) > most:
        raise ValueError(f"an array of shape {tuple(shape)} would be made, and the most is {most} values")
    return shape
