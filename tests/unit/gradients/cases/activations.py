"""Activations, away from their kinks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import fixed, normal, weights
from tests.unit.gradients.differentiated import Derivative, of


def cases() -> Iterator[Derivative]:
    x = normal(3, 2, 5, scale=3)
    for opcode in ("ELU", "HARD_SWISH", "LOGISTIC", "RELU", "RELU6", "RELU_N1_TO_1", "TANH"):
        yield from (of(opcode, v) for v in (x, 5 * x))
    yield from (of("LEAKY_RELU", x, alpha=a) for a in (0.2, 0.0, 1.5))
    near = np.linspace(-0.01, 0.01, 20, dtype=np.float32).reshape(4, 5)  # where y / x has few digits
    yield from (of("GELU", v, approximate=a) for v in (x, 10 * x, near) for a in (False, True))
    for shape in ((5,), (2, 1), (1, 1, 5), (2, 5), ()):
        yield from (of("PRELU", x, a) for a in (normal(*shape, seed=1), weights(*shape)))
    yield of("PRELU", normal(2, 3, 4, 5), normal(1, 1, 5))
    yield of("PRELU", x, fixed([0.25], np.float32))
    for shape in ((3, 5), (2, 3, 5), (2, 3, 4, 5), (4, 1)):
        yield of("SOFTMAX", normal(*shape, scale=2), beta=1.0)
        yield of("LOG_SOFTMAX", normal(*shape, scale=2))
    yield from (of("SOFTMAX", normal(3, 5), beta=b) for b in (0.5, 3.0))
