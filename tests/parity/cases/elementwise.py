"""Functions of one array, each element alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import Case, case, fixed, normal
from tests.parity.rules import RULES

F32, I32, I64 = np.float32, np.int32, np.int64


def cases() -> Iterator[Case]:
    x, positive = normal(4000, scale=4), np.abs(normal(4000, seed=3))
    special = np.array([np.nan, np.inf, -np.inf, 0, 7, -7, 0.5], F32)
    for opcode in ("ABS", "NEG", "SQUARE", "RELU", "RELU6", "RELU_N1_TO_1"):
        yield from (case(opcode, x), case(opcode, special))
    yield from (case("LEAKY_RELU", v, alpha=0.3) for v in (x, special))
    yield from (case(opcode, positive, rule=RULES[opcode]) for opcode in ("SQRT", "RSQRT"))
    yield case("LOG", positive, rule=RULES["LOG"])
    yield from (case(opcode, x, rule=RULES[opcode]) for opcode in ("EXP", "LOGISTIC", "TANH", "HARD_SWISH"))
    yield case("POW", positive, normal(4000, seed=9), rule=RULES["POW"])
    yield case("POW", fixed(0.999, F32), np.arange(1, 3000, dtype=F32), rule=RULES["POW"])
    yield case("POW", np.array([2, 3, -2, 10], I32), np.array([10, 4, 3, 2], I32))
    yield from (case(opcode, np.array([7, -7, 0], I32)) for opcode in ("ABS", "NEG"))
    yield from (case("CAST", normal(50, scale=3), kind=k, out_data_type=n) for k, n in (("INT32", 2), ("BOOL", 6)))
    yield from (case("CAST", np.array([1, 0, -3], d), kind="FLOAT32", out_data_type=0) for d in (I32, I64, np.int8))
    yield case("CAST", normal(50, scale=300), kind="FLOAT16", out_data_type=1)
    yield case("CAST", np.array([2.5, -2.5, 0.1], F32), kind="INT64")  # without the option, as TensorFlow writes it
    yield case("DEQUANTIZE", normal(50).astype(np.float16), kind="FLOAT32")
