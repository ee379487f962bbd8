"""Functions of each element of one operand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import normal
from tests.unit.gradients.differentiated import Derivative, of


def cases() -> Iterator[Derivative]:
    x = normal(3, 2, 5)
    above = np.exp(x)
    yield from (of(opcode, x) for opcode in ("ABS", "COS", "EXP", "NEG", "SIN", "SQUARE"))
    yield from (of(opcode, above) for opcode in ("LOG", "RSQRT", "SQRT"))
    yield from (of(opcode, 3 * x) for opcode in ("CEIL", "FLOOR", "ROUND", "SIGN", "ZEROS_LIKE"))  # steps: nothing
    yield of("CAST", x, in_data_type=0, out_data_type=0)
    yield of("SQUARE", normal(4), free=())
    yield of("EXP", normal(), free=())
