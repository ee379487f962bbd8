"""How far apart two arrays of one shape are."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_transfer.diagnostics.findings import DECADES, Difference, Element
from tflite_transfer.reference.tflite.graph import Array


def difference(a: Array, b: Array, *, allowed: Any = None, exact: Array | None = None) -> Difference:
    """Everything that is told of a (...) and b (...). ``allowed`` is what |a - b| may be, broadcast to them.

    >>> import numpy as np
    >>> found = difference(np.float32([1, 2]), np.float32([1, 2.5]))
    >>> found.max_abs, found.worst.index, found.worst.b
    (0.5, (1,), 2.5)
    """
    apart = distance(a, b)
    wide_a, wide_b = _wide(a), _wide(b)
    part = None if allowed is None else shares(apart, allowed)
    place = _worst(apart, part)
    return Difference(
        max_abs=_largest(apart),
        max_rel=_largest(_relative(apart, wide_a, wide_b)),
        max_ulp=_largest(ulps_apart(a, b)) if a.dtype.kind == "f" and a.dtype == b.dtype else None,
        **_signal(wide_a, wide_b),
        nan=(_count(np.isnan, wide_a), _count(np.isnan, wide_b)),
        inf=(_count(np.isinf, wide_a), _count(np.isinf, wide_b)),
        all_zero=(not wide_a.any(), not wide_b.any()),
        histogram=_histogram(apart, wide_a),
        worst=None if place is None else _element(place, wide_a, wide_b, exact),
        share=None if part is None else _largest(part),
    )


def distance(a: Array, b: Array) -> Array:
    """``|a - b|`` in double; 0 where both are NaN or the same infinity, infinite where one is NaN. (...)."""
    if a.dtype.kind not in "fiuc":
        return np.where(a == b, 0.0, 1.0)
    with np.errstate(invalid="ignore"):
        apart = np.abs(_complex(a) - _complex(b))
    if a.dtype.kind in "iu":
        apart = np.maximum(apart, 1)  # long integers that differ may be the same double
    same = (a == b) | ((a != a) & (b != b))
    return np.where(same, 0, np.where(np.isnan(apart), np.inf, apart))


def ulps_apart(a: Array, b: Array) -> Array:
    """How many floats of the type lie between a and b: their order is that of their bits. (...), (...) -> (...)."""
    one, other = _order(a), _order(b)
    apart = np.where(one > other, one - other, other - one).astype(np.float64)
    nan = np.isnan(a), np.isnan(b)
    return np.where(nan[0] & nan[1], 0, np.where(nan[0] | nan[1], np.inf, apart))


def _order(x: Array) -> Array:
    """Floats as whole numbers in their order; both zeros are the same one."""
    kind = {2: np.uint16, 4: np.uint32, 8: np.uint64}[x.dtype.itemsize]
    bits, sign = np.ascontiguousarray(x).view(kind), kind(1 << (8 * x.dtype.itemsize - 1))
    return np.where(bits & sign, sign - (bits ^ sign), sign + bits).reshape(x.shape)


def shares(apart: Array, allowed: Any) -> Array:
    """``apart / allowed``: 0 where nothing is apart, infinite where nothing is allowed, or NaN. (...) -> (...)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = apart / allowed
    return np.where(apart == 0, 0, np.where(np.isnan(part), np.inf, part))


def far(value: Array, exact: Array) -> float:
    """``|value - exact| / |exact|`` in norms; infinite where only one has numbers. (...), (...) -> ()."""
    apart, size = distance(value, exact), norm(np.where(np.isfinite(exact), np.abs(exact), 0))
    return float(norm(apart) / size) if size else float(norm(apart))


def norm(x: Array) -> float:
    """``sqrt(sum x^2)``. (...) -> ()."""
    return float(np.sqrt(np.square(x, dtype=np.float64).sum()))


def _wide(a: Array) -> Array:
    """As doubles; complex numbers by their size, texts as zeros."""
    if a.dtype.kind == "c":
        return np.abs(a).astype(np.float64)
    return a.astype(np.float64) if a.dtype.kind in "fiub" else np.zeros(a.shape)


def _complex(a: Array) -> Array:
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)


def _largest(x: Array) -> float:
    return float(x.max(initial=0.0))


def _count(what: Any, x: Array) -> int:
    return int(np.count_nonzero(what(x)))


def _relative(apart: Array, a: Array, b: Array) -> Array:
    size = np.fmax(np.abs(a), np.abs(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(apart == 0, 0, np.where(np.isfinite(apart), apart / size, np.inf))


def _signal(a: Array, b: Array) -> dict[str, float]:
    """Cosine, SNR and PSNR of the elements that are finite in both."""
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(finite, a, 0), np.where(finite, b, 0)
    power, noise, other = (float(np.vdot(x, x)) for x in (a, a - b, b))
    peak = float(np.abs(a).max(initial=0)) ** 2
    lengths = np.sqrt(power) * np.sqrt(other)
    cosine = float(np.vdot(a, b) / lengths) if lengths else 1.0 if power == other else 0.0
    return {
        "cosine": min(cosine, 1.0),
        "snr": _decibels(power, noise),
        "psnr": _decibels(peak, noise / max(a.size, 1)),
    }


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return np.inf
    return float(10 * np.log10(signal / noise)) if signal else -np.inf


def _histogram(apart: Array, a: Array) -> tuple[int, ...]:
    """How many are equal, then how many lie below 10^-9, ..., 10^0 of the largest |a|, and from there on."""
    largest = float(np.abs(a[np.isfinite(a)]).max(initial=0)) or 1.0
    unlike = apart[apart > 0] / largest
    bins = np.searchsorted(10.0 ** np.array(DECADES), unlike, side="right")
    return (a.size - unlike.size, *np.bincount(bins, minlength=len(DECADES) + 1).tolist())


def _worst(apart: Array, part: Array | None) -> tuple[int, ...] | None:
    """Where the largest share of what is allowed is; else the largest difference; of one number there."""
    if not apart.any() and apart.size != 1:
        return None
    key = apart if part is None or not part.any() else part
    return tuple(int(i) for i in np.unravel_index(int(key.argmax()), apart.shape))


def _element(place: tuple[int, ...], a: Array, b: Array, exact: Array | None) -> Element:
    true = None if exact is None else float(_wide(exact)[place])
    return Element(place, float(a[place]), float(b[place]), true)


def heat(a: Array, b: Array, size: int = 64) -> Array | None:
    """The largest |a - b| of all channels at each pixel, at most 64 x 64 of them. (1, H, W, C) -> (h, w)."""
    if a.ndim != 4 or min(a.shape[1:3]) < 2:
        return None
    apart = distance(a, b).max(axis=(0, 3))
    for axis, n in enumerate(apart.shape):
        starts = np.arange(min(n, size)) * n // min(n, size)
        apart = np.maximum.reduceat(apart, starts, axis)
    return apart
