"""How far float32 results of one operator may be apart, by what it computes and by its inputs: families of bounds.

An engine adds in its own order and has functions of its own, so that results differ by roundings: of sums by shares of
the sum of the terms' magnitudes, however much these cancel; of functions by some units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tflite_transfer.reference.tflite.graph import Array

TINY = float(np.finfo(np.float32).tiny)  # the least normal number: XNNPACK takes and makes 0 of what is smaller


class Call(NamedTuple):
    """An operator with what it is given: its plain function, and the options that this takes."""

    opcode: str
    function: Callable[..., Any]
    values: Sequence[Array | None]
    options: Mapping[str, Any]


Rule = Callable[[Call, Array], Any]  # (call, result) -> the largest |difference|, broadcast to the result


def ulps(count: float) -> Rule:
    """Units in the last place of each result; of integers, as many."""

    def bound(_: Call, y: Array) -> Any:
        with np.errstate(all="ignore"):  # those of infinity
            return count * (np.spacing(np.abs(y)) if count and y.dtype.kind in "fc" else 1)

    return bound


def units(c: float) -> Rule:
    """``c 2^-24``, relative where results are larger than 1."""
    return lambda _, y: c * 2**-24 * np.maximum(1, np.abs(y))


class Terms(NamedTuple):
    """``c 2^-24 sum|terms|``: the operator in double, on absolute values. Where that is infinite or NaN, 0.

    And the least normal number: products that are smaller are rounded to a multiple of the least number.
    """

    c: float

    def __call__(self, call: Call, _: Array, more: float = 0) -> Any:
        """``more`` is added to c."""
        values = [np.abs(v.astype(np.float64)) if v is not None and v.dtype.kind == "f" else v for v in call.values]
        with np.errstate(all="ignore"):
            allowed = (self.c + more) * 2**-24 * call.function(*values, **call.options) + TINY
        return np.where(np.isfinite(allowed), allowed, 0)


def of_input(c: float) -> Rule:
    """``c 2^-24 |x|``, and the least normal number: XNNPACK gives 0 for what is smaller."""
    return lambda call, _: c * 2**-24 * np.abs(first(call)) + TINY


def exponential(c: float) -> Rule:
    """``c + 1.5 |log y|`` units in the last place: XNNPACK takes whole powers of 2 from x, and rounds what is left.

    65 at e^-87, 16 at e^20 (reference: 2, everywhere).
    """

    def bound(_: Call, y: Array) -> Array:
        with np.errstate(all="ignore"):
            return (c + 1.5 * np.abs(np.log(y, dtype=np.float64))) * np.spacing(np.abs(y)) + 2 * TINY

    return bound


def blend(c: float) -> Rule:
    """``c 2^-24 max|x| (1 + H + W)``: a place among n pixels is rounded to ``n 2^-24``, and with it the weights."""
    return lambda call, _: c * 2**-24 * np.abs(first(call)).max() * (1 + sum(first(call).shape[1:3]))


def factors(call: Call, y: Array) -> Array:
    """A rounding for each factor."""
    return first(call).size * 2**-24 * np.abs(y)


def hard_swish(call: Call, _: Array) -> Array:
    """``6 2^-24 |x| (|x| + 3) / 6``."""
    x = np.abs(first(call).astype(np.float64))
    return 6 * 2**-24 * x * (x + 3) / 6


def slid(call: Call, y: Array) -> Any:
    """LiteRT's window slides: what it adds and takes away again leaves an error as large as all of the channels. 1.8"""
    everything = (first(call) ** 2).sum(axis=-1, keepdims=True)
    return 4 * 2**-24 * np.abs(y) * (1 + call.options["alpha"] * everything / call.options["bias"])


def first(call: Call) -> Array:
    """The operator's x."""
    return next(v for v in call.values if v is not None)


def products_in_order(call: Call) -> Array:
    """What BATCH_MATMUL loses of such products, one added after another. (..., I, J), (..., J, K) -> (..., I, K).

    LiteRT's reference kernels add so, and XNNPACK without rounding the products, each to the bit. A gradient over all
    places of a picture has many that are equal, which are rounded the same way again and again: 400 of 4 kinds lost up
    to 170 units. NumPy's product adds in blocks, loses half as much, and not in the same results: so each result is
    allowed the share of its terms that the worst one loses.
    """
    adjoint = call.options.get("adj_x"), call.options.get("adj_y")
    values = [v for v in call.values if v is not None]
    a, b = (np.swapaxes(v, -1, -2) if turned else v for v, turned in zip(values, adjoint, strict=True))
    with np.errstate(all="ignore"):
        exact = a.astype(np.float64) @ b.astype(np.float64)
        terms = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
        rounded, fused = np.zeros(exact.shape, a.dtype), np.zeros(exact.shape, a.dtype)
        for j in range(a.shape[-1]):
            x, y = a[..., :, j, None], b[..., j, None, :]
            rounded += x * y
            fused = (fused + x.astype(np.float64) * y).astype(a.dtype)  # exact in double but for its sum
        shares = np.maximum(np.abs(rounded - exact), np.abs(fused - exact)) / terms
        normal = np.isfinite(shares) & (terms > TINY * 2**24)  # of smaller numbers any share may be lost
        return np.nan_to_num(shares[normal].max(initial=0) * terms, posinf=0)


def in_order(call: Call) -> Array:
    """What adding one value after another loses of these very values, by SUM or MEAN: of equal ones up to n / 4 units.

    The running sum of equal values is rounded the same way again and again; of others it is not, and nothing like it.
    """
    x, axes = first(call), call.values[1]
    assert axes is not None
    over = [a for a in range(x.ndim) if a in {int(i) % x.ndim for i in axes.reshape(-1)}]
    rows = np.moveaxis(x, over, range(len(over))).reshape(-1, *(n for a, n in enumerate(x.shape) if a not in over))
    if not rows.size:
        return np.zeros(())
    lost = np.abs(np.cumsum(rows, axis=0)[-1] - rows.sum(axis=0, dtype=np.float64))
    lost = lost / len(rows) if call.opcode == "MEAN" else lost
    return np.expand_dims(lost, over) if call.options.get("keep_dims") else lost


def inputs_in_8_bits(call: Call) -> Array:
    """Where weights alone are int8, LiteRT rounds x to 8 bits too: to within half a step of ``max|x| / 127``.

    So a sum is off by at most ``max|x| / 254 sum|w|``: the operator itself, on such an x and such weights.
    """
    x, weights = call.values[:2]
    assert x is not None
    assert weights is not None
    return call.function(np.full_like(x, np.abs(x).max() / 254), np.abs(weights), **call.options)
