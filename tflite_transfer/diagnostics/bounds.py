"""How far an operator's result may be from the plain definition's in float32, by what it computes and by its inputs.

An engine adds in its own order and has functions of its own, so that results differ by roundings. Each family of bounds
says by how many: ``terms`` for sums, whose roundings are shares of the sum of the terms' magnitudes, however much these
cancel; ``ulps``, ``units`` and their kind for functions; steps for stored integers. What is not named here is equal. The
numbers are about twice the largest difference from LiteRT 2.3 on an AVX-512 machine, which stands beside them: default,
reference. tests/parity holds each against cases and against what hypothesis draws.

Two engines may be apart by what either of them may be from the plain definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tflite_transfer.diagnostics.sides import ORACLE
from tflite_transfer.reference.tflite.graph import Array

TINY = float(np.finfo(np.float32).tiny)  # the least normal number: XNNPACK takes and makes 0 of what is smaller


class Call(NamedTuple):
    """An operator with what it is given: its plain function, and the options that this takes."""

    opcode: str
    function: Callable[..., Any]
    values: Sequence[Array | None]
    options: Mapping[str, Any]


Rule = Callable[[Call, Array], Any]  # (call, result) -> the largest |difference|, broadcast to the result
Rules = Mapping[str, Rule | Mapping[str, Rule]]


def ulps(count: float) -> Rule:
    """Units in the last place of each result; of integers, as many."""

    def bound(_: Call, y: Array) -> Any:
        with np.errstate(all="ignore"):  # those of infinity
            return count * (np.spacing(np.abs(y)) if count and y.dtype.kind in "fc" else 1)

    return bound


def units(c: float) -> Rule:
    """``c 2^-24``, relative where results are larger than 1."""
    return lambda _, y: c * 2**-24 * np.maximum(1, np.abs(y))


def terms(c: float) -> Rule:
    """``c 2^-24 sum|terms|``: the operator in double, on absolute values. Where that is infinite or NaN, 0.

    And the least normal number: products that are smaller are rounded to a multiple of the least number.
    """

    def bound(call: Call, _: Array) -> Any:
        values = [np.abs(v.astype(np.float64)) if v is not None and v.dtype.kind == "f" else v for v in call.values]
        with np.errstate(all="ignore"):
            allowed = c * 2**-24 * call.function(*values, **call.options) + TINY
        return np.where(np.isfinite(allowed), allowed, 0)

    return bound


def of_input(c: float) -> Rule:
    """``c 2^-24 |x|``, and the least normal number: XNNPACK gives 0 for what is smaller."""
    return lambda call, _: c * 2**-24 * np.abs(_first(call)) + TINY


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
    return lambda call, _: c * 2**-24 * np.abs(_first(call)).max() * (1 + sum(_first(call).shape[1:3]))


def factors(call: Call, y: Array) -> Array:
    """A rounding for each factor."""
    return _first(call).size * 2**-24 * np.abs(y)


def hard_swish(call: Call, _: Array) -> Array:
    """``6 2^-24 |x| (|x| + 3) / 6``."""
    x = np.abs(_first(call).astype(np.float64))
    return 6 * 2**-24 * x * (x + 3) / 6


def slid(call: Call, y: Array) -> Any:
    """LiteRT's window slides: what it adds and takes away again leaves an error as large as all of the channels. 1.8"""
    everything = (_first(call) ** 2).sum(axis=-1, keepdims=True)
    return 4 * 2**-24 * np.abs(y) * (1 + call.options["alpha"] * everything / call.options["bias"])


def _first(call: Call) -> Array:
    """The operator's x."""
    return next(v for v in call.values if v is not None)


# LiteRT's kernels, by resolver where these differ.
RULES: Rules = {
    "ATAN2": ulps(4),  # 2, 2
    "AVERAGE_POOL_2D": terms(5),  # 2.7, 0
    "BATCH_MATMUL": terms(7),  # 2.5, 3.5
    "COMPLEX_ABS": ulps(2),  # 1, 1
    "CONV_2D": terms(12),  # 5.6, 5.6
    "CONV_3D": terms(8),  # 3.8, 3.8
    "CONV_3D_TRANSPOSE": terms(7),  # 3.6, 3.6
    "COS": {"reference": units(2), "default": units(14)},  # 7.0, 1.0
    "DEPTHWISE_CONV_2D": terms(7),  # 3.4, 3.3
    "ELU": ulps(4),  # 2, none
    "EXP": {"reference": ulps(4), "default": exponential(4)},
    "FULLY_CONNECTED": terms(20),  # 9.8, 5.2
    "GELU": of_input(8),  # 3.6, 3.5
    "HARD_SWISH": {"reference": ulps(0), "default": hard_swish},  # 2.8, 0
    "L2_NORMALIZATION": ulps(20),  # 10: 1,000 in a row
    "L2_POOL_2D": terms(5),  # 2.0, 0
    "LOCAL_RESPONSE_NORMALIZATION": slid,
    "LOG": {"reference": units(4), "default": units(8)},  # 4.0, 2.0
    "LOGISTIC": units(4),  # 2.0, 2.0
    "LOG_SOFTMAX": units(8),  # 3.5, 4.0
    "LSTM": units(14),  # 6.7, 6.7
    "MEAN": terms(4),
    "POW": ulps(2),  # 1, 1
    "REDUCE_PROD": factors,  # 0, 0
    "RESIZE_BILINEAR": blend(3),  # 1.1, 1.3
    "RNN": units(14),
    "RSQRT": {"reference": ulps(0), "default": ulps(4)},  # 2, 0
    "SIN": {"reference": units(2), "default": units(14)},  # 6.3, 1.0
    "SOFTMAX": {"reference": ulps(16), "default": exponential(16)},  # 7, 8
    "SQRT": {"reference": ulps(0), "default": ulps(6)},  # 3, 0
    "SUM": terms(4),
    "SVDF": units(5),  # 2.0, 2.0
    "TANH": ulps(8),  # 4, 3
    "TRANSPOSE_CONV": terms(8),  # 3.8, 3.8
}

# What float32 rounds of the exact value, by the plain definitions: measured over all cases of tests/parity.
ROUNDING: Mapping[str, Rule] = {
    "ADD_N": terms(4),  # 2.0
    "AVERAGE_POOL_2D": terms(5),  # 2.1
    "BATCH_MATMUL": terms(7),  # 1.2
    "CONV_2D": terms(12),  # 4.4
    "CONV_3D": terms(8),  # 2.0
    "CONV_3D_TRANSPOSE": terms(7),  # 2.1
    "CUMSUM": terms(40),
    "DEPTHWISE_CONV_2D": terms(7),  # 2.0
    "EMBEDDING_LOOKUP_SPARSE": terms(4),
    "EXP": ulps(5),  # 2.1
    "FULLY_CONNECTED": terms(20),  # 2.0
    "GELU": of_input(8),  # 1.7
    "L2_NORMALIZATION": ulps(20),
    "LOCAL_RESPONSE_NORMALIZATION": ulps(8),
    "LOG": units(4),  # 1.8
    "LOGISTIC": ulps(8),  # 3.0
    "LOG_SOFTMAX": units(8),  # 3.5
    "LSTM": units(14),
    "MEAN": terms(4),  # 1.1
    "REDUCE_PROD": factors,  # 0.04 of it
    "RESIZE_BILINEAR": blend(3),  # 0.9
    "RNN": units(14),
    "SEGMENT_SUM": terms(8),
    "SOFTMAX": exponential(40),  # 19: one sum of 1,000
    "SUM": terms(4),  # 1.1
    "SVDF": units(14),
    "TRANSPOSE_CONV": terms(8),  # 2.2
    "UNSORTED_SEGMENT_PROD": factors,
    "UNSORTED_SEGMENT_SUM": terms(8),
}
_ONE_ROUNDING = ulps(4)  # 1.8, where an operator rounds twice; else a half

# Our numba kernels add in another order than the plain definitions.
_COMPILED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
# Steps of stored integers that XNNPACK, which multiplies by floats, may be off.
_STEPS: Mapping[str, int] = {"LOG_SOFTMAX": 2}
# Of int16 the default resolver has polynomials in 16 bits: 7, 11 seen.
_POLYNOMIALS = frozenset({"LOGISTIC", "TANH"})


def allowed(engines: tuple[str, str], call: Call, y: Array, *, stored: bool) -> Any:
    """How far two engines may be apart on a call, whose result is ``y``. ``stored``: integers that stand for numbers."""
    return sum(_from_plain(engine, call, y, stored) for engine in engines)


def _from_plain(engine: str, call: Call, y: Array, stored: bool) -> Any:
    if stored:
        return _steps(call.opcode, y) if engine in ("tflite", "tflite-xnnpack") else 0
    if y.dtype.kind not in "fc" or engine == "numpy-nojit":
        return 0
    if engine == ORACLE:
        return ROUNDING.get(call.opcode, _ONE_ROUNDING)(call, y)
    if engine == "numpy":
        return RULES[call.opcode](call, y) if call.opcode in _COMPILED else 0  # type: ignore[operator]
    rule = RULES.get(call.opcode, ulps(0))
    resolver = "reference" if engine == "tflite-ref" else "default"
    flushed = 0 if engine == "tflite-ref" else TINY
    return (rule[resolver] if isinstance(rule, Mapping) else rule)(call, y) + flushed


def inputs_in_8_bits(call: Call, widened: bool) -> Any:
    """Where weights alone are int8, LiteRT rounds x to 8 bits too: to within half a step of ``max|x| / 127``.

    So a sum is off by at most ``max|x| / 254 sum|w|``: the operator itself, on such an x and such weights.
    """
    if not widened or call.opcode not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    x, weights = call.values[:2]
    assert x is not None
    assert weights is not None
    return call.function(np.full_like(x, np.abs(x).max() / 254), np.abs(weights), **call.options)


def _steps(opcode: str, y: Array) -> int:
    return 22 if opcode in _POLYNOMIALS and y.dtype == np.int16 else _STEPS.get(opcode, 1)
