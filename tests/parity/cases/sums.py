"""Products of matrices, reductions, softmax."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import Case, case, fixed, normal, weights
from tests.parity.rules import RULES
from tflite_transfer.diagnostics.bounds import ulps, units

RELU, RELU_N1_TO_1, RELU6 = FUSED = 1, 2, 3
F32, I32, I64 = np.float32, np.int32, np.int64


def cases() -> Iterator[Case]:
    product = RULES["FULLY_CONNECTED"]
    w, b = weights(5, 40), weights(5)
    for x in (normal(3, 40), normal(2, 3, 40), normal(2, 4, 10)):
        yield from (case("FULLY_CONNECTED", x, w, b, rule=product), case("FULLY_CONNECTED", x, w, rule=product))
    yield case("FULLY_CONNECTED", normal(2, 3, 40), w, b, rule=product, keep_num_dims=True)
    yield case("FULLY_CONNECTED", normal(3, 40), w.value, b.value, rule=product)
    yield case("FULLY_CONNECTED", normal(3, 1280), weights(17, 1280), weights(17), rule=product)
    yield from (case("FULLY_CONNECTED", normal(3, 40), w, b, rule=product, fused_activation_function=n) for n in FUSED)
    for a, c in (((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (3, 4, 5)), ((32, 1280), (1280, 10))):
        for x, y in ((False, False), (True, False), (False, True), (True, True)):
            left, right = normal(*a), normal(*c, seed=1)
            left, right = left.swapaxes(-1, -2).copy() if x else left, right.swapaxes(-1, -2).copy() if y else right
            yield case("BATCH_MATMUL", left, right, rule=RULES["BATCH_MATMUL"], adj_x=x, adj_y=y)
    for opcode in ("SUM", "MEAN", "REDUCE_MAX"):
        rule = RULES.get(opcode)
        for axes in (1, [0], [-1], [0, 2], [1, -1], [0, 1, 2], [1, 1], []):
            yield from (case(opcode, normal(3, 4, 5), fixed(axes), rule=rule, keep_dims=k) for k in (False, True))
        yield from (case(opcode, np.arange(-9, 15, dtype=d).reshape(2, 3, 4), fixed([1])) for d in (I32, I64))
        yield from (case(opcode, v, fixed([0]), rule=rule) for v in (normal(49, 64), normal(100_000)))
    for shape in ((4,), (3, 5), (2, 3, 4, 5)):
        yield from (case("SOFTMAX", normal(*shape, scale=3), rule=RULES["SOFTMAX"], beta=b) for b in (1.0, 0.5))
        yield case("LOG_SOFTMAX", normal(*shape, scale=3), rule=RULES["LOG_SOFTMAX"])
    yield case("SOFTMAX", np.array([[3e38, 1, 2e38], [-3e38, -3e38, 0]], F32), rule=RULES["SOFTMAX"], beta=2.0)
    yield case("SOFTMAX", normal(300, 1000, scale=3), rule=ulps(64), beta=1.0)  # 9, 32: one sum of 1,000
    yield case("LOG_SOFTMAX", normal(300, 1000, scale=3), rule=units(60))  # 10, 30
