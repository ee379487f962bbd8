"""Convolutions, products of matrices and reductions of stored integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.cases.quantized import I8, I16, I32, I64, ONE_OFF, U8, bias, filters, out, stored
from tests.parity.operators import Case, Given, case, fixed
from tflite_transfer.diagnostics.bounds import ulps

SAME, VALID = 0, 1
RELU, RELU_N1_TO_1, RELU6 = FUSED = 1, 2, 3
INT32, INT64 = 2, 4  # as quantized_bias_type has it
# LiteRT's reference kernel of SUM reads and writes every type as uint8, and clamps to [0, 255].
DEFAULT_ALONE = {"reference": lambda *_: np.inf, "default": ulps(1)}


def cases() -> Iterator[Case]:
    for opcode in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        yield from convolutions(opcode)
    yield from transposed_convolutions()
    yield from products()
    yield from scales()
    yield from reductions()


def convolutions(opcode: str) -> Iterator[Case]:
    deep = opcode == "DEPTHWISE_CONV_2D"
    shape, axis = ((1, 3, 2, 8), 3) if deep else ((8, 3, 2, 4), 0)
    x = stored(I8, 2, 7, 8, 4, scale=0.05, zero=-7)
    ways = [{"padding": p, "stride_h": h, "stride_w": w} for p in (SAME, VALID) for h, w in ((1, 1), (2, 3))]
    ways.append({"padding": SAME, "stride_h": 1, "stride_w": 1, "dilation_h_factor": 2, "dilation_w_factor": 2})
    for o in ways:
        for w in (filters(I8, *shape, axis=axis), filters(I8, *shape)):
            yield case(opcode, x, w, bias(x, w, 8), out=out(I8, 0.1, 5), rule=ONE_OFF, **o)
    o, w = ways[0], filters(I8, *shape, axis=axis)
    for n in FUSED:
        yield case(opcode, x, w, bias(x, w, 8), out=out(I8, 0.03, -20), rule=ONE_OFF, fused_activation_function=n, **o)
    large = filters(I8, *shape, axis=axis, scale=0.3)
    yield case(opcode, x, large, bias(x, large, 8), out=out(I8, 0.01, 5), rule=ONE_OFF, **o)  # multipliers around 1
    bytes_, v = stored(U8, 2, 7, 8, 4, scale=0.05, zero=120), filters(U8, *shape, zero=131)
    for o in ways:
        yield case(opcode, bytes_, v, bias(bytes_, v, 8), out=out(U8, 0.1, 130), rule=ONE_OFF, **o)
    wide = stored(I16, 2, 7, 8, 4, scale=0.0005)
    for u in (w, filters(I8, *shape)):
        yield case(opcode, wide, u, bias(wide, u, 8, I64), out=out(I16, 0.002), rule=ONE_OFF, **ways[1])
        yield case(opcode, wide, u, bias(wide, u, 8, I64), out=out(I16, 0.002), rule=ONE_OFF, **ways[2])
    if not deep:
        short = {"quantized_bias_type": INT32} | o
        yield case(opcode, wide, w, bias(wide, w, 8, I32), out=out(I16, 0.002), rule=ONE_OFF, **short)
        groups = filters(I8, 8, 3, 2, 2, axis=0)
        yield case(opcode, x, groups, bias(x, groups, 8), out=out(I8, 0.1, 5), rule=ONE_OFF, **ways[0])


def transposed_convolutions() -> Iterator[Case]:
    for padding, h, w, shape in ((SAME, 2, 2, [2, 6, 8, 5]), (VALID, 2, 3, [2, 7, 12, 5]), (SAME, 1, 1, [2, 3, 4, 5])):
        o = {"padding": padding, "stride_h": h, "stride_w": w}
        for dtype, zero, y in ((I8, -7, 5), (U8, 120, 130), (I16, 0, 0)):
            fine, wide = (0.05, I32) if dtype != I16 else (0.0005, I64)
            x = stored(dtype, 2, 3, 4, 6, scale=fine, zero=zero)
            for axis in (None, 0) if dtype != U8 else (None,):
                v = filters(U8 if dtype == U8 else I8, 5, 3, 3, 6, axis=axis, zero=131 if dtype == U8 else 0)
                made = out(dtype, 2 * fine, y)
                yield case("TRANSPOSE_CONV", fixed(shape), v, x, bias(x, v, 5, wide), out=made, rule=ONE_OFF, **o)
                yield case("TRANSPOSE_CONV", fixed(shape), v, x, out=made, rule=ONE_OFF, **o)


def products() -> Iterator[Case]:
    x, y = stored(I8, 3, 40, scale=0.05, zero=9), out(I8, 0.2, -3)
    for w in (filters(I8, 5, 40), filters(I8, 5, 40, axis=0)):
        yield case("FULLY_CONNECTED", x, w, bias(x, w, 5), out=y, rule=ONE_OFF)
        yield case("FULLY_CONNECTED", x, w, out=y, rule=ONE_OFF)
        for n in FUSED:
            tight = out(I8, 0.03, -20)
            yield case("FULLY_CONNECTED", x, w, bias(x, w, 5), out=tight, rule=ONE_OFF, fused_activation_function=n)
    tall = stored(I8, 2, 3, 40, scale=0.05, zero=9)
    yield from (case("FULLY_CONNECTED", tall, w, out=y, rule=ONE_OFF, keep_num_dims=k) for k in (False, True))
    yield case("FULLY_CONNECTED", x, filters(I8, 5, 40, zero=4), out=y, rule=ONE_OFF)
    bytes_, v = stored(U8, 3, 40, scale=0.05, zero=120), filters(U8, 5, 40, zero=131)
    yield case("FULLY_CONNECTED", bytes_, v, bias(bytes_, v, 5), out=out(U8, 0.2, 128), rule=ONE_OFF)
    wide = stored(I16, 3, 40, scale=0.0005)
    for w in (filters(I8, 5, 40), filters(I8, 5, 40, axis=0)):
        yield case("FULLY_CONNECTED", wide, w, bias(wide, w, 5, I64), out=out(I16, 0.002), rule=ONE_OFF)
        yield case("FULLY_CONNECTED", wide, w, out=out(I16, 0.002), rule=ONE_OFF)
        short = bias(wide, w, 5, I32)
        o = {"quantized_bias_type": INT32}
        yield case("FULLY_CONNECTED", wide, w, short, out=out(I16, 0.002), rule=ONE_OFF, **o)
    both = stored(I16, 5, 40, scale=0.0003, seed=4)
    for w in (both, both._replace(scale=np.linspace(1e-4, 4e-4, 5), in_file=True)):
        for b, o in (
            ([], {}), ([bias(wide, w, 5, I64)], {"quantized_bias_type": INT64}),
            ([bias(wide, w, 5, I32)], {"quantized_bias_type": INT32, "fused_activation_function": RELU6}),
        ):  # fmt: skip
            yield case("FULLY_CONNECTED", wide, w, *b, out=out(I16, 0.0012), **o)
    for a, b in (((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (3, 4, 5))):
        for m, n in ((False, False), (True, False), (False, True), (True, True)):
            a = (*a[:-2], a[-1], a[-2]) if m else a
            b = (*b[:-2], b[-1], b[-2]) if n else b
            for dtype, zero in ((I8, 3), (I16, 0)):
                scale = 0.05 if dtype == I8 else 0.0002
                left, right = (stored(dtype, *s, scale=scale, zero=zero, seed=k) for k, s in enumerate((a, b)))
                made = out(dtype, scale * (1 if dtype == I8 else 9), -zero)
                yield case("BATCH_MATMUL", left, right, out=made, rule=ONE_OFF, adj_x=m, adj_y=n)
            a = (*a[:-2], a[-1], a[-2]) if m else a
            b = (*b[:-2], b[-1], b[-2]) if n else b


def scales() -> Iterator[Case]:
    """Every product of two numbers, at scales whose own product gives other results in float32 than in double.

    And halves, which FULLY_CONNECTED rounds once.
    """
    for dtype in (U8, I8):
        numbers, made = np.arange(np.iinfo(dtype).max + 1).astype(dtype), out(dtype, 0.825)
        x = Given(numbers[:, None], scale=np.float32(0.2962), zero=0)
        w = Given(numbers[:, None], in_file=True, scale=np.float32(0.0102), zero=0)
        yield case("FULLY_CONNECTED", x, w, out=made, rule=ONE_OFF)
        yield case("FULLY_CONNECTED", x._replace(scale=w.scale), w, out=out(dtype, 0.0102 * 0.0816), rule=ONE_OFF)
        yield case("MUL", x, w._replace(value=numbers), out=made, rule=ONE_OFF)
        if dtype == I8:
            yield case("BATCH_MATMUL", x, w._replace(value=numbers[None], in_file=False), out=made, rule=ONE_OFF)
        image, filters = (i._replace(value=i.value[:, None, None]) for i in (x, w))
        o = {"padding": SAME, "stride_h": 1, "stride_w": 1}
        yield case("CONV_2D", image, filters, bias(x, w, numbers.size), out=made, rule=ONE_OFF, **o)
    one = Given(np.ones((1, 1), U8), in_file=True, scale=np.float32(1), zero=0)
    halves = Given(np.arange(256).astype(U8)[:, None], scale=np.float32(1), zero=128)
    yield from (case("FULLY_CONNECTED", halves, one, out=out(U8, s, 128), rule=ONE_OFF) for s in (2.0, 8.0))


def reductions() -> Iterator[Case]:
    for dtype, zero in ((I8, 3), (U8, 131), (I16, 0)):
        x = stored(dtype, 3, 4, 5, scale=0.05, zero=zero)
        for axes in (1, [-1], [0, 2], [0, 1, 2], [1, 1]):
            for k in (False, True):
                yield case("MEAN", x, fixed(axes), out=out(dtype, 0.03, zero), rule=ONE_OFF, keep_dims=k)
                rule = ONE_OFF if dtype == U8 else DEFAULT_ALONE
                yield case("SUM", x, fixed(axes), out=out(dtype, 0.3, zero), rule=rule, keep_dims=k)
                if dtype != U8:
                    for scale, made in ((0.05, 0.3), (0.02, 0.001), (0.5, 100)):  # within, and saturated
                        fine = 1 / 256 if dtype == I16 else 1
                        y = x._replace(scale=scale * fine)
                        yield case("REDUCE_PROD", y, fixed(axes), out=out(dtype, made * fine, zero), keep_dims=k)
        image = stored(dtype, 2, 7, 7, 9, scale=0.05, zero=zero)
        yield case("MEAN", image, fixed([1, 2]), out=out(dtype, 0.01, zero), rule=ONE_OFF, keep_dims=True)
