"""Numbers as people read them: few digits, a true minus, powers of ten."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tflite_transfer.reference.tflite.graph import Array

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DIGITS = 4


class Table(NamedTuple):
    """Numbers with as many decimals each, times one power of ten."""

    cells: list[list[str]]
    exponent: int  # a multiple of 3

    @property
    def factor(self) -> str:
        """What every cell is to be multiplied by; nothing for 1."""
        return f"× {power_of_ten(self.exponent)}" if self.exponent else ""


def short(value: float | np.generic | Array, digits: int = DIGITS) -> str:
    """A number by its first digits: ``0.2512``, ``−3.1``, ``1.25×10⁻⁷``, ``62,720``."""
    number = float(np.asarray(value).item())
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "∞" if number > 0 else "−∞"
    if number.is_integer() and abs(number) < 1e7:
        return f"{int(number):,}".replace("-", "−")
    exponent = math.floor(math.log10(abs(number)))
    if not -4 <= exponent < 6:
        shown = f"{number:.{digits - 1}e}"
        mantissa, _, power = shown.partition("e")
        return f"{_plain(mantissa)}×{power_of_ten(int(power))}"
    return _plain(f"{number:.{max(0, digits - 1 - exponent)}f}")


def power_of_ten(exponent: int) -> str:
    """``10⁻⁷``."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def percent(share: float) -> str:
    """A probability: ``25.1 %``."""
    return f"{100 * float(share):.1f} %"


def largest(values: Array) -> float:
    """The largest number by its size; 0 of none."""
    return float(np.abs(values.astype(np.float64)).max(initial=0))


def shape(sizes: tuple[int, ...]) -> str:
    """``20 × 192``; of a scalar ``scalar``."""
    return " × ".join(f"{n:,}" for n in sizes) or "scalar"


def table(values: Array, digits: int = DIGITS) -> Table:
    """(R, C) numbers in one scale, so that columns can be compared at a glance."""
    wide = np.asarray(values)
    if wide.dtype.kind == "f":
        wide = wide.astype(np.float64)
        wide = wide.astype(np.int64) if (np.abs(wide) < 1e5).all() and (wide == np.rint(wide)).all() else wide
    if wide.dtype.kind not in "fc":
        return Table([[str(v).replace("-", "−") for v in line] for line in wide.tolist()], 0)
    finite = np.abs(wide[np.isfinite(wide)].astype(np.float64))
    largest = float(finite.max(initial=0.0))
    exponent = math.floor(math.log10(largest)) if largest else 0
    scale = 0 if -2 <= exponent < 5 else 3 * (exponent // 3)
    decimals = max(0, digits - 1 - (exponent - scale)) if largest else 0
    factor = 10.0 ** (-scale)
    return Table([[_cell(float(v), factor, decimals) for v in line] for line in wide], scale)


def _cell(value: float, factor: float, decimals: int) -> str:
    if not math.isfinite(value):
        return short(value)
    shown = f"{value * factor:.{decimals}f}"
    if float(shown) == 0:  # no "−0.0000", and 0 is told from what rounds to it
        return "0" if value == 0 else shown.lstrip("-")
    return shown.replace("-", "−")


def _plain(shown: str) -> str:
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return shown.replace("-", "−")
