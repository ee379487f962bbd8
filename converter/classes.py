"""What a model's files may say of its classes and its images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

from tflite_transfer.reference.tflite.errors import OptionError


def check_class_names(names: Sequence[str] | None) -> None:
    """Raise OptionError for names that are not all different, or that no list of one name a line can hold."""
    if names is None:
        return
    if not all(isinstance(n, str) and n.isprintable() and n.strip() for n in names) or len(set(names)) != len(names):
        raise OptionError(f"the class names must all be different, of one line each, but are {list(names)}.")


def check_range(limits: Sequence[float]) -> None:
    """Raise OptionError for limits of an image that are not two rising numbers."""
    two = isinstance(limits, Sequence) and len(limits) == 2 and all(isinstance(n, Real) for n in limits)
    if not two or not -math.inf < limits[0] < limits[1] < math.inf:
        raise OptionError(f"the input range must be two rising numbers, but is {limits!r}.")
