"""Convolutions and pooling."""

from __future__ import annotations

from collections.abc import Iterator

from tests.parity.operators import Case, case, normal, weights
from tests.parity.rules import RULES

SAME, VALID = 0, 1
RELU, RELU_N1_TO_1, RELU6 = FUSED = 1, 2, 3


def cases() -> Iterator[Case]:
    """Odd paddings, strides, dilations, groups, channel multipliers, activations."""
    conv, depth, mean = (RULES[o] for o in ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D"))
    x, dilated = normal(1, 9, 10, 4), {"dilation_h_factor": 2, "dilation_w_factor": 3}
    for padding in (SAME, VALID):
        for h, w in ((1, 1), (2, 2), (3, 3), (2, 1)):
            o = {"padding": padding, "stride_h": h, "stride_w": w}
            for size, k in (((8, 9), (3, 3)), ((7, 8), (2, 3))):
                yield case("CONV_2D", normal(2, *size, 3), weights(4, *k, 3), weights(4), rule=conv, **o)
                yield case("DEPTHWISE_CONV_2D", normal(2, *size, 3), weights(1, *k, 3), weights(3), rule=depth, **o)
                pool = o | {"filter_height": k[0], "filter_width": k[1]}
                yield case("MAX_POOL_2D", normal(2, *size, 3), **pool)
                yield case("AVERAGE_POOL_2D", normal(2, *size, 3), rule=mean, **pool)
            yield case("CONV_2D", x, weights(3, 3, 2, 4), weights(3), rule=conv, **o, **dilated)
            multiplied = o | dilated | {"depth_multiplier": 2}
            yield case("DEPTHWISE_CONV_2D", x, weights(1, 3, 3, 8), weights(8), rule=depth, **multiplied)
        o = {"padding": padding, "stride_h": 1, "stride_w": 1}
        yield from (case("CONV_2D", x, weights(8, 3, 3, 4 // g), weights(8), rule=conv, **o) for g in (2, 4))
        for k in (1, 3):
            yield case("CONV_2D", normal(1, 9, 9, 64), weights(20, k, k, 64), weights(20), rule=conv, **o)
        for n in FUSED:
            f = o | {"fused_activation_function": n}
            yield case("CONV_2D", x, weights(5, 3, 3, 4), weights(5), rule=conv, **f)
            yield case("DEPTHWISE_CONV_2D", x, weights(1, 3, 3, 4), weights(4), rule=depth, depth_multiplier=1, **f)
            yield case("MAX_POOL_2D", 5 * x, filter_height=2, filter_width=3, **f)
            yield case("AVERAGE_POOL_2D", 5 * x, filter_height=2, filter_width=3, rule=mean, **f)
    yield case("AVERAGE_POOL_2D", x, rule=mean, padding=SAME, stride_h=1, stride_w=1, filter_height=11, filter_width=5)
