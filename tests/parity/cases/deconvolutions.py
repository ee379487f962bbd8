"""Transposed convolutions and those with depth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import Case, case, fixed, normal, weights
from tests.parity.rules import RULES

SAME, VALID = 0, 1
FUSED = 1, 2, 3
ROOT = RULES["L2_POOL_2D"]


def cases() -> Iterator[Case]:
    yield from transposed()
    yield from with_depth()
    for padding in (SAME, VALID):
        for h, w, kernel in ((1, 1, (2, 3)), (2, 2, (3, 3)), (2, 1, (3, 2)), (1, 1, (11, 5))):
            if padding == SAME or kernel[0] < 9:
                o = {"padding": padding, "stride_h": h, "stride_w": w}
                o |= {"filter_height": kernel[0], "filter_width": kernel[1]}
                yield case("L2_POOL_2D", normal(2, 8, 9, 3), rule=ROOT, **o)
        o = {"padding": padding, "stride_h": 1, "stride_w": 1, "filter_height": 2, "filter_width": 2}
        yield from (
            case("L2_POOL_2D", 5 * normal(1, 4, 5, 2), rule=ROOT, fused_activation_function=n, **o) for n in FUSED
        )


def transposed() -> Iterator[Case]:
    rule = RULES["TRANSPOSE_CONV"]
    for padding, h, w, shape, size in (
        (SAME, 1, 1, (3, 4), (3, 4)), (SAME, 2, 2, (6, 8), (3, 4)), (SAME, 2, 2, (5, 7), (3, 4)),
        (SAME, 3, 2, (8, 8), (3, 4)), (VALID, 1, 1, (5, 6), (3, 4)), (VALID, 2, 3, (7, 12), (3, 4)),
        (VALID, 2, 2, (8, 10), (3, 4)), (SAME, 4, 1, (12, 4), (3, 4)),
    ):  # fmt: skip
        o = {"padding": padding, "stride_h": h, "stride_w": w}
        for kernel in ((3, 3), (2, 4)):
            if padding == VALID and kernel != (3, 3):
                continue
            x, f = normal(2, *size, 6), weights(5, *kernel, 6)
            yield case("TRANSPOSE_CONV", fixed([2, *shape, 5]), f, x, weights(5), rule=rule, kind="FLOAT32", **o)
            yield case("TRANSPOSE_CONV", np.array([2, *shape, 5], np.int32), f, x, rule=rule, kind="FLOAT32", **o)
    o = {"padding": SAME, "stride_h": 2, "stride_w": 2}
    x, f = normal(1, 3, 3, 4), weights(3, 3, 3, 4)
    for n in FUSED:
        fused = o | {"fused_activation_function": n}
        yield case("TRANSPOSE_CONV", fixed([1, 6, 6, 3]), f, x, weights(3), rule=rule, kind="FLOAT32", **fused)


def with_depth() -> Iterator[Case]:
    rule, back_rule = RULES["CONV_3D"], RULES["CONV_3D_TRANSPOSE"]
    for padding in (SAME, VALID):
        for d, h, w in ((1, 1, 1), (2, 2, 2), (1, 2, 3)):
            o = {"padding": padding, "stride_d": d, "stride_h": h, "stride_w": w}
            for kernel in ((2, 3, 3), (1, 1, 1), (3, 2, 1)):
                x, f = normal(2, 4, 5, 6, 3), weights(*kernel, 3, 4)
                yield case("CONV_3D", x, f, weights(4), rule=rule, **o)
                yield case("CONV_3D", x, f, rule=rule, **o)
                sizes = zip((4, 5, 6), kernel, (d, h, w), strict=True)
                places = [-(-n // s) if padding == SAME else -(-(n - k + 1) // s) for n, k, s in sizes]
                y, back = normal(2, *places, 4), fixed([2, 4, 5, 6, 3])
                yield case("CONV_3D_TRANSPOSE", back, f, y, weights(3), rule=back_rule, kind="FLOAT32", **o)
                yield case("CONV_3D_TRANSPOSE", back, f, y, rule=back_rule, kind="FLOAT32", **o)
        o = {"padding": padding, "stride_d": 1, "stride_h": 1, "stride_w": 1}
        wide = o | {"dilation_d_factor": 1, "dilation_h_factor": 2, "dilation_w_factor": 3}
        x, f = normal(1, 4, 5, 8, 3), weights(2, 2, 2, 3, 4)
        yield case("CONV_3D", x, f, weights(4), rule=rule, **wide)
        places = (4, 5, 8) if padding == SAME else (3, 3, 5)
        y, back = normal(1, *places, 4), np.array([1, 4, 5, 8, 3], np.int32)
        yield case("CONV_3D_TRANSPOSE", back, f, y, weights(3), rule=back_rule, kind="FLOAT32", **wide)
        for n in FUSED:
            fused = o | {"fused_activation_function": n}
            yield case("CONV_3D", x, f, weights(4), rule=rule, **fused)
            y = normal(1, *((4, 5, 8) if padding == SAME else (3, 4, 7)), 4)
            yield case("CONV_3D_TRANSPOSE", back, f, y, weights(3), rule=back_rule, kind="FLOAT32", **fused)


def refused() -> Iterator[Case]:
    o = {"padding": SAME, "stride_h": 2, "stride_w": 2, "kind": "FLOAT32"}
    for pixels, filters in ((4, (3, 3, 3, 4)), (2, (3, 3, 3, 4)), (3, (2, 3, 3, 4)), (3, (3, 3, 3, 5))):
        yield case("TRANSPOSE_CONV", fixed([1, 6, 6, 3]), weights(*filters), normal(1, pixels, 3, 4), **o)
    usual, f = normal(1, 3, 3, 4), weights(3, 3, 3, 4)
    yield case("TRANSPOSE_CONV", fixed([1, -6, 6, 3]), f, usual, **o)
    yield case("TRANSPOSE_CONV", fixed([1, 6, 6, 3]), f, usual, **(o | {"stride_h": 0}))
    deep = {"padding": SAME, "stride_d": 1, "stride_h": 1, "stride_w": 1}
    yield case("CONV_3D", normal(1, 2, 2, 2, 3), weights(1, 1, 1, 2, 4), **deep)
    yield case("CONV_3D", normal(1, 2, 2, 2, 3), weights(1, 1, 1, 3, 4), weights(3), **deep)
    for shape in ([1, 4, 4, 4, 3], [1, 4, 4, 3], [2, 2, 2, 2, 3], [1, 2, 2, 2, 6]):
        y = normal(1, 2, 2, 2, 4)
        yield case("CONV_3D_TRANSPOSE", fixed(shape), weights(1, 1, 1, 3, 4), y, kind="FLOAT32", **deep)
