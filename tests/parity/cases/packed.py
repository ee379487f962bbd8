"""Constants of INT4: two values a byte."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.cases.quantized import I8, I16, I32, I64, ONE_OFF, bias, out, stored
from tests.parity.operators import Case, Given, case, fixed
from tflite_transfer.diagnostics.bounds import ulps

VALID = {"padding": 1, "stride_h": 1, "stride_w": 1}


def cases() -> Iterator[Case]:
    yield from converted()
    yield from products()
    yield from convolutions()


def int4(*shape: int, axis: int | None = None, scale: float = 0.05, zero: int = 0) -> Given:
    """Weights in the file, both ends of the type among them, with one scale or one for each index of an axis."""
    values = np.random.default_rng([4, *shape]).integers(-8, 8, shape).astype(I8)
    values.flat[0], values.flat[-1] = -8, 7
    scales = scale if axis is None else scale * np.linspace(0.3, 1.7, shape[axis])
    return Given(values, True, scales, np.full(np.shape(scales), zero), axis or 0, halves=True)


def converted() -> Iterator[Case]:
    for shape in ((4, 6), (3, 5), (1,)):
        yield case("CAST", int4(*shape), kind="FLOAT32", out_data_type=0)
        for axis, zero in ((None, 0), (None, 3), (0, 0)):
            near = {"reference": ulps(0), "default": ulps(2)}  # 1
            yield case("DEQUANTIZE", int4(*shape, axis=axis, zero=zero), kind="FLOAT32", rule=near)
    for axis in (None, 0):
        yield case("EMBEDDING_LOOKUP", fixed([2, 0, 3, 2]), int4(4, 6, axis=axis), kind="FLOAT32")
        yield case("EMBEDDING_LOOKUP", np.array([1], I32), int4(4, 2, 4, axis=axis), kind="FLOAT32")


def products() -> Iterator[Case]:
    x, wide = stored(I8, 3, 5, zero=7), stored(I16, 3, 5, scale=0.0005)
    for axis in (None, 0):
        w = int4(4, 5, axis=axis)
        yield case("FULLY_CONNECTED", x, w, bias(x, w, 4), out=out(I8, 0.1, 3), rule=ONE_OFF)
        yield case("FULLY_CONNECTED", x, w, out=out(I8, 0.1, 3), rule=ONE_OFF, fused_activation_function=1)
        yield case("FULLY_CONNECTED", wide, w, bias(wide, w, 4, I64), out=out(I16, 0.0005), rule=ONE_OFF)


def convolutions() -> Iterator[Case]:
    x, wide = stored(I8, 2, 5, 6, 3, zero=-3), stored(I16, 2, 5, 6, 3, scale=0.0005)
    for axis in (None, 0):
        w = int4(4, 3, 2, 3, axis=axis)
        yield case("CONV_2D", x, w, bias(x, w, 4), out=out(I8, 0.1, 3), rule=ONE_OFF, **VALID)
        yield case("CONV_2D", wide, w, bias(wide, w, 4, I64), out=out(I16, 0.001), rule=ONE_OFF, **VALID)
        deep = int4(1, 3, 2, 3, axis=None if axis is None else 3)
        yield case("DEPTHWISE_CONV_2D", x, deep, bias(x, deep, 3), out=out(I8, 0.1, 3), rule=ONE_OFF, **VALID)
