"""A bound on what one operator may make: a few wrong bytes in a file ask for more memory than any machine has."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST = 2**28  # values: 1 GB of float32. The largest that MobileNetV2 (224 px) makes has 1.2 million


def within_limit(shape: Sequence[int]) -> Sequence[int]:
    """``shape``, if an array of that shape may be made."""
    if math.prod(shape) > MOST:
        raise ValueError(f"an array of shape {tuple(shape)} would be made, and the most is {MOST} values")
    return shape
