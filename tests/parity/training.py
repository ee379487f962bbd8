"""What one training step must give: in float64, from the float32 constants that stand in the files.

Each quantity comes with the sum of its terms' magnitudes. A float32 computation, in whatever order, lies within
``c 2^-24`` times that sum of the exact value: the sum grows where terms cancel, and c need not grow with the size.
Errors pass from one quantity to the next through its derivative. B examples, F features, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.reference.tflite.bundle import Bundle

UNIT = 2.0**-24
# The c of the gradients, with which their error is carried into Adam: measured in test_training_steps.py.
GRADIENT_C = 40.0
# An absolute error of this many units is a denormal number lost: c 2^-126 in all.
DENORMAL = 2.0**-126 / UNIT
# The compiled kernel counts an error p - y below 1e-30 as 0.
NOTHING = 1e-30 / UNIT
BLOCK = (
    2**15
)  # numbers of a weight at a time: their float64 arrays stay in the cache, and 62,720 x 1,000 fit into memory

ALL = slice(None)


class Quantity(NamedTuple):
    """A value in float64, and the sum of the magnitudes of the terms that it is made of."""

    value: Array
    terms: Array


class Part(NamedTuple):
    """Some rows of a quantity; all of it where ``rows`` is ``...``."""

    name: str
    rows: Any
    exact: Quantity


def constants(bundle: Bundle) -> dict[str, float]:
    """The float32 scalars of train_head and optimizer, by the names that the converter gives them."""
    tensors = [t for role in ("train_head", "optimizer") for t in bundle.models[role].main.tensors]
    floats = [t for t in tensors if t.data is not None and t.data.dtype == np.float32]
    return {t.name: t.data.item() for t in floats}  # type: ignore[union-attr]


def whole_step(
    numbers: Mapping[str, float], params: Tree, slots: Tree, x: Array, y: Array, share: slice = ALL
) -> Iterator[Part]:
    """Loss, gradients, new parameters and new slots; a new one has the name of the old. x (B, F), y (B, C).

    ``share`` picks some of the weights' blocks of rows.
    """
    exact = gradients(numbers, params, x, y)
    yield Part("loss", ..., exact["loss"])
    for name in params:
        grad = exact[f"grad_{name}"]
        for rows in _blocks(grad.value, share):
            part = Quantity(grad.value[rows], grad.terms[rows])
            yield Part(f"grad_{name}", rows, part)
            yield from _updated(numbers, name, rows, part, params, slots)
    if slots:
        yield Part("step", ..., _exact(slots["step"] + 1.0))


def update(numbers: Mapping[str, float], params: Tree, slots: Tree, grads: Tree, share: slice = ALL) -> Iterator[Part]:
    """New parameters and new slots from these very gradients, which therefore carry no error."""
    for name, grad in grads.items():
        for rows in _blocks(grad, share):
            yield from _updated(numbers, name, rows, _exact(grad[rows]), params, slots)
    if slots:
        yield Part("step", ..., _exact(slots["step"] + 1.0))


def gradients(numbers: Mapping[str, float], params: Tree, x: Array, y: Array) -> dict[str, Quantity]:
    """``loss``, ``grad_ws`` and ``grad_bs``. x (B, F), y (B, C). For the sums of magnitudes float32 will do."""
    sizes, size_ws = np.abs(x), np.abs(params["ws"])
    reach = sizes @ size_ws + np.abs(params["bs"])
    x, y, ws, bs = (_wide(a) for a in (x, y, params["ws"], params["bs"]))
    loss, errors = _softmax_loss(x @ ws + bs, _wide(reach), y)
    mean = Quantity(errors.value / len(x), errors.terms / len(x))
    grad, terms = x.T @ mean.value, sizes.T @ mean.terms.astype(np.float32)
    if "l2" in numbers:
        squares, twice = numbers["l2"] * np.vdot(ws, ws), 2 * numbers["l2"]
        loss = Quantity(loss.value + squares, loss.terms + squares)
        grad, terms = grad + twice * ws, terms + np.float32(twice) * size_ws
    return {
        "loss": loss, "grad_ws": Quantity(grad, terms),
        "grad_bs": Quantity(mean.value.sum(axis=0), mean.terms.sum(axis=0)),
    }  # fmt: skip


def _softmax_loss(logits: Array, reach: Array, y: Array) -> tuple[Quantity, Quantity]:
    """The mean cross-entropy, and ``p - y``, of logits whose terms' magnitudes sum to ``reach``.

    With r the error of each shifted logit, ``log p_c`` is off by ``r_c - sum_k p_k r_k``, and p_c by p_c times that.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    p, log_p = e / total, shifted - np.log(total)
    r = reach + np.abs(shifted)
    others = (p * r).sum(axis=1, keepdims=True) - p * r
    moved = 1 + np.maximum((1 - p) * r + others, 0)
    each = Quantity(-y * log_p, np.abs(y) * (moved + np.abs(log_p) + np.log(total)))
    loss = Quantity(each.value.sum(axis=1).mean(), each.terms.sum(axis=1).mean())
    return loss, Quantity(p - y, np.abs(p - y) + p * moved + NOTHING)


def _updated(
    numbers: Mapping[str, float], name: str, rows: Any, grad: Quantity, params: Tree, slots: Tree
) -> Iterator[Part]:
    w = _wide(params[name][rows])
    if not slots:
        rate = numbers["learning_rate"]
        terms = np.abs(w) + rate * (np.abs(grad.value) + grad.terms)
        yield Part(name, rows, Quantity(w - rate * grad.value, terms))
        return
    m, v = (_wide(slots[prefix + name][rows]) for prefix in ("m_", "v_"))
    found = _adam(numbers, w, grad, m, v, float(slots["step"]) + 1)
    yield from (Part(prefix + name, rows, exact) for prefix, exact in zip(("", "m_", "v_"), found, strict=True))


def _adam(
    numbers: Mapping[str, float], w: Array, grad: Quantity, m: Array, v: Array, t: float
) -> tuple[Quantity, Quantity, Quantity]:
    """New w, m, v. ``beta^t`` is rounded to float32 before it is taken from 1: an absolute error.

    The move m^/(sqrt(v^) + epsilon) magnifies the gradient's error where gradients nearly cancel. Its slope is taken at
    the least v^ that the error allows; and no error moves it further than Cauchy and Schwarz let any gradient.
    """
    names = ("learning_rate", "epsilon", "beta1", "beta2", "1-beta1", "1-beta2")
    rate, epsilon, b1, b2, a1, a2 = (numbers[k] for k in names)
    g, size = grad.value, np.abs(grad.value)
    error = GRADIENT_C * UNIT * grad.terms
    new_m, m_terms = a1 * g + b1 * m, a1 * size + b1 * np.abs(m)
    new_v = a2 * g * g + b2 * v
    power1, power2 = b1**t, b2**t
    k1, k2 = 1 - power1, 1 - power2
    scale = np.sqrt(new_v / k2) + epsilon
    move = rate * new_m / k1 / scale
    rounding = rate * m_terms / k1 / scale + np.abs(move) * (1 + power1 / k1 + power2 / k2)
    terms = np.abs(w) + rounding
    if grad.terms.any():
        least = np.sqrt((a2 * np.maximum(size - error, 0) ** 2 + b2 * v) / k2) + epsilon
        m_most = np.abs(new_m) + a1 * error
        slope = rate / k1 * (a1 + m_most * np.sqrt(a2 / k2) / least) / least
        ratio = np.divide((b1 * m) ** 2, b2 * v, out=np.zeros_like(v), where=v > 0)
        furthest = rate * np.sqrt(k2) / k1 * np.sqrt(ratio + a1**2 / a2) + np.abs(move)
        terms = terms + np.minimum(slope * error, furthest) / (GRADIENT_C * UNIT)
    v_terms = new_v + a2 * (2 * size + error) * grad.terms
    return Quantity(w - move, terms), Quantity(new_m, m_terms + a1 * grad.terms), Quantity(new_v, v_terms)


def needed(found: Array | np.generic, exact: Quantity) -> float:
    """The least c with ``|found - exact| <= c 2^-24 terms``; NaN where anything is NaN."""
    excess = np.atleast_1d(found - exact.value)
    np.abs(excess, out=excess)
    excess /= exact.terms + DENORMAL
    return float(excess.max()) / UNIT


def _blocks(a: Array, share: slice) -> list[Any]:
    """All rows, a few at a time. A vector is one block."""
    if a.ndim < 2:
        return [...]
    size = max(1, BLOCK // a.shape[1])
    return [slice(lo, lo + size) for lo in range(0, len(a), size)][share]


def _wide(a: Array) -> Array:
    return np.asarray(a, np.float64)


def _exact(value: Any) -> Quantity:
    return Quantity(_wide(value), np.zeros(1))
