"""Slopes by central differences, and how far a gradient is from them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tflite_transfer.backends.base import Array


def central_difference(f: Callable[[float], float], step: float) -> float:
    """``(f(h) - f(-h)) / 2h``, of a function of one number."""
    return (f(step) - f(-step)) / (2 * step)


def lost(size: float, step: float) -> float:
    """What rounding may take from a central difference of values of this size, in float64: ``2^-51 size / h``."""
    return 2.0**-51 * size / step


def relative_error(slope: float, terms: Array, lost: float = 0.0) -> float:
    """``|slope - Σ terms| / Σ |terms|``, where the gradient's ``Σ g d`` should be the slope along d.

    What the difference loses by rounding is no error of the gradient's. Without terms the error is absolute; NaN is
    infinitely far.
    """
    scale, apart = float(np.abs(terms).sum()), abs(slope - float(terms.sum())) - lost
    if math.isnan(apart):
        return math.inf
    return max(0.0, apart) / (scale or 1.0)
