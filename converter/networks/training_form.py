"""A network's graph in the form that trains fastest and is easiest to differentiate; it computes the same.

- Shapes that the graph computes, and that are always the same, are constants; a RESHAPE of a RESHAPE is one.
- Dense layers and 1 x 1 convolutions whose weights are variables become products of matrices: XNNPACK takes
  BATCH_MATMUL whatever its operands are, but FULLY_CONNECTED and CONV_2D with constant weights alone. A step of
  MobileNetV2 takes 530 ms with the latter, 100 with the former (LiteRT 2.3, 96 px, width 0.35, 16 examples).
- Functions that TensorFlow's converter takes apart get back what they lost by it: softplus its large values, SELU its
  derivative at 0, a norm's inverse its value at 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tflite_transfer.converter.expressions import (
    Expression,
    Graph,
    exp,
    log,
    matmul,
    maximum,
    minimum,
    reshape,
    rsqrt,
    select,
    transpose,
)
from tflite_transfer.converter.gradients.rule import Call
from tflite_transfer.converter.networks.rewriting import Replacement
from tflite_transfer.reference.tflite.enums import ACTIVATIONS
from tflite_transfer.reference.tflite.graph import Operator


def reshape_(call: Call) -> Expression | None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS -> RESHAPE to a constant shape, of what the last one began with."""
    target = call.result.shape
    if target.count(-1) > 1:
        return None
    return reshape(_before_reshapes(call.operands[0]), target)


def _before_reshapes(x: Expression) -> Expression:
    while (writer := _writer(x, "RESHAPE")) is not None:
        x = x.graph[writer.inputs[0]]
    return x


def tile(call: Call) -> Expression | None:
    """TILE of more than four axes -> the same of four or fewer, where few are repeated: axes between are one."""
    x, times = call.operands
    if len(x.shape) < 5 or times.value is None:
        return None
    groups: list[list[int]] = []  # size, times
    for size, n in zip(x.shape, times.value.tolist(), strict=True):
        if groups and n == groups[-1][1] == 1:
            groups[-1][0] = -1 if -1 in (size, groups[-1][0]) else size * groups[-1][0]
        else:
            groups.append([size, n])
    if len(groups) > 4:
        return None
    merged = reshape(_before_reshapes(x), [size for size, _ in groups])
    shape = [size if size == -1 else size * n for size, n in groups]
    return reshape(_tile(merged, [n for _, n in groups], shape), call.result.shape)


def _tile(x: Expression, times: list[int], shape: list[int]) -> Expression:
    return x.graph.write("TILE", [x, x.graph.literal(np.array(times, np.int32))], shape, x.kind)


def transpose_(call: Call) -> Expression | None:
    """TRANSPOSE of more than four axes -> the same of four or fewer: axes that stay together are one."""
    x, order = call.operands
    if len(x.shape) < 5 or order.value is None:
        return None
    groups: list[list[int]] = []
    for axis in order.value.tolist():
        if groups and axis == groups[-1][-1] + 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if len(groups) > 4:
        return None
    before = sorted(groups)
    sizes = [[x.shape[axis] for axis in group] for group in before]
    merged = reshape(_before_reshapes(x), [-1 if -1 in s else math.prod(s) for s in sizes])
    return reshape(transpose(merged, [before.index(g) for g in groups]), call.result.shape)


def fully_connected(call: Call) -> Expression | None:
    """``x Wᵀ + b`` with variable weights -> BATCH_MATMUL and ADD."""
    graph, operator = call.graph, call.operator
    x, weights = call.operands[:2]
    if _is_fixed(weights):
        return None
    rows = reshape(_before_reshapes(x), (-1, weights.shape[1]))
    y = matmul(rows, weights, adj_y=True)
    return reshape(_finished(graph, y, operator.inputs, call.options), call.result.shape)


def conv_2d(call: Call) -> Expression | None:
    """A 1 x 1 convolution with variable filters -> BATCH_MATMUL and ADD, over all pixels of all examples."""
    graph, operator = call.graph, call.operator
    x, filters = call.operands[:2]
    strides = (call.options["stride_h"], call.options["stride_w"])
    if _is_fixed(filters) or filters.shape[1:3] != (1, 1) or strides != (1, 1):
        return None
    outputs, channels = filters.shape[0], filters.shape[3]
    if channels != x.shape[3]:
        return None
    rows = reshape(_before_reshapes(x), (-1, channels))
    y = matmul(rows, reshape(filters, (outputs, channels)), adj_y=True)
    return reshape(_finished(graph, y, operator.inputs, call.options), call.result.shape)


def softplus(call: Call) -> Expression | None:
    """``log(1 + e^x)``, infinite from x = 89 on -> the same with at most 80 for x, and x itself above.

    At 80 they are one: ``log(1 + e^x) - x`` is e^-x, less than a double can add to 80.
    """
    x = _exponent(_added(call.operands[0], 1.0))
    if x is None:
        return None
    return select(x > 80.0, x, log(exp(minimum(x, 80.0)) + 1.0))


def selu(call: Call) -> Expression | None:
    """``λ x where x > 0, else λ α (e^x - 1)`` -> the same where x >= 0, with at most 0 for the other x.

    TensorFlow's derivative at 0 is λ, not λ α; and far above 0 that of e^x is infinite, which times 0 is no number.
    """
    condition, above, below = call.operands
    greater, product = _writer(condition, "GREATER"), _writer(below, "MUL")
    if greater is None or product is None:
        return None
    x, bound = (call.graph[i] for i in greater.inputs)
    power, scale = (call.graph[i] for i in product.inputs)
    z = _exponent(_added(power, -1.0))
    if z is None or z.number != x.number or bound.value is None or bound.value.any():
        return None
    return select(x >= 0.0, above, (exp(minimum(x, 0.0)) - 1.0) * scale)


def bounded_rsqrt(call: Call) -> Expression | None:
    """``min(1 / √x, c)`` -> ``1 / √max(x, 1 / c²)``, which it was: at 0 XNNPACK's RSQRT gives NaN (LiteRT 2.3)."""
    inverse, bound = call.operands
    rsqrt_ = _writer(inverse, "RSQRT")
    if rsqrt_ is None or bound.value is None or bound.value.size != 1:
        return None
    return rsqrt(maximum(call.graph[rsqrt_.inputs[0]], float(bound.value.item()) ** -2))


def _is_fixed(weights: Expression) -> bool:
    """Does the file fix them, if as float16 that DEQUANTIZE widens?"""
    widened = _writer(weights, "DEQUANTIZE")
    return (weights if widened is None else weights.graph[widened.inputs[0]]).value is not None


def _exponent(x: Expression | None) -> Expression | None:
    """Z of ``e^z``."""
    power = None if x is None else _writer(x, "EXP")
    return None if x is None or power is None else x.graph[power.inputs[0]]


def _added(x: Expression, number: float) -> Expression | None:
    """Z of ``z + number``."""
    for opcode, sign in (("ADD", 1), ("SUB", -1)):
        writer = _writer(x, opcode)
        if writer is not None and not writer.options.get("fused_activation_function"):
            z, added = (x.graph[i] for i in writer.inputs)
            if added.value is not None and (sign * added.value == number).all():
                return z
    return None


def _writer(x: Expression, opcode: str) -> Operator | None:
    """The operator of that kind that computes x."""
    return next((o for o in reversed(x.graph.operators) if o.opcode == opcode and x.number in o.outputs), None)


def _finished(graph: Graph, y: Expression, inputs: tuple[int, ...], options: Mapping[str, int]) -> Expression:
    """With the bias, if there is one, and the activation."""
    activation = options.get("fused_activation_function", 0)
    if len(inputs) > 2 and inputs[2] >= 0:
        return graph.write("ADD", [y, graph[inputs[2]]], y.shape, fused_activation_function=activation)
    return graph.write(ACTIVATIONS[activation], [y], y.shape) if activation else y


RULES: Mapping[str, Replacement] = {
    "CONV_2D": conv_2d,
    "EXPAND_DIMS": reshape_,
    "FULLY_CONNECTED": fully_connected,
    "LOG": softplus,
    "MINIMUM": bounded_rsqrt,
    "RESHAPE": reshape_,
    "SELECT": selu,
    "SELECT_V2": selu,
    "SQUEEZE": reshape_,
    "TILE": tile,
    "TRANSPOSE": transpose_,
}
