"""Convolutions and pooling: strides, dilations, groups, kernels larger than the image.

CONV_2D keeps NaN, the other operators here lose it, some in one pixel alone: see test_operators.py.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.parity.cases.parts import I32
from tests.parity.operators import Case, case
from tests.parity.rules import RULES
from tests.parity.strategies.arrays import ENDLESS, SCALES, SMALL, WITH_NAN, Draw, arrays, indices, inputs
from tests.parity.strategies.functions import ACTIVATIONS
from tflite_transfer.reference.ops.windows import window_axis
from tflite_transfer.reference.tflite.enums import PADDINGS


@st.composite
def windows(draw: Draw, names: str, dilated: bool = True) -> tuple[dict[str, Any], list[int], list[int], list[int]]:
    """Options, kernel, an image that it fits into, and how many places it has there, along d, h and w."""
    padding = draw(st.sampled_from((0, 1)))
    options: dict[str, Any] = {"padding": padding, "fused_activation_function": draw(ACTIVATIONS)}
    kernel, image, places = [], [], []
    for name in names:
        k, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if dilated else 1
        options[f"stride_{name}"] = stride
        if dilated:
            options[f"dilation_{name}_factor"] = dilation
        reach = (k - 1) * dilation + 1
        kernel.append(k)
        image.append(draw(st.integers(1 if PADDINGS[padding] == "SAME" else reach, reach + 5)))
        places.append(window_axis(image[-1], k, stride, dilation, PADDINGS[padding]).size)
    return options, kernel, image, places


@st.composite
def products(
    draw: Draw, image: Any, filters: Any, outputs: int, needed: bool = False, special: Any = SMALL
) -> list[Any]:
    """An image, filters, and perhaps a bias as large as a product: a larger one would swallow every small term."""
    one, two = draw(SCALES), draw(SCALES)
    values = [draw(arrays(image, special=special, scale=one)), draw(inputs(filters, scale=two))]
    return [*values, draw(inputs((outputs,), scale=one * two))] if needed or draw(st.booleans()) else values


@st.composite
def convolutions(draw: Draw) -> Case:
    """LiteRT refuses one without a bias."""
    options, kernel, image, _ = draw(windows("hw"))
    groups, depth, share = draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 40))
    shape, filters = (draw(st.integers(1, 2)), *image, groups * depth), (groups * share, *kernel, depth)
    values = draw(products(shape, filters, groups * share, True, WITH_NAN))
    return case("CONV_2D", *values, rule=RULES["CONV_2D"], **options)


@st.composite
def depthwise_convolutions(draw: Draw) -> Case:
    """Without a bias LiteRT's default resolver reads an input that is not there, and ends: SIGSEGV."""
    options, kernel, image, _ = draw(windows("hw"))
    channels, multiplier = draw(st.integers(1, 20)), draw(st.integers(1, 3))
    shape, filters = (draw(st.integers(1, 2)), *image, channels), (1, *kernel, channels * multiplier)
    values, options = draw(products(shape, filters, filters[-1], True)), {**options, "depth_multiplier": multiplier}
    return case("DEPTHWISE_CONV_2D", *values, rule=RULES["DEPTHWISE_CONV_2D"], **options)


@st.composite
def convolutions_with_depth(draw: Draw) -> Case:
    options, kernel, image, _ = draw(windows("dhw"))
    depth, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    shape, filters = (draw(st.integers(1, 2)), *image, depth), (*kernel, depth, outputs)
    return case("CONV_3D", *draw(products(shape, filters, outputs)), rule=RULES["CONV_3D"], **options)


@st.composite
def transposed_convolutions(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE")))
    deep = opcode == "CONV_3D_TRANSPOSE"
    options, kernel, image, places = draw(windows("dhw" if deep else "hw", dilated=deep))
    batch, depth, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    filters = (*kernel, outputs, depth) if deep else (outputs, *kernel, depth)
    x, weights, *bias = draw(products((batch, *places, depth), filters, outputs))
    shape = draw(indices([batch, *image, outputs], I32))
    return case(opcode, shape, weights, x, *bias, kind="FLOAT32", rule=RULES[opcode], **options)


@st.composite
def pools(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D")))
    options, kernel, image, _ = draw(windows("hw", dilated=False))
    options |= {"filter_height": kernel[0], "filter_width": kernel[1]}
    shape = draw(st.integers(1, 2)), *image, draw(st.integers(1, 20))
    x = draw(arrays(shape, special=ENDLESS if opcode == "MAX_POOL_2D" else SMALL))
    return case(opcode, x, rule=RULES.get(opcode), **options)
