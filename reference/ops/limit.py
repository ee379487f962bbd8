"""Bounds on what one operator may take, and how long: a few wrong bytes in a file ask for more than any machine has."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.errors import BudgetError

Array = NDArray[Any]
Shape = TypeVar("Shape", bound=Sequence[int])
Function = TypeVar("Function", bound=Callable[..., Any])


class Cost(NamedTuple):
    """What a value costs an operator: time, and memory beside the value itself."""

    nanoseconds: float = 0
    copies: int = 0  # of the largest input
    given: int = 0  # bytes, for each value of the largest input
    made: int = 0  # bytes, for each value of the result


FREE = Cost()


@dataclass
class Allowance:
    """What the operators of a run may still take."""

    bytes: int = 2**32
    deadline: float = math.inf  # on the clock of ``time.monotonic``
    cost: Cost = FREE  # of the operator that runs
    threads: int = 1  # that a kernel may share its work between


ALLOWED: ContextVar[Allowance] = ContextVar("ALLOWED")
_OUTSIDE = Allowance()  # where an operator's function is called by itself

GRACE = 0.5  # seconds beyond the deadline that an estimate may reach: it is no measurement
PADDED = 2**22  # values, 16 MB of float32, or
GROWTH = 16  # times the input, so that a large batch may always be padded
SMALL = 2**13  # values: what is made of fewer, 3 MB at the most, is not looked at beforehand
MOST_NUMBERS = 64  # of a shape, or of a list of axes: NumPy has no more axes


def within_limit(shape: Shape, itemsize: int = 4) -> Shape:
    """``shape``, if an array of that shape may be made. Raises ValueError, BudgetError."""
    return _within(shape, itemsize, math.inf)


def paddable(shape: Shape, given: int, itemsize: int = 4) -> Shape:
    """``shape``, if an array of ``given`` values may be padded to it. Raises ValueError, BudgetError."""
    return _within(shape, itemsize, max(PADDED, GROWTH * given))


def within_twice(made: Array) -> Array:
    """``made``, if there is room for as much again. Raises ValueError."""
    if made.size > SMALL:
        within_limit((2, *made.shape), made.itemsize)
    return made


def affordable(inputs: Sequence[Any]) -> None:
    """Called before an operator begins: do its inputs leave it the room and the time? Raises BudgetError."""
    values = itemsize = 0
    for array in inputs:
        if isinstance(array, np.ndarray):
            if array.size > values:
                values, itemsize = array.size, array.itemsize
            elif array.size == 0:  # the sum along an axis of no elements is as large as the other axes
                _afford(math.prod(max(n, 1) for n in array.shape), 16)
    if values > SMALL:
        cost = ALLOWED.get(_OUTSIDE).cost
        _afford(values, cost.copies * itemsize + cost.given)
        _ends_in_time(values * cost.nanoseconds)


def _afford(values: int, each: int) -> None:
    most = ALLOWED.get(_OUTSIDE).bytes
    if values * each > most:
        raise BudgetError(
            f"an operator on {values:,} values needs more than the {most:,} bytes that are left: "
            "Budget(bytes=...) sets another."
        )


def unchecked_by(function: Callable[..., Any]) -> Callable[[Function], Function]:
    """Mark what does the same as ``function``, and checks before it types and shapes, which runs may have in common."""

    def mark(checked: Function) -> Function:
        checked.__dict__["unchecked"] = function
        return checked

    return mark


def unchecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without those checks; one that is not marked as it is."""
    return getattr(function, "unchecked", function)


def in_time(seconds: float = 0) -> None:
    """Called by operators that loop, or before what will take so long. Raises BudgetError where no time is left."""
    if time.monotonic() + seconds > ALLOWED.get(_OUTSIDE).deadline:
        raise BudgetError("an operator goes on beyond the run's budget of seconds: Budget(seconds=...) sets another.")


def threads() -> int:
    """How many an operator may use."""
    return ALLOWED.get(_OUTSIDE).threads


def numbers(values: Array) -> list[Any]:
    """The numbers of a shape, of axes, of paddings. Raises ValueError if there are too many to be that."""
    if values.size > 2 * MOST_NUMBERS:
        raise ValueError(f"{values.size} numbers stand where a shape or a list of axes is expected")
    return values.tolist()


def _within(shape: Shape, itemsize: int, most: float) -> Shape:
    values, allowed = math.prod(shape), ALLOWED.get(_OUTSIDE)
    most = int(min(most, max(allowed.bytes, 0) // (itemsize + allowed.cost.made)))
    if values > most:
        raise ValueError(f"an array of shape {tuple(shape)} would be made, and the most is {most} values")
    _ends_in_time(values * allowed.cost.nanoseconds)
    return shape


def _ends_in_time(nanoseconds: float) -> None:
    seconds = 1e-9 * nanoseconds - GRACE
    if seconds > 0:
        in_time(seconds)
