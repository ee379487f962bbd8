"""Functions of one stored integer, and over the last axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.cases.quantized import I8, I16, ONE_OFF, U8, every, out, stored
from tests.parity.operators import Case, Given, case
from tflite_transfer.diagnostics.bounds import ulps

TYPES = ((I8, 3), (U8, 131), (I16, 0))


def cases() -> Iterator[Case]:
    yield from lines()
    yield from tables()
    yield from rows()


def lines() -> Iterator[Case]:
    """Straight lines, or nearly."""
    for dtype, zero in TYPES:
        fine = 1 / 256 if dtype == I16 else 1
        x = every(dtype, 0.1 * fine, zero)
        for made in (out(dtype, 0.1 * fine, zero), out(dtype, 0.047 * fine, zero and zero - 20)):
            yield from (case(o, x, out=made, rule=ONE_OFF) for o in ("RELU", "RELU6"))
            yield from (case("LEAKY_RELU", x, out=made, rule=ONE_OFF, alpha=a) for a in (0.3, -0.3, 1.5))
            if dtype != I16:
                yield from (case(o, x, out=made, rule=ONE_OFF) for o in ("RELU_N1_TO_1", "RELU_0_TO_1", "HARD_SWISH"))
            if dtype != U8:
                yield case("ABS", x, out=made)
        if dtype != I16:
            for scale in (0.01, 0.03, 0.5):
                yield case("HARD_SWISH", every(dtype, scale, zero), out=out(dtype, scale, zero), rule=ONE_OFF)
    yield from (case("NEG", every(d, 0.1), out=out(d, 0.1)) for d in (I8, I16))


def tables() -> Iterator[Case]:
    for dtype, zero in TYPES:
        for scale in (0.1, 0.03, 0.01):
            fine = scale / 256 * 2 if dtype == I16 else scale
            x, unit = every(dtype, fine, zero), {I8: (1 / 256, -128), U8: (1 / 256, 0), I16: (1 / 32768, 0)}[dtype]
            yield case("LOGISTIC", x, out=out(dtype, *unit), rule=ONE_OFF)
            twice = {I8: (1 / 128, 0), U8: (1 / 128, 128), I16: (1 / 32768, 0)}[dtype]
            yield case("TANH", x, out=out(dtype, *twice), rule=ONE_OFF)
            made = out(dtype, 0.9 * fine, zero and zero - 20)
            yield from (case("GELU", x, out=made, approximate=a) for a in (False, True))
            if dtype != U8:
                yield case("EXP", x, out=out(dtype, 0.02 if dtype == I8 else 0.001, zero), rule=ONE_OFF)
                yield case("LOG", x, out=out(dtype, 0.04 if dtype == I8 else 0.0002, zero), rule=ONE_OFF)
    yield case("EXP", every(I16, 0.5), out=out(I16, 0.01), rule=ONE_OFF)  # a slope of more than 16 bits
    for log in (12, 11, 13):  # at 2^-12, and for tanh 2^-11, the default resolver has polynomials in 16 bits: 7, 11
        for opcode in ("LOGISTIC", "TANH"):
            polynomials = {"reference": ulps(0), "default": ulps(22)}
            yield case(opcode, every(I16, 2.0**-log), out=out(I16, 1 / 32768), rule=polynomials)
    yield case("ELU", every(I8, 0.03, 3), out=out(I8, 1 / 127), rule=ONE_OFF)
    for scale in (0.1, 0.03):
        yield case("ELU", every(I8, scale, 3), out=out(I8, scale * 0.8, 20), rule=ONE_OFF)
        yield case("RSQRT", every(I8, scale, -128), out=out(I8, 0.02, -100), rule=ONE_OFF)
        positive = Given(np.arange(0, 32768, 3).astype(I16), scale=np.float32(scale / 256), zero=0)
        yield case("SQRT", positive, out=out(I16, 0.001), rule=ONE_OFF)
        yield case("SQRT", every(I8, scale, -128), out=out(I8, 0.02, -100), rule=ONE_OFF)
        yield case("RSQRT", positive, out=out(I16, 0.002), rule=ONE_OFF)


def rows() -> Iterator[Case]:
    few = Given(np.array([[3, 3, 3], [3, 4, 3], [3, 3, 5], [2, 4, 3]], I8), scale=np.float32(0.1), zero=3)
    yield case("L2_NORMALIZATION", few, out=out(I8, 1 / 128), rule=ONE_OFF)
    yield case("SOFTMAX", stored(I16, 500, 10, scale=2e-4), out=out(I16, 1 / 32768), rule=ONE_OFF, beta=1.0)
    units = {I8: (1 / 256, -128), U8: (1 / 256, 0), I16: (1 / 32768, 0)}
    for dtype, zero in TYPES:
        for shape in ((5,), (4, 10), (2, 3, 1001)):
            for scale, beta in ((0.1, 1.0), (0.02, 0.5), (0.5, 1.0)):
                x = stored(dtype, *shape, scale=scale / 256 if dtype == I16 else scale, zero=zero)
                yield case("SOFTMAX", x, out=out(dtype, *units[dtype]), rule=ONE_OFF, beta=beta)
                if dtype == I8:
                    yield case("LOG_SOFTMAX", x, out=out(I8, 1 / 16, 127), rule=ONE_OFF)
                if dtype != I16:
                    yield case("L2_NORMALIZATION", x, out=out(dtype, 1 / 128, 128 if dtype == U8 else 0), rule=ONE_OFF)
