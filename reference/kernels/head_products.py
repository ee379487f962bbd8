"""The two matrix products of a training step: logits, and the gradient of the weights.

Both keep their sums in registers: as loops that numba vectorises by itself they took 1.9 times as long. Rows of x are
where the batch finds them; nothing is gathered first, but for many classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import part
from tflite_transfer.reference.kernels.vector import (
    WIDTH,
    lanes,
    load,
    minus,
    multiply_add,
    prefetch,
    spread,
    store,
    times,
    total,
    zeros,
)

Array = NDArray[Any]

ROWS, TILE = 3, 4  # examples and classes of an inner loop of the logits: 12 vectors of sums are in registers
STEP = 2 * WIDTH  # features of an inner loop of the gradient, for as many classes: 8 vectors of sums
AHEAD = 64  # numbers, 4 cache lines. 62,720 x 4 x 20 took 175 us without, 141 so; 32 to 192 are as good
SLICE = 4096  # features at a time: four classes of them are 64 kB
# With more classes a slice is packed first. A hundred examples are on as many pages, more than the first level of the
# machine's page table holds: the gradient of 1,000 classes x 128 examples x 1,280 features took 6.8 ms, packed 4.4.
PACKED = 8


@part()
def add_logits(
    x: Array,
    rows: Array,
    coming: Array,
    halved: int,
    w: Array,
    classes: int,
    first: int,
    last: int,
    width: int,
    z: Array,
    apart: int,
) -> None:
    """``z[c // 4, i, c % 4] += x[i] . w[c]``, over features first to last, ``width`` of them at a time.

    A slice's sums are ``apart`` from those of the slice before. All tiles are whole: past the last class, it again.
    Meanwhile it fetches the coming examples' features, or the first half of them: ``halved`` is 0 or 1.
    """
    to = 0
    for lo in range(first, last, width):
        hi = min(lo + width, last)
        for c in range(0, classes, TILE):
            for i in range(0, rows.size, ROWS):
                _add_dots(x, rows, coming, halved, i, w, classes, c, lo, hi, z, to + c * rows.size + TILE * i)
        to += apart


@part()
def _add_dots(
    x: Array, rows: Array, coming: Array, halved: int, i: int, w: Array, classes: int, c: int, lo: int, hi: int,
    z: Array, to: int,
) -> None:  # fmt: skip
    """Add the 3 x 4 products of three examples and four classes, over features lo to hi, to ``z[to:]``."""
    whole = hi - (hi - lo) % WIDTH
    features, last = w.size // classes, classes - 1
    p, q, r = rows[i], rows[i + 1], rows[i + 2]
    d, e, g = coming[i], coming[i + 1], coming[i + 2]
    s, t, u, v = (
        c * features, min(c + 1, last) * features, min(c + 2, last) * features, min(c + 3, last) * features
    )  # fmt: skip
    ps = pt = pu = pv = qs = qt = qu = qv = rs = rt = ru = rv = zeros()
    for f in range(lo, whole, WIDTH):
        ahead = f >> halved
        prefetch(x, d + ahead)
        prefetch(x, e + ahead)
        prefetch(x, g + ahead)
        xp, xq, xr = load(x, p + f), load(x, q + f), load(x, r + f)
        y = load(w, s + f)
        ps, qs, rs = multiply_add(xp, y, ps), multiply_add(xq, y, qs), multiply_add(xr, y, rs)
        y = load(w, t + f)
        pt, qt, rt = multiply_add(xp, y, pt), multiply_add(xq, y, qt), multiply_add(xr, y, rt)
        y = load(w, u + f)
        pu, qu, ru = multiply_add(xp, y, pu), multiply_add(xq, y, qu), multiply_add(xr, y, ru)
        y = load(w, v + f)
        pv, qv, rv = multiply_add(xp, y, pv), multiply_add(xq, y, qv), multiply_add(xr, y, rv)
    for n, vector in enumerate((ps, pt, pu, pv, qs, qt, qu, qv, rs, rt, ru, rv)):
        dot = total(vector)
        for f in range(whole, hi):
            dot += x[rows[i + n // TILE] + f] * w[min(c + n % TILE, last) * features + f]
        z[to + n] += dot


@part()
def pack(x: Array, rows: Array, examples: int, lo: int, hi: int, panel: Array) -> None:
    """Features lo to hi of a batch, in the order in which ``gradient`` reads them; zeros fill up the last vectors."""
    to = 0
    for f in range(lo, hi, STEP):
        for i in range(examples):
            for n in range(STEP):
                panel[to + n] = x[rows[i] + f + n] if f + n < hi else np.float32(0)
            to += STEP


@part()
def gradient(
    x: Array,
    rows: Array,
    examples: int,
    scale: int,
    coming: Any,
    errors: Array,
    first: int,
    lo: int,
    hi: int,
    g: Array,
    to: int,
    descent: Any,
) -> None:
    """``g[n, to:] <- sum over the examples of errors[first:][., n] x[., lo:hi]``, for four classes n.

    Feature f of example i is at ``rows[i] + scale * f``. Meanwhile it fetches half as many features of the coming
    batch; if that is None, its own, a little ahead: these are as many streams as there are examples. ``descent``: None,
    or a ``Descent``, whose step is taken at once instead of writing g.
    """
    width = g.size // TILE
    for f in range(lo, hi, STEP):
        p = q = r = s = t = u = v = w = zeros()
        for i in range(examples):
            at = rows[i] + scale * f
            if coming is None:
                prefetch(x, at + AHEAD)
            else:
                prefetch(x, coming[i] + f // 2)
            xa, xb = load(x, at), load(x, at + WIDTH)
            y = spread(errors, first + TILE * i)
            p, q = multiply_add(y, xa, p), multiply_add(y, xb, q)
            y = spread(errors, first + TILE * i + 1)
            r, s = multiply_add(y, xa, r), multiply_add(y, xb, s)
            y = spread(errors, first + TILE * i + 2)
            t, u = multiply_add(y, xa, t), multiply_add(y, xb, u)
            y = spread(errors, first + TILE * i + 3)
            v, w = multiply_add(y, xa, v), multiply_add(y, xb, w)
        for n, (left, right) in enumerate(((p, q), (r, s), (t, u), (v, w))):
            if descent is None:
                at = n * width + to + f - lo
                store(g, at, left)
                store(g, at + WIDTH, right)
            elif n < descent.classes:
                at = descent.begin + n * descent.apart + f
                _descend(descent, at, left)
                _descend(descent, at + WIDTH, right)


class Descent(NamedTuple):
    """A step of SGD, of four classes or the last ones."""

    w: Array
    classes: int
    begin: int  # where the first of them is in w
    apart: int
    rate: np.float32
    twice_l2: np.float32


@part()
def _descend(descent: Descent, at: int, g: Any) -> None:
    """``w <- w - rate (g + 2 l2 w)`` of a vector; in a loop of its own it took 10 % of a step more."""
    w = load(descent.w, at)
    if descent.twice_l2 != 0:
        g = multiply_add(lanes(descent.twice_l2), w, g)
    store(descent.w, at, minus(w, times(lanes(descent.rate), g)))
