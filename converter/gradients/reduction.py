"""Gradients of sums and their kind, and of what normalises by them."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_transfer.converter.expressions import (
    Expression,
    count,
    equal,
    indicator,
    maximum,
    reshape,
    rsqrt,
    square,
    total,
)
from tflite_transfer.converter.gradients.movement import fixed
from tflite_transfer.converter.gradients.rule import Call, Pulled


def _axes(call: Call, x: Expression, axes: Expression) -> list[int]:
    return sorted({a % len(x.shape) for a in fixed(call, axes)})


def _kept(x: Expression, y: Expression, axes: Sequence[int]) -> Expression:
    """The result y with axes of size 1 where x was reduced."""
    return reshape(y, [1 if i in axes else n for i, n in enumerate(x.shape)])


def total_(call: Call, dy: Expression) -> Pulled:
    """``y = Σ x``: ``dx = dy`` for each term."""
    x, axes = call.operands
    return (lambda: _kept(x, dy, _axes(call, x, axes)),)


def mean(call: Call, dy: Expression) -> Pulled:
    """``y = Σ x / n``: ``dx = dy / n`` for each term."""
    x, axes = call.operands

    def pull() -> Expression:
        chosen = _axes(call, x, axes)
        n = count(x, chosen)
        return _kept(x, dy * (1 / n) if isinstance(n, float) else dy / n, chosen)

    return (pull,)


def extreme(call: Call, dy: Expression) -> Pulled:
    """``y = max x``, or min: dy to the term that it is, in equal parts where there are several, as in TensorFlow."""
    (x, axes), y = call.operands, call.result

    def pull() -> Expression:
        chosen = _axes(call, x, axes)
        found = indicator(equal(x, _kept(x, y, chosen)))
        return found * (_kept(x, dy, chosen) / total(found, chosen, keep=True))

    return (pull,)


def cumsum(call: Call, dy: Expression) -> Pulled:
    """``y_i = Σ_{j ≤ i} x_j``: the sum of dy from the other end."""
    x, axis = call.operands
    exclusive, reverse = bool(call.options.get("exclusive")), not call.options.get("reverse")
    return (lambda: call.graph.write("CUMSUM", [dy, axis], x.shape, exclusive=exclusive, reverse=reverse),)


def l2_normalization(call: Call, dy: Expression) -> Pulled:
    """``y = x / ‖x‖`` along the last axis: ``dx = (dy - y Σ dy y) / ‖x‖``, which is at least 1e-6, as in LiteRT."""
    (x,), y = call.operands, call.result

    def pull() -> Expression:
        squares = total(square(x), [-1], keep=True)
        turned = y * (total(dy * y, [-1], keep=True) * indicator(squares >= 1e-12))
        return (dy - turned) * rsqrt(maximum(squares, 1e-12))

    return (pull,)
