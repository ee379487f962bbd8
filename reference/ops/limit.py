"""A bound on what one operator may make: a few wrong bytes in a file ask for more memory than any machine has."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST = 2**27  # values, 512 MB of float32: a head of 62,720 features and 2,000 classes may still be filled with zeros
GROWTH = 16  # times its input, so that a large batch may always be padded


def within_limit(shape: Sequence[int], given: int = 0) -> Sequence[int]:
    """``shape``, if an array of that shape may be made from one of ``given`` values."""
    if math.prod(shape) > max(MOST, GROWTH * given):
        raise ValueError(f"an array of shape {tuple(shape)} would be made, and the most is {MOST} values")
    return shape
