"""Functions of two arrays of stored integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.cases.quantized import I8, I16, ONE_OFF, U8, every, out, stored
from tests.parity.operators import Case, Given, case

RELU, RELU_N1_TO_1, RELU6 = FUSED = 1, 2, 3
COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")


def cases() -> Iterator[Case]:
    for dtype, zeros in ((I8, (-5, 7, 3)), (U8, (120, 131, 128)), (I16, (0, 0, 0))):
        fine = 1 if dtype != I16 else 1 / 256
        a = stored(dtype, 2, 3, 40, scale=0.05 * fine, zero=zeros[0])
        y = out(dtype, 0.07 * fine, zeros[2])
        for shape in ((2, 3, 40), (3, 1), (40,), (1,), ()):
            b = stored(dtype, *shape, scale=0.03 * fine, zero=zeros[1], seed=1)
            yield from (case(opcode, a, b, out=y, rule=ONE_OFF) for opcode in ("ADD", "SUB", "MUL"))
            alike = b if dtype != I16 else b._replace(scale=a.scale)
            yield from (case(opcode, a, alike, kind="BOOL") for opcode in COMPARISONS)
            yield from (case(opcode, a, b, kind="BOOL") for opcode in COMPARISONS[:2])
            if dtype == I8:
                yield case("SQUARED_DIFFERENCE", a, b, out=out(I8, 0.3, -120), rule=ONE_OFF)
            slopes = b if dtype != I16 else stored(I8, *shape, scale=0.02, zero=5, seed=1)
            yield case("PRELU", a, slopes, out=y, rule=ONE_OFF)
            divisor = b._replace(value=np.where(b.value == zeros[1], b.value + 1, b.value).astype(dtype))
            yield case("DIV", a, divisor, out=out(dtype, 0.02, zeros[2]), rule=ONE_OFF)
        b = stored(dtype, 2, 3, 40, scale=0.03 * fine, zero=zeros[1], seed=1)
        for opcode in ("ADD", "SUB", "MUL"):
            yield from (case(opcode, a, b, out=y, rule=ONE_OFF, fused_activation_function=n) for n in FUSED)
            yield case(opcode, b, a, out=y, rule=ONE_OFF)
        for opcode in ("MAXIMUM", "MINIMUM"):
            like = stored(dtype, 3, 40, scale=0.05 * fine, zero=zeros[0], seed=2)
            yield case(opcode, a, like, out=out(dtype, 0.05 * fine, zeros[0]))
    column, row = every(I8, 0.05, -5), every(I8, 0.03, 7)
    column = column._replace(value=column.value[:, None])
    yield from (case(o, column, row, out=out(I8, 0.07, 3), rule=ONE_OFF) for o in ("ADD", "SUB", "MUL"))
    column, row = (i._replace(scale=np.float32(s)) for i, s in ((column, 0.0687), (row, 0.0346)))
    yield from (case(o, column, row, out=out(I8, 0.0732, 3), rule=ONE_OFF) for o in ("ADD", "SUB"))  # near halves
    near = Given(np.arange(-20, 21).astype(I16), scale=np.float32(1e-4), zero=0)
    yield from (case(o, near, near._replace(value=near.value[::-1].copy()), kind="BOOL") for o in COMPARISONS[2:])
    powers = [stored(I16, 3, 40, scale=2.0**-n, seed=n) for n in (8, 10, 8)]
    for opcode in ("ADD", "SUB"):
        for a, b in ((0, 1), (1, 0), (0, 2)):
            yield case(opcode, powers[a], powers[b], out=out(I16, 2.0**-8))
