"""Numbers that people give: checked as what the file will hold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tflite_transfer.reference.tflite.errors import OptionError


def check_number(name: str, value: float | None, bounds: str, fits: Callable[[float], bool]) -> None:
    """Check what the file will hold, which is a float32: 0.99999999 is 1 there, 1e-50 is 0, 1e39 is infinite."""
    if value is None:
        return
    with np.errstate(over="ignore"):
        stored = float(np.float32(value))
    if not (math.isfinite(stored) and fits(stored)):
        as_float = "" if stored == value or math.isnan(value) else f", which in float32 is {stored:g}"
        raise OptionError(f"{name} must be {bounds}, but is {value}{as_float}.")
