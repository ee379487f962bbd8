"""Gradients of functions of each element. Operands are broadcast, so that each one's gradient is summed to its shape.

A rule takes the graph, the operator and dy, and gives for each operand what writes its gradient, if that is wanted.
"""

from __future__ import annotations

from tflite_transfer.converter.expressions import (
    Expression,
    cos,
    indicator,
    log,
    power,
    reshape,
    select,
    sign,
    sin,
    square,
    sum_to,
)
from tflite_transfer.converter.gradients.rule import Call, Pulled


def add(call: Call, dy: Expression) -> Pulled:
    """``y = a + b``: ``da = dy``, ``db = dy``."""
    a, b = call.operands
    return (lambda: sum_to(dy, a.shape)), (lambda: sum_to(dy, b.shape))


def sub(call: Call, dy: Expression) -> Pulled:
    """``y = a - b``: ``da = dy``, ``db = -dy``."""
    a, b = call.operands
    return (lambda: sum_to(dy, a.shape)), (lambda: -sum_to(dy, b.shape))


def mul(call: Call, dy: Expression) -> Pulled:
    """``y = a b``: ``da = dy b``, ``db = dy a``."""
    a, b = call.operands
    return (lambda: sum_to(dy * b, a.shape)), (lambda: sum_to(dy * a, b.shape))


def div(call: Call, dy: Expression) -> Pulled:
    """``y = a / b``: ``da = dy / b``, ``db = -dy y / b``."""
    (a, b), y = call.operands, call.result
    return (lambda: sum_to(dy / b, a.shape)), (lambda: -sum_to(dy * y / b, b.shape))


def squared_difference(call: Call, dy: Expression) -> Pulled:
    """``y = (a - b)²``: ``da = 2 dy (a - b)``, ``db = -da``."""
    a, b = call.operands
    return (lambda: sum_to(2.0 * dy * (a - b), a.shape)), (lambda: sum_to(2.0 * dy * (b - a), b.shape))


def maximum(call: Call, dy: Expression) -> Pulled:
    """``y = max(a, b)``: dy to the larger; where both are equal to a, as in TensorFlow."""
    a, b = call.operands
    return (lambda: sum_to(dy * indicator(a >= b), a.shape)), (lambda: sum_to(dy * indicator(b > a), b.shape))


def minimum(call: Call, dy: Expression) -> Pulled:
    """``y = min(a, b)``: dy to the smaller; where both are equal to a, as in TensorFlow."""
    a, b = call.operands
    return (lambda: sum_to(dy * indicator(a <= b), a.shape)), (lambda: sum_to(dy * indicator(b < a), b.shape))


def power_(call: Call, dy: Expression) -> Pulled:
    """``y = a^b``: ``da = dy b a^(b-1)``, ``db = dy y log a``, as in TensorFlow 0 where a is not above 0."""
    (a, b), y = call.operands, call.result

    def exponent() -> Expression:
        above = a > 0.0
        return sum_to(dy * select(above, y * log(select(above, a, 1.0)), 0.0), b.shape)

    return (lambda: sum_to(dy * b * power(a, b - 1.0), a.shape)), exponent


def add_n(call: Call, dy: Expression) -> Pulled:
    """``y = a + b + ...``: dy for each."""
    return tuple(lambda: dy for _ in call.operands)


def select_(call: Call, dy: Expression) -> Pulled:
    """``y = a where c, else b``: dy to the one that was taken. SELECT has one c for each row of a, or all."""
    c, a, b = call.operands
    if call.opcode == "SELECT":
        c = reshape(c, (*c.shape, *(1 for _ in a.shape[len(c.shape) :])))

    def chosen(part: Expression, *, taken: bool) -> Expression:
        zero = dy.like(0.0)
        return sum_to(select(c, dy, zero) if taken else select(c, zero, dy), part.shape)

    return None, (lambda: chosen(a, taken=True)), (lambda: chosen(b, taken=False))


def neg(call: Call, dy: Expression) -> Pulled:
    """``y = -x``: ``dx = -dy``."""
    return (lambda: -dy,)


def absolute_(call: Call, dy: Expression) -> Pulled:
    """``y = |x|``: ``dx = dy sign(x)``, 0 at 0."""
    (x,) = call.operands
    return (lambda: dy * sign(x),)


def square_(call: Call, dy: Expression) -> Pulled:
    """``y = x²``: ``dx = 2 dy x``."""
    (x,) = call.operands
    return (lambda: 2.0 * dy * x,)


def sqrt(call: Call, dy: Expression) -> Pulled:
    """``y = √x``: ``dx = dy / 2y``."""
    y = call.result
    return (lambda: 0.5 * dy / y,)


def rsqrt(call: Call, dy: Expression) -> Pulled:
    """``y = 1 / √x``: ``dx = -dy y³ / 2``."""
    y = call.result
    return (lambda: -0.5 * dy * y * square(y),)


def exp(call: Call, dy: Expression) -> Pulled:
    """``y = e^x``: ``dx = dy y``."""
    y = call.result
    return (lambda: dy * y,)


def log_(call: Call, dy: Expression) -> Pulled:
    """``y = log x``: ``dx = dy / x``."""
    (x,) = call.operands
    return (lambda: dy / x,)


def sin_(call: Call, dy: Expression) -> Pulled:
    """``y = sin x``: ``dx = dy cos x``."""
    (x,) = call.operands
    return (lambda: dy * cos(x),)


def cos_(call: Call, dy: Expression) -> Pulled:
    """``y = cos x``: ``dx = -dy sin x``."""
    (x,) = call.operands
    return (lambda: -(dy * sin(x)),)


def nothing(call: Call, dy: Expression) -> Pulled:
    """Steps (FLOOR, ROUND, SIGN, ...) and constants (ZEROS_LIKE, ...): no gradient goes through."""
    return tuple(None for _ in call.operands)


def same(call: Call, dy: Expression) -> Pulled:
    """``y = x`` in another form: ``dx = dy``."""
    return (lambda: dy,)
