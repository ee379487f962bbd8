"""Functions of each element."""

from __future__ import annotations

from tflite_transfer.converter.expressions.graph import Expression, Operand, binary, broadcast
from tflite_transfer.reference.tflite.enums import TENSOR_TYPES


def _unary(opcode: str, x: Expression) -> Expression:
    return x.graph.write(opcode, [x], x.shape, x.kind)


def exp(x: Expression) -> Expression:
    """``e^x``."""
    return _unary("EXP", x)


def log(x: Expression) -> Expression:
    """The natural logarithm."""
    return _unary("LOG", x)


def sqrt(x: Expression) -> Expression:
    """``√x``."""
    return _unary("SQRT", x)


def rsqrt(x: Expression) -> Expression:
    """``1 / √x``."""
    return _unary("RSQRT", x)


def square(x: Expression) -> Expression:
    """``x²``."""
    return _unary("SQUARE", x)


def absolute(x: Expression) -> Expression:
    """``|x|``."""
    return _unary("ABS", x)


def sign(x: Expression) -> Expression:
    """-1, 0 or 1."""
    return _unary("SIGN", x)


def sin(x: Expression) -> Expression:
    """The sine."""
    return _unary("SIN", x)


def cos(x: Expression) -> Expression:
    """The cosine."""
    return _unary("COS", x)


def tanh(x: Expression) -> Expression:
    """The hyperbolic tangent."""
    return _unary("TANH", x)


def logistic(x: Expression) -> Expression:
    """``1 / (1 + e^-x)``."""
    return _unary("LOGISTIC", x)


def zeros_like(x: Expression) -> Expression:
    """0 in x's shape, whatever x holds."""
    return _unary("ZEROS_LIKE", x)


def softmax(x: Expression) -> Expression:
    """Probabilities along the last axis."""
    return x.graph.write("SOFTMAX", [x], x.shape, beta=1.0)


def log_softmax(x: Expression) -> Expression:
    """The logarithm of ``softmax``, without its underflow."""
    return _unary("LOG_SOFTMAX", x)


def maximum(a: Expression, b: Operand) -> Expression:
    """The larger of two."""
    return binary("MAXIMUM", a, b)


def minimum(a: Expression, b: Operand) -> Expression:
    """The smaller of two."""
    return binary("MINIMUM", a, b)


def power(a: Expression, b: Operand) -> Expression:
    """``a^b``."""
    return binary("POW", a, b)


def equal(a: Expression, b: Operand) -> Expression:
    """Booleans."""
    return binary("EQUAL", a, b, "BOOL")


def select(condition: Expression, a: Expression, b: Operand) -> Expression:
    """``a`` where the condition is true, elsewhere ``b``; all three are broadcast."""
    b = a.like(b)
    shape = broadcast(condition.shape, broadcast(a.shape, b.shape))
    return a.graph.write("SELECT_V2", [condition, a, b], shape, a.kind)


def cast(x: Expression, kind: str) -> Expression:
    """The same numbers in another type."""
    codes = (TENSOR_TYPES.index(x.kind), TENSOR_TYPES.index(kind))
    return x.graph.write("CAST", [x], x.shape, kind, in_data_type=codes[0], out_data_type=codes[1])


def indicator(condition: Expression) -> Expression:
    """1.0 where the condition is true, elsewhere 0.0."""
    return cast(condition, "FLOAT32")
