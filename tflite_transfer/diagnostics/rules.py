"""How far two engines may be apart on an operator: a rule an operator, and what two of them add up to.

Each rule is a distance from the plain definition in float32; two engines may be apart by both of theirs. Operators that
no table names are equal. The numbers are about twice the largest difference from LiteRT 2.3 on an AVX-512 machine,
which stands beside them: default, reference. tests/parity holds each against cases and what hypothesis draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tflite_transfer.diagnostics.bounds import (
    TINY,
    Call,
    Rule,
    Terms,
    blend,
    exponential,
    factors,
    first,
    hard_swish,
    in_order,
    of_input,
    products_in_order,
    slid,
    ulps,
    units,
)
from tflite_transfer.diagnostics.sides import ORACLE
from tflite_transfer.reference.kernels.table import FAST
from tflite_transfer.reference.tflite.graph import Array

# LiteRT's kernels, by resolver where these differ.
RULES: Mapping[str, Rule | Mapping[str, Rule]] = {
    "ATAN2": ulps(4),  # 2, 2
    "AVERAGE_POOL_2D": Terms(5),  # 2.7, 0
    "BATCH_MATMUL": Terms(7),  # 2.5, 3.5
    "COMPLEX_ABS": ulps(2),  # 1, 1
    "CONV_2D": Terms(12),  # 5.6, 5.6
    "CONV_3D": Terms(8),  # 3.8, 3.8
    "CONV_3D_TRANSPOSE": Terms(7),  # 3.6, 3.6
    "COS": {"reference": units(2), "default": units(14)},  # 7.0, 1.0
    "DEPTHWISE_CONV_2D": Terms(7),  # 3.4, 3.3
    "ELU": ulps(4),  # 2, none
    "EXP": {"reference": ulps(4), "default": exponential(4)},
    "FULLY_CONNECTED": Terms(20),  # 9.8, 5.2
    "GELU": of_input(8),  # 3.6, 3.5
    "HARD_SWISH": {"reference": ulps(0), "default": hard_swish},  # 2.8, 0
    "L2_NORMALIZATION": ulps(20),  # 10: 1,000 in a row
    "L2_POOL_2D": Terms(5),  # 2.0, 0
    "LOCAL_RESPONSE_NORMALIZATION": slid,
    "LOG": {"reference": units(4), "default": units(8)},  # 4.0, 2.0
    "LOGISTIC": units(4),  # 2.0, 2.0
    "LOG_SOFTMAX": units(8),  # 3.5, 4.0
    "LSTM": units(14),  # 6.7, 6.7
    "MEAN": Terms(4),
    "POW": ulps(2),  # 1, 1
    "REDUCE_PROD": factors,  # 0, 0
    "RESIZE_BILINEAR": blend(3),  # 1.1, 1.3
    "RNN": units(14),
    "RSQRT": {"reference": ulps(0), "default": ulps(4)},  # 2, 0
    "SIN": {"reference": units(2), "default": units(14)},  # 6.3, 1.0
    "SOFTMAX": {"reference": ulps(16), "default": exponential(16)},  # 7, 8
    "SQRT": {"reference": ulps(0), "default": ulps(6)},  # 3, 0
    "SUM": Terms(4),
    "SVDF": units(5),  # 2.0, 2.0
    "TANH": ulps(8),  # 4, 3
    "TRANSPOSE_CONV": Terms(8),  # 3.8, 3.8
}

# What float32 rounds of the exact value, by the plain definitions: measured over all cases of tests/parity.
ROUNDING: Mapping[str, Rule] = {
    "ADD_N": Terms(4),  # 2.0
    "AVERAGE_POOL_2D": Terms(5),  # 2.1
    "BATCH_MATMUL": Terms(7),  # 1.2
    "CONV_2D": Terms(12),  # 4.4
    "CONV_3D": Terms(8),  # 2.0
    "CONV_3D_TRANSPOSE": Terms(7),  # 2.1
    "CUMSUM": Terms(4),
    "DEPTHWISE_CONV_2D": Terms(7),  # 2.0
    "ELU": ulps(8),  # 3
    "EMBEDDING_LOOKUP_SPARSE": Terms(4),
    "EXP": ulps(5),  # 2.1
    "FULLY_CONNECTED": Terms(20),  # 2.0
    "GELU": of_input(8),  # 1.7
    "L2_NORMALIZATION": ulps(20),
    "LOCAL_RESPONSE_NORMALIZATION": ulps(8),
    "LOG": units(4),  # 1.8
    "LOGISTIC": ulps(8),  # 3.0
    "LOG_SOFTMAX": units(8),  # 3.5
    "LSTM": units(14),
    "MEAN": Terms(4),  # 1.1
    "REDUCE_PROD": factors,  # 0.04 of it
    "RESIZE_BILINEAR": blend(3),  # 0.9
    "RNN": units(14),
    "SEGMENT_SUM": Terms(4),
    "SOFTMAX": exponential(40),  # 19: one sum of 1,000
    "SUM": Terms(4),  # 1.1
    "SVDF": units(14),
    "TRANSPOSE_CONV": Terms(8),  # 2.2
    "UNSORTED_SEGMENT_PROD": factors,
    "UNSORTED_SEGMENT_SUM": Terms(8),
}
_ONE_ROUNDING = ulps(4)  # 1.8, where an operator rounds twice; else a half


def _of_window(call: Call, _: Array) -> int:
    return call.options["filter_height"] * call.options["filter_width"]


def _of_each(call: Call, y: Array) -> int:
    """Values of x to a result."""
    return first(call).size // max(y.size, 1)


def _of_filter(call: Call, _: Array) -> int:
    """Outputs first."""
    return math.prod(call.values[1].shape[1:])  # type: ignore[union-attr]


def _of_row(call: Call, _: Array) -> int:
    return first(call).shape[-1]


# How many terms a result adds.
_TERMS: Mapping[str, Callable[[Call, Array], int]] = {
    "AVERAGE_POOL_2D": _of_window,
    "BATCH_MATMUL": lambda call, _: first(call).shape[-2 if call.options.get("adj_x") else -1],
    "CONV_2D": _of_filter,
    "CONV_3D": lambda call, _: math.prod(call.values[1].shape[:-1]),  # type: ignore[union-attr]
    "CONV_3D_TRANSPOSE": lambda call, _: math.prod(call.values[1].shape[:3]) * call.values[1].shape[-1],  # type: ignore[union-attr]
    "CUMSUM": lambda call, _: first(call).shape[int(call.values[1].reshape(()))],  # type: ignore[union-attr]
    "DEPTHWISE_CONV_2D": lambda call, _: math.prod(call.values[1].shape[1:3]),  # type: ignore[union-attr]
    "FULLY_CONNECTED": _of_filter,
    "L2_NORMALIZATION": _of_row,
    "L2_POOL_2D": _of_window,
    "LOG_SOFTMAX": _of_row,
    "MEAN": _of_each,
    "SEGMENT_SUM": lambda call, _: len(first(call)),
    "SOFTMAX": _of_row,
    "SUM": _of_each,
    "TRANSPOSE_CONV": _of_filter,
    "UNSORTED_SEGMENT_SUM": lambda call, _: len(first(call)),
}

# Where terms are often equal, roundings go one way: what a running sum of these very terms loses.
_IN_ORDER: Mapping[str, Callable[[Call], Array]] = {
    "BATCH_MATMUL": products_in_order,
    "MEAN": in_order,
    "SUM": in_order,
}

# Our numba kernels add in another order than the plain definitions, and have an exponential of their own.
_COMPILED = frozenset(FAST)
# Steps of stored integers that XNNPACK, which multiplies by floats, may be off.
_STEPS: Mapping[str, int] = {"LOG_SOFTMAX": 2}
# Of int16 the default resolver has polynomials in 16 bits: 7, 11 seen.
_POLYNOMIALS = frozenset({"LOGISTIC", "TANH"})


def allowed(engines: Sequence[str], call: Call, y: Array, *, stored: bool) -> Any:
    """How far they may be apart on a call, whose result is ``y``. ``stored``: integers that stand for numbers."""
    return sum(_from_plain(engine, call, y, stored) for engine in engines)


def _from_plain(engine: str, call: Call, y: Array, stored: bool) -> Any:
    if stored:
        return _steps(call.opcode, y) if engine in ("tflite", "tflite-xnnpack") else 0
    if y.dtype.kind not in "fc" or engine == "numpy-nojit" or (engine == "numpy" and call.opcode not in _COMPILED):
        return 0
    if engine == ORACLE:
        return _grown(ROUNDING.get(call.opcode, _ONE_ROUNDING), call, y)
    resolver = "default" if engine.startswith("tflite") and engine != "tflite-ref" else "reference"
    rule = RULES.get(call.opcode, ulps(0))
    flushed = TINY if resolver == "default" and y.dtype == np.float32 else 0
    return _grown(rule[resolver] if isinstance(rule, Mapping) else rule, call, y) + flushed


def _grown(rule: Rule, call: Call, y: Array) -> Any:
    """A rule, and the square root of how many terms are added: so many roundings one after another come to at random.

    Seen, of terms of one sign, LiteRT's reference kernels: 3.3 of 49, 16 of 784, 63 of 12,544, 114 of 62,720.
    """
    counted = _TERMS.get(call.opcode)
    if counted is None:
        return rule(call, y)
    terms = counted(call, y)
    more = math.sqrt(terms)
    if isinstance(rule, Terms) and call.opcode in _IN_ORDER:
        return rule(call, y, more) + 2 * _IN_ORDER[call.opcode](call)
    if isinstance(rule, Terms):
        return rule(call, y, more + (terms / 4 if call.opcode == "AVERAGE_POOL_2D" else 0))
    return rule(call, y) + (units if call.opcode == "LOG_SOFTMAX" else ulps)(more)(call, y)


def _steps(opcode: str, y: Array) -> int:
    return 22 if opcode in _POLYNOMIALS and y.dtype == np.int16 else _STEPS.get(opcode, 1)
