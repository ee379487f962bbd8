"""Exercises that check themselves: is an answer right, and if not, why?

A notebook asks in one cell (``answer = ...``) and calls ``check`` in the next. What is compared with is made by the
product; the solution is made as a student would make it; each mistake that is often made comes with what to say of it.
CI holds all three against one another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

YOUR_TURN = "Your turn: write your answer into the cell above, then run both cells."
RIGHT = "Right."

Inputs = Sequence[tuple[Any, ...]]  # the arguments of each call with which a function is tried


@dataclass(frozen=True)
class Exercise:
    """An answer is a number, an array, or a function; all of them here are of one kind."""

    right: Any
    solution: Any
    wrong: Mapping[str, Any] = field(default_factory=dict)  # what to say -> the answer to say it of
    on: Inputs = ()
    tolerance: float = 1e-5  # of the largest |number| of an array; the exercises are not about rounding

    def judge(self, answer: Any) -> str:
        """``RIGHT``, ``YOUR_TURN``, or what is wrong."""
        if answer is ...:
            return YOUR_TURN
        fault = self._fault(answer, self.right)
        if not fault:
            return RIGHT
        known = (said for said, mistake in self.wrong.items() if not self._fault(answer, mistake))
        return f"Not yet. {next(known, fault)}"

    def _fault(self, answer: Any, right: Any) -> str:
        if not callable(right):
            return _difference(answer, right, self.tolerance)
        if not callable(answer):
            return f"A function is asked for, and this is {type(answer).__name__}."
        faults = (_called(answer, right, inputs, self.tolerance) for inputs in self.on)
        return next(filter(None, faults), "")


asked: list[Exercise] = []  # by this run, in order


def check(answer: Any, right: Any, solution: Any, **more: Any) -> None:
    """Print the verdict; the arguments are those of ``Exercise``."""
    exercise = Exercise(right, solution, **more)
    asked.append(exercise)
    print(exercise.judge(answer))


def _called(answer: Callable[..., Any], right: Callable[..., Any], inputs: tuple[Any, ...], tolerance: float) -> str:
    """What is wrong with a function's result; "" for nothing."""
    with np.errstate(all="ignore"):  # infinities are among the mistakes
        try:
            given = answer(*(np.copy(i) if isinstance(i, np.ndarray) else i for i in inputs))
        except Exception as e:  # whatever a student's code raises
            return f"It raises {type(e).__name__}: {e}"
        if given is None:
            return "It gives None: does it return something?"
        return _difference(given, right(*inputs), tolerance)


def _difference(answer: Any, right: Any, tolerance: float) -> str:
    """Where an answer is furthest from what is right, without telling what that is; "" where it is near enough."""
    try:
        given, wanted = np.asarray(answer, np.float64), np.asarray(right, np.float64)
    except (TypeError, ValueError):
        return f"Numbers are asked for, and this is {type(answer).__name__}."
    if given.shape != wanted.shape:
        return f"Its shape is {given.shape}, and {wanted.shape} is asked for."
    reach = tolerance * np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    if np.isclose(given, wanted, rtol=0, atol=reach, equal_nan=True).all():
        return ""
    if not np.isfinite(given).all():
        return "It holds infinities or NaN."
    apart = np.abs(given - wanted)
    place = np.unravel_index(apart.argmax(), apart.shape)
    where = f" at {[int(i) for i in place]}, where it is furthest off" if place else ""
    return f"You have {given[place]:.6g}{where}."
