"""Whole training steps of the softmax head: ``reference.head``, then ``reference.optimizers``, batch after batch.

The weights lie as ``wt`` (C, F), the transpose of the file's ``ws``: then each class is one run of memory, as each
example is. For few classes the kernel below does all steps; for many it is slower than two matrix products a step.
"""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import REORDER, kernel
from tflite_transfer.reference.kernels.head_gemm import train_steps_gemm
from tflite_transfer.reference.optimizers import SGD, Adam

Array = NDArray[Any]
Scalars = tuple[np.float32, ...]

FUSED_CLASSES = 32
TILE = 4  # examples, and classes, of one inner loop
NOTHING = np.float32(1e-30)
SLICE = 1024  # features of one inner loop: its eight slices are 32 kB, a first-level cache


class Head(NamedTuple):
    """The parameters, or one value for each of them. C-contiguous float32."""

    wt: Array  # (C, F)
    bs: Array  # (C,)


class AdamSlots(NamedTuple):
    """What Adam keeps between steps."""

    mean: Head
    square: Head
    step: Array  # (1,), float32


def train_steps(
    x: Array,
    classes: Array,
    batches: Array,
    head: Head,
    rule: SGD | Adam,
    slots: AdamSlots | None = None,
    *,
    l2: float | None = None,
    divisor: float | None = None,
) -> Array:
    """Take a step for each row of ``batches``, changing ``head`` and ``slots`` in place. -> losses (K,) float32.

    A step's loss is the one before its update. One thread, and the GIL is free.

    Parameters
    ----------
    x : (N, F), all the samples, C-contiguous float32; may be read-only.
    classes : (N,), the number of each sample's class.
    batches : (K, B), the rows of x that make up each step's batch.
    slots : for Adam.
    l2, divisor : as in ``reference.head.gradients``.
    """
    rows = np.ascontiguousarray(batches, np.int64)
    labels = np.ascontiguousarray(classes, np.int64)
    _check(x, labels, rows, head, rule, slots)
    labels = labels[rows]
    decay = 0.0 if l2 is None else float(l2)
    shared = float(divisor or rows.shape[1])
    if len(head.bs) > FUSED_CLASSES:
        return train_steps_gemm(x, labels, rows, head, rule, slots, decay, shared)
    samples = x.view()
    samples.flags.writeable = False  # one type for numba, so that read-only samples need no second compilation
    moments = (None,) * 5 if slots is None else (*slots.mean, *slots.square, slots.step)
    factors = np.float32(decay), np.float32(2 * decay), np.float32(shared)
    return _train(samples, labels, rows, *head, *moments, astuple(rule), *factors)


def _check(x: Array, classes: Array, rows: Array, head: Head, rule: SGD | Adam, slots: AdamSlots | None) -> None:
    """Refuse what the kernel would read or write out of bounds: compiled code does not check an index."""
    shapes = [head] if slots is None else [head, slots.mean, slots.square]
    for wt, bs in shapes:
        if wt.shape != (len(bs), x.shape[-1]):
            raise ValueError(f"wt must have shape {(len(bs), x.shape[-1])}, but has {wt.shape}")
    for a in (x, *(a for parameters in shapes for a in parameters)):
        if a.dtype != np.float32 or not a.flags.c_contiguous:
            raise ValueError(f"samples and parameters must be C-contiguous float32, but one is {a.dtype}, {a.strides}")
    if classes.shape != x.shape[:1]:
        raise ValueError(f"classes must have shape {x.shape[:1]}, but has {classes.shape}")
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"batches must have shape (any, at least 1), but has {rows.shape}")
    if rows.size and not 0 <= rows.min() <= rows.max() < len(x):
        raise ValueError(f"batches must name rows 0 to {len(x) - 1}, but has {rows.min()} to {rows.max()}")
    if not 0 <= classes.min() <= classes.max() < len(head.bs):
        raise ValueError(f"classes must be 0 to {len(head.bs) - 1}, but are {classes.min()} to {classes.max()}")
    if isinstance(rule, Adam) != (slots is not None):
        raise ValueError(f"slots are for Adam and for nothing else, but came {slots is not None} with {rule}")


@kernel()
def _train(
    x: Array, labels: Array, batches: Array, wt: Array, bs: Array,
    m_wt: Array | None, m_bs: Array | None, v_wt: Array | None, v_bs: Array | None, step: Array | None,
    rule: Scalars, l2: np.float32, two_l2: np.float32, divisor: np.float32,
) -> Array:  # fmt: skip
    """All the steps. ``d`` is a batch's logits, then its errors, filled up to whole tiles."""
    steps, examples = batches.shape
    classes = bs.size
    losses = np.empty(steps, np.float32)
    rows = np.empty(-(-examples // TILE) * TILE, np.int64)
    d = np.empty((rows.size, -(-classes // TILE) * TILE), np.float32)
    g_bs = np.empty_like(bs)
    g = np.empty((TILE, SLICE), np.float32)
    corrections = np.float32(1), np.float32(1)
    for k in range(steps):
        rows[:examples] = batches[k]
        rows[examples:] = batches[k, -1]
        _logits(x, rows, wt, d)
        loss = _errors(d, labels[k], bs, divisor, g_bs)
        if step is not None:
            corrections = _bias_corrections(rule, step[0])
            step[0] += np.float32(1)
        squares = _update_weights(x, rows, d, wt, m_wt, v_wt, rule, corrections, two_l2, g)
        losses[k] = np.float32(loss) + l2 * np.float32(squares)
        if m_bs is None:
            _sgd(bs, g_bs, rule)
        else:
            _adam(bs, g_bs, m_bs, v_bs, rule, corrections)
    return losses


@kernel()
def _logits(x: Array, rows: Array, wt: Array, z: Array) -> None:
    """``z <- x[rows] wt^T``, without the bias. All tiles are whole: past the last class, that class again."""
    classes, features = wt.shape
    z[:] = np.float32(0)
    for lo in range(0, features, SLICE):
        hi = min(lo + SLICE, features)
        for i in range(0, rows.size, TILE):
            for c in range(0, classes, TILE):
                sums = _dots(x, rows, i, wt, c, lo, hi)
                for n in range(TILE * TILE):
                    z[i + n // TILE, c + n % TILE] += sums[n]


@kernel(fastmath=REORDER)
def _dots(x: Array, rows: Array, i: int, wt: Array, c: int, lo: int, hi: int) -> Scalars:
    """The 4 x 4 products of four examples and four classes, over features lo to hi.

    Slices of one row each, because over ``x[row, f]`` LLVM does not vectorise: 5 times slower.
    """
    last = len(wt) - 1
    xp, xq, xr, xs = x[rows[i], lo:hi], x[rows[i + 1], lo:hi], x[rows[i + 2], lo:hi], x[rows[i + 3], lo:hi]
    wa, wb = wt[c, lo:hi], wt[min(c + 1, last), lo:hi]
    wc, wd = wt[min(c + 2, last), lo:hi], wt[min(c + 3, last), lo:hi]
    pa = pb = pc = pd = qa = qb = qc = qd = ra = rb = rc = rd = sa = sb = sc = sd = np.float32(0)
    for f in range(hi - lo):
        p, q, r, s = xp[f], xq[f], xr[f], xs[f]
        a, b, c, d = wa[f], wb[f], wc[f], wd[f]
        pa, pb, pc, pd = pa + p * a, pb + p * b, pc + p * c, pd + p * d
        qa, qb, qc, qd = qa + q * a, qb + q * b, qc + q * c, qd + q * d
        ra, rb, rc, rd = ra + r * a, rb + r * b, rc + r * c, rd + r * d
        sa, sb, sc, sd = sa + s * a, sb + s * b, sc + s * c, sd + s * d
    return pa, pb, pc, pd, qa, qb, qc, qd, ra, rb, rc, rd, sa, sb, sc, sd


@kernel()
def _errors(d: Array, labels: Array, bs: Array, divisor: np.float32, g_bs: Array) -> float:
    """Logits to errors: ``d <- (softmax(d + bs) - y) / divisor``, with 0 in what fills the tiles. -> mean loss."""
    examples, classes = labels.size, bs.size
    g_bs[:] = np.float32(0)
    loss = 0.0
    for i in range(examples):
        z = d[i, :classes]
        top = z[0] + bs[0]
        for c in range(classes):
            z[c] += bs[c]
            top = max(top, z[c])
        gap = top - z[labels[i]]
        total = np.float32(0)
        for c in range(classes):
            z[c] = math.exp(z[c] - top)
            total += z[c]
        loss += math.log(total) + gap
        for c in range(classes):
            error = z[c] / total - np.float32(c == labels[i])
            g_bs[c] += error / np.float32(examples)
            z[c] = error / divisor if abs(error) > NOTHING else np.float32(0)
        d[i, classes:] = np.float32(0)
    d[examples:] = np.float32(0)
    return loss / examples


@kernel()
def _update_weights(
    x: Array, rows: Array, d: Array, wt: Array, m: Array | None, v: Array | None,
    rule: Scalars, corrections: Scalars, two_l2: np.float32, g: Array,
) -> float:  # fmt: skip
    """Gradient and optimizer, four classes of a slice at a time. -> sum of squares of the old weights, if needed."""
    classes, features = wt.shape
    squares = 0.0
    for lo in range(0, features, SLICE):
        hi = min(lo + SLICE, features)
        for c in range(0, classes, TILE):
            g[:] = np.float32(0)
            for i in range(0, rows.size, TILE):
                _add_products(x, rows, i, d, c, lo, hi, g)
            for n in range(min(TILE, classes - c)):
                w, g_w = wt[c + n, lo:hi], g[n, : hi - lo]
                if two_l2 != 0:
                    squares += _add_decay(w, two_l2, g_w)
                if m is None:
                    _sgd(w, g_w, rule)
                else:
                    _adam(w, g_w, m[c + n, lo:hi], v[c + n, lo:hi], rule, corrections)
    return squares


@kernel(fastmath=REORDER)
def _add_products(x: Array, rows: Array, i: int, d: Array, c: int, lo: int, hi: int, g: Array) -> None:
    """``g[n] += sum over four examples of d[., c + n] x[., lo:hi]``, for four classes n."""
    xp, xq, xr, xs = x[rows[i], lo:hi], x[rows[i + 1], lo:hi], x[rows[i + 2], lo:hi], x[rows[i + 3], lo:hi]
    ga, gb, gc, gd = g[0], g[1], g[2], g[3]
    pa, pb, pc, pd = d[i, c], d[i, c + 1], d[i, c + 2], d[i, c + 3]
    qa, qb, qc, qd = d[i + 1, c], d[i + 1, c + 1], d[i + 1, c + 2], d[i + 1, c + 3]
    ra, rb, rc, rd = d[i + 2, c], d[i + 2, c + 1], d[i + 2, c + 2], d[i + 2, c + 3]
    sa, sb, sc, sd = d[i + 3, c], d[i + 3, c + 1], d[i + 3, c + 2], d[i + 3, c + 3]
    for f in range(hi - lo):
        p, q, r, s = xp[f], xq[f], xr[f], xs[f]
        ga[f] += pa * p + qa * q + ra * r + sa * s
        gb[f] += pb * p + qb * q + rb * r + sb * s
        gc[f] += pc * p + qc * q + rc * r + sc * s
        gd[f] += pd * p + qd * q + rd * r + sd * s


@kernel(fastmath=REORDER)
def _add_decay(w: Array, two_l2: np.float32, g: Array) -> np.float32:
    """``g += 2 l2 w``. -> sum of the squares of w."""
    squares = np.float32(0)
    for f in range(w.size):
        g[f] += two_l2 * w[f]
        squares += w[f] * w[f]
    return squares


# The rules stand here a second time, because of the cache: see compile.py.


@kernel()
def _sgd(w: Array, g: Array, rule: Scalars) -> None:
    """``reference.optimizers.sgd``, in place."""
    for f in range(w.size):
        w[f] = w[f] - rule[0] * g[f]


@kernel()
def _adam(w: Array, g: Array, m: Array, v: Array, rule: Scalars, corrections: Scalars) -> None:
    """``reference.optimizers.adam``, in place."""
    rate, beta1, beta2, complement1, complement2, epsilon = rule
    correction1, correction2 = corrections
    for f in range(w.size):
        m[f] = complement1 * g[f] + beta1 * m[f]
        v[f] = complement2 * (g[f] * g[f]) + beta2 * v[f]
        w[f] = w[f] - rate * (m[f] / correction1) / (math.sqrt(v[f] / correction2) + epsilon)


@kernel()
def _bias_corrections(rule: Scalars, step: np.float32) -> tuple[np.float32, np.float32]:
    """``reference.optimizers.bias_corrections``."""
    t = float(step) + 1.0
    power1, power2 = np.float32(float(rule[1]) ** t), np.float32(float(rule[2]) ** t)
    return np.float32(1) - power1, np.float32(1) - power2
