"""Operators that compare, or decide: numbers or texts -> booleans, and the choice that booleans make."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.elementwise import broadcasting

Array = NDArray[Any]


@broadcasting
def less(a: Array, b: Array) -> Array:
    """``a < b``; as any comparison but ``!=``, false where either is NaN. (...), (...) -> (...)."""
    return a < b


@broadcasting
def less_equal(a: Array, b: Array) -> Array:
    """``a <= b``. (...), (...) -> (...)."""
    return a <= b


@broadcasting
def greater(a: Array, b: Array) -> Array:
    """``a > b``. (...), (...) -> (...)."""
    return a > b


@broadcasting
def greater_equal(a: Array, b: Array) -> Array:
    """``a >= b``. (...), (...) -> (...)."""
    return a >= b


@broadcasting
def equal(a: Array, b: Array) -> Array:
    """``a == b``, of texts by their bytes. (...), (...) -> (...)."""
    return np.equal(a, b)


@broadcasting
def not_equal(a: Array, b: Array) -> Array:
    """``a != b``, of texts by their bytes. (...), (...) -> (...)."""
    return np.not_equal(a, b)


@broadcasting
def logical_and(a: Array, b: Array) -> Array:
    """``a and b``. (...), (...) -> (...)."""
    return np.logical_and(a, b)


@broadcasting
def logical_or(a: Array, b: Array) -> Array:
    """``a or b``. (...), (...) -> (...)."""
    return np.logical_or(a, b)


def logical_not(x: Array) -> Array:
    """``not x``. (...) -> (...)."""
    return np.logical_not(x)


def select(condition: Array, x: Array, y: Array) -> Array:
    """``x`` where the condition holds, else ``y``. (), (N,) or (N, ...); (N, ...), (N, ...) -> (N, ...).

    A condition of one axis goes with the first axis of x and y, not with the last: it chooses whole rows.
    """
    if x.shape != y.shape or condition.shape not in ((), x.shape[:1], x.shape):
        raise ValueError("the condition chooses neither elements nor rows, or the two differ in shape")
    return select_v2(condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim)), x, y)


def select_v2(condition: Array, x: Array, y: Array) -> Array:
    """``x`` where the condition holds, else ``y``, broadcast. (...), (...), (...) -> (...)."""
    if condition.dtype != np.bool_ or x.dtype != y.dtype:
        raise ValueError(f"{condition.dtype} chooses between {x.dtype} and {y.dtype}")
    return np.where(condition, x, y)
