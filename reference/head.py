r"""The softmax head: a linear layer, softmax, cross-entropy and its gradient, in plain NumPy.

Letters, here and in the whole project: B examples, F features, C classes, H W image.

The first layer of a classifier on frozen features ("bottlenecks") ``x``:

.. math::  z = x W + b, \qquad p = \mathrm{softmax}(z)

Everything is float32 in, float32 out; the arrays given are never changed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class HeadGradients(NamedTuple):
    """What one batch says: the loss, and its gradient for each parameter."""

    loss: np.float32
    ws: Array  # (F, C)
    bs: Array  # (C,)


def logits(x: Array, ws: Array, bs: Array) -> Array:
    """``x W + b``. (B, F), (F, C), (C,) -> (B, C)."""
    return x @ ws + bs


def softmax(z: Array) -> Array:
    """``exp(z) / sum(exp(z))`` over the last axis. (..., C) -> (..., C).

    The row's largest logit is subtracted first: softmax does not see a constant shift, and ``exp`` cannot overflow.
    """
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(z: Array) -> Array:
    """``z - max - log(sum(exp(z - max)))`` over the last axis. (..., C) -> (..., C).

    Not ``log(softmax(z))``: a probability that underflows to 0 would give -inf, here the logit gap stays finite.
    """
    s = z - z.max(axis=-1, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=-1, keepdims=True))


def cross_entropy(z: Array, y: Array) -> np.float32:
    """``mean_i -sum_c y_ic log p_ic``, of logits z (B, C) and one-hot labels y (B, C) -> ().

    The mean is taken in double: so for zero weights the loss is the float32 nearest to ln C, whatever the batch.
    """
    return np.float32(-(y * log_softmax(z)).sum(axis=-1).mean(dtype=np.float64))


def predict(x: Array, ws: Array, bs: Array) -> Array:
    """``softmax(x W + b)``. (B, F), (F, C), (C,) -> (B, C), rows that sum to 1."""
    return softmax(logits(x, ws, bs))


def gradients(
    x: Array, y: Array, ws: Array, bs: Array, *, l2: float | None = None, divisor: float | None = None
) -> HeadGradients:
    r"""Loss and gradients of one batch. x (B, F), one-hot y (B, C), ws (F, C), bs (C,).

    .. math::
        L = \mathrm{mean}_i\, CE_i + \lambda \sum w^2, \quad
        \frac{\partial L}{\partial z} = \frac{p - y}{B}, \quad
        g_W = x^T \frac{\partial L}{\partial z} + 2 \lambda W, \quad
        g_b = \sum_i \frac{\partial L}{\partial z_i}

    The cross-entropy's gradient: Bishop, *Pattern Recognition and Machine Learning*, eq. 4.109.

    Parameters
    ----------
    l2 : the factor λ; None leaves the terms out. The bias is never regularised, and λ has no 1/2.
    divisor : what the weights' gradient is divided by, if not the number of examples. A file that the
        upstream converter made has its training batch baked in here, whatever batch it is given.
    """
    examples = len(x)
    z = logits(x, ws, bs)
    d = softmax(z) - y
    loss = cross_entropy(z, y)
    g_ws = x.T @ (d / np.float32(divisor or examples))
    g_bs = d.sum(axis=0) / np.float32(examples)
    if l2 is not None:
        loss = np.float32(loss + np.float32(l2) * (ws * ws).sum())
        g_ws = g_ws + np.float32(2 * l2) * ws
    return HeadGradients(loss, g_ws, g_bs)
