"""Gradients of activations. Most need only the result y, which is there anyway."""

from __future__ import annotations

import math

from tflite_transfer.converter.expressions import (
    Expression,
    exp,
    indicator,
    minimum,
    select,
    square,
    sum_to,
    tanh,
    total,
)
from tflite_transfer.converter.gradients.rule import Call, Pulled, Rule


def before_activation(name: str, y: Expression, dy: Expression) -> Expression:
    """The gradient in front of a fused activation, from its result.

    At a bound there is none: as in TensorFlow, for RELU where y = 0, for RELU6 where y = 0 or 6. One product tells
    both, since LOGICAL_AND is slow in LiteRT.
    """
    if name == "RELU":
        return dy * indicator(y > 0.0)
    if name == "RELU6":
        return dy * indicator(y * (6.0 - y) > 0.0)
    if name == "RELU_N1_TO_1":
        return dy * indicator(square(y) < 1.0)
    if name == "TANH":
        return dy * (1.0 - square(y))
    return dy


def _from_result(name: str, told: str) -> Rule:
    def rule(call: Call, dy: Expression) -> Pulled:
        return (lambda: before_activation(name, call.result, dy),)

    rule.__doc__ = told
    return rule


relu = _from_result("RELU", "``y = max(x, 0)``: ``dx = dy`` where ``y > 0``.")
relu6 = _from_result("RELU6", "``y = min(max(x, 0), 6)``: ``dx = dy`` where ``0 < y < 6``.")
relu_n1_to_1 = _from_result("RELU_N1_TO_1", "``y = min(max(x, -1), 1)``: ``dx = dy`` where ``-1 < y < 1``.")
tanh_ = _from_result("TANH", "``y = tanh x``: ``dx = dy (1 - y²)``.")


def logistic(call: Call, dy: Expression) -> Pulled:
    """``y = 1 / (1 + e^-x)``: ``dx = dy y (1 - y)``."""
    y = call.result
    return (lambda: dy * y * (1.0 - y),)


def leaky_relu(call: Call, dy: Expression) -> Pulled:
    """``y = x, or α x where x < 0``: ``dx = dy, or α dy``, this also at 0."""
    (x,) = call.operands
    return (lambda: select(x > 0.0, dy, call.options["alpha"] * dy),)


def prelu(call: Call, dy: Expression) -> Pulled:
    """``y = x, or α x where x < 0``, α learned: ``dx = dy, or α dy``, ``dα = dy min(x, 0)``.

    Keras computes ``relu(x) - α relu(-x)``, and so has no gradient at 0.
    """
    x, alpha = call.operands
    return (
        lambda: select(x > 0.0, dy, alpha * dy * indicator(x < 0.0)),
        lambda: sum_to(dy * minimum(x, 0.0), alpha.shape),
    )


def elu(call: Call, dy: Expression) -> Pulled:
    """``y = x, or e^x - 1 where x < 0``: ``dx = dy, or dy (y + 1)``."""
    y = call.result
    return (lambda: dy * (minimum(y, 0.0) + 1.0),)


def hard_swish(call: Call, dy: Expression) -> Pulled:
    """``y = x min(max(x + 3, 0), 6) / 6``: ``dx = dy (x / 3 + 1/2)`` within -3 and 3, 0 below, dy above."""
    (x,) = call.operands
    return (lambda: dy * select(square(x) < 9.0, x * (1 / 3) + 0.5, indicator(x >= 3.0)),)


def gelu(call: Call, dy: Expression) -> Pulled:
    """With ``y = x Φ(x)``, Φ the normal distribution and φ its density: ``dx = dy (Φ(x) + x φ(x))``.

    Approximate, Φ is ``(1 + tanh u) / 2`` with ``u = √(2/π) (x + 0.044715 x³)``: Hendrycks and Gimpel, 2016.
    """
    (x,) = call.operands
    return (lambda: dy * (_tanh_slope(x) if call.options.get("approximate") else _normal_slope(x, call.result)),)


def _tanh_slope(x: Expression) -> Expression:
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    t = tanh(scale * x * (1.0 + cubic * square(x)))
    inner = scale * (1.0 + 3 * cubic * square(x))
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - square(t)) * inner


def _normal_slope(x: Expression, y: Expression) -> Expression:
    """There is no ERF: Φ(x) is y / x, and near 0, where that has no digits left, ``1/2 + φ(0) x``.

    At |x| = 2^-8, where they meet, the line is off by φ(0) x³ / 6 = 4e-9.
    """
    density = (1 / math.sqrt(2 * math.pi)) * exp(-0.5 * square(x))
    near = square(x) < 2.0**-16
    phi = select(near, 0.5 + (1 / math.sqrt(2 * math.pi)) * x, y / select(near, x.like(1.0), x))
    return phi + x * density


def softmax(call: Call, dy: Expression) -> Pulled:
    """SOFTMAX of β x along the last axis: ``dx = β y (dy - Σ dy y)``."""
    y = call.result
    beta = call.options.get("beta", 1.0)

    def pull() -> Expression:
        dx = y * (dy - total(dy * y, [-1], keep=True))
        return dx if beta == 1 else beta * dx

    return (pull,)


def log_softmax_(call: Call, dy: Expression) -> Pulled:
    """``y = log softmax(x)``: ``dx = dy - softmax(x) Σ dy``, the sum along the last axis."""
    y = call.result
    return (lambda: dy - exp(y) * total(dy, [-1], keep=True),)
