"""How far apart two arrays of one shape are."""

from __future__ import annotations

from itertools import pairwise
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
        return np.where(a == b, 0, np.maximum(apart, 1))  # long integers that differ may be the same double
    if np.isfinite(apart).all():
        return apart
    same = (a == b) | ((a != a) & (b != b))
    return np.where(same, 0, np.where(np.isnan(apart), np.inf, apart))


def ulps_apart(a: Array, b: Array) -> Array:
    """How many floats of the type lie between a and b: their order is that of their bits. (...), (...) -> (...)."""
    one, other = _order(a), _order(b)
    apart = (np.maximum(one, other) - np.minimum(one, other)).astype(np.float64)
    nan = np.isnan(a), np.isnan(b)
    if nan[0].any() or nan[1].any():
        return np.where(nan[0] & nan[1], 0, np.where(nan[0] | nan[1], np.inf, apart))
    return apart


def _order(x: Array) -> Array:
    """Floats as whole numbers in their order, from 0 on; both zeros are the same one."""
    bits = 8 * x.dtype.itemsize
    signed, kind = np.dtype(f"i{x.dtype.itemsize}"), np.dtype(f"u{x.dtype.itemsize}").type
    whole = np.ascontiguousarray(x).reshape(-1).view(signed)
    minus = whole >> (bits - 1)  # -1 where there is a sign, else 0
    size = whole & np.iinfo(signed).max
    return (((size ^ minus) - minus).view(kind) + kind(1 << (bits - 1))).reshape(x.shape)


def shares(apart: Array, allowed: Any) -> Array:
    """``apart / allowed``: 0 where nothing is apart, infinite where nothing is allowed, or NaN. (...) -> (...)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.divide(apart, allowed, out=np.zeros(apart.shape), where=apart != 0)
    part[np.isnan(part)] = np.inf
    return part


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
    size = np.fmax(np.fmax(np.abs(a), np.abs(b)), np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore"):
        part = apart / size
    return part if np.isfinite(part).all() else np.where(np.isfinite(apart), part, np.inf)


def _signal(a: Array, b: Array) -> dict[str, float]:
    """Cosine, SNR and PSNR of the elements that are finite in both."""
    finite = np.isfinite(a) & np.isfinite(b)
    if not finite.all():
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
    from_there = [int(np.count_nonzero(unlike >= 10.0**decade)) for decade in DECADES]
    at_least = (a.size, unlike.size, *from_there, 0)
    return tuple(more - less for more, less in pairwise(at_least))


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
