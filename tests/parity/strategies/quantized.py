"""Stored integers: every number, scale and zero point that a file may have; LiteRT's reference kernels to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.parity.cases.images import MODES
from tests.parity.cases.parts import I8, I16, I32, I64, U8
from tests.parity.cases.quantized import ONE_OFF, out
from tests.parity.cases.quantized_sums import DEFAULT_ALONE
from tests.parity.operators import Array, Case, Given, Out, case, fixed
from tests.parity.strategies.arrays import Draw, Shape, arrays, axes, broadcast, indices, shapes
from tests.parity.strategies.functions import ACTIVATIONS
from tests.parity.strategies.windows import windows
from tflite_transfer.diagnostics.bounds import Call, Rule, first, ulps

TYPES = st.sampled_from((I8, U8, I16))


def scales(least: float = -4, most: float = 0) -> st.SearchStrategy[np.float32]:
    """10 to the power of a number between two."""
    return st.floats(least, most).map(lambda power: np.float32(10**power))


@st.composite
def zeros(draw: Draw, dtype: Any) -> int:
    ends = np.iinfo(dtype)
    return 0 if dtype == I16 else draw(st.integers(int(ends.min), int(ends.max)))


@st.composite
def stored(draw: Draw, shape: Any, dtype: Any) -> Given:
    return Given(draw(arrays(shape, dtype)), scale=draw(scales()), zero=draw(zeros(dtype)))


@st.composite
def results(draw: Draw, dtype: Any, scale: Any) -> Out:
    """An output whose scale is not far from ``scale``, and any zero point."""
    return out(dtype, float(scale * draw(scales(-1, 1.5))), draw(zeros(dtype)))


@st.composite
def weights(draw: Draw, shape: Shape, dtype: Any, axis: int) -> Given:
    """uint8 with a zero point for uint8; int8 for the others, with one scale or one for each channel."""
    if dtype == U8:
        return draw(stored(shape, U8))._replace(in_file=True)
    scale = np.array([draw(scales()) for _ in range(shape[axis] if draw(st.booleans()) else 1)])
    return Given(draw(arrays(shape, I8)), in_file=True, scale=scale, zero=0, axis=axis)


@st.composite
def biases(draw: Draw, x: Given, w: Given, outputs: int) -> Given:
    values = draw(arrays((outputs,), I64 if x.value.dtype == I16 else I32, most=3000))
    return Given(values, in_file=True, scale=np.float32(x.scale) * np.asarray(w.scale, np.float32), zero=0)


def step(one: Given, two: Given, terms: int) -> Any:
    """About what a step of an 8-bit output is for sums of so many products."""
    return np.float32(one.scale) * np.mean(np.float32(two.scale)) * np.float32(100 * terms**0.5)


@st.composite
def convolutions(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")))
    options, kernel, image, places = draw(windows("hw", dilated=opcode != "TRANSPOSE_CONV"))
    dtype, depth, outputs = draw(TYPES), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    outputs = outputs if opcode != "DEPTHWISE_CONV_2D" else depth * draw(st.integers(1, 3))
    x = draw(stored((2, *(places if opcode == "TRANSPOSE_CONV" else image), depth), dtype))
    shape, axis = ((1, *kernel, outputs), 3) if opcode == "DEPTHWISE_CONV_2D" else ((outputs, *kernel, depth), 0)
    w = draw(weights(shape, dtype, axis))
    b = draw(biases(x, w, outputs))
    made = draw(results(dtype, step(x, w, w.value.size // outputs)))
    given = (fixed([2, *image, outputs]), w, x, b) if opcode == "TRANSPOSE_CONV" else (x, w, b)
    return case(opcode, *given, out=made, rule=ONE_OFF, **options)


@st.composite
def fully_connected(draw: Draw) -> Case:
    dtype, depth, outputs = draw(TYPES), draw(st.integers(1, 40)), draw(st.integers(1, 5))
    x, w = draw(stored((*draw(shapes(1, 2)), depth), dtype)), draw(weights((outputs, depth), dtype, 0))
    b = [draw(biases(x, w, outputs))] if draw(st.booleans()) else []
    options = {"keep_num_dims": draw(st.booleans()), "fused_activation_function": draw(ACTIVATIONS)}
    return case("FULLY_CONNECTED", x, w, *b, out=draw(results(dtype, step(x, w, depth))), rule=ONE_OFF, **options)


@st.composite
def batch_matmul(draw: Draw) -> Case:
    dtype, (one, two) = draw(st.sampled_from((I8, I16))), draw(broadcast(2, 2))
    i, j, k = (draw(st.integers(1, 6)) for _ in range(3))
    m, n = draw(st.booleans()), draw(st.booleans())
    a = draw(stored((*one, *((j, i) if m else (i, j))), dtype))
    b = draw(stored((*two, *((k, j) if n else (j, k))), dtype))
    return case("BATCH_MATMUL", a, b, out=draw(results(dtype, step(a, b, j))), rule=ONE_OFF, adj_x=m, adj_y=n)


@st.composite
def pairs(draw: Draw) -> Case:
    opcode, dtype = draw(st.sampled_from(("ADD", "MUL", "PRELU", "SQUARED_DIFFERENCE", "SUB"))), draw(TYPES)
    dtype = {"SQUARED_DIFFERENCE": I8, "PRELU": U8 if dtype == U8 else I8}.get(opcode, dtype)
    one, two = draw(broadcast(2, 4))
    if opcode == "PRELU":
        two = draw(st.sampled_from((one, one[-1:], ())))
    a, b = draw(stored(one, dtype)), draw(stored(two, dtype))
    options = {"fused_activation_function": draw(ACTIVATIONS)} if opcode in ("ADD", "MUL", "SUB") else {}
    if opcode in ("ADD", "SUB"):
        options["pot_scale_int16"] = False
    product = step(a, b, 1)
    scale = {"MUL": product, "PRELU": max(a.scale, product), "SQUARED_DIFFERENCE": max(a.scale, b.scale) ** 2 * 100}
    made = draw(results(dtype, scale.get(opcode, max(a.scale, b.scale))))
    return case(opcode, a, b, out=made, rule=ONE_OFF, **options)


def quotient(c: float, x: Given, y: Given, made: Out) -> Rule:
    """``c`` steps where x / y is half a step or more: below, LiteRT shifts by more than 31 bits, see the test."""

    def bound(_: Call, __: Array) -> Array:
        a, b = ((i.value.astype(float) - i.zero) * np.float32(i.scale) for i in (x, y))
        real = a / b / (made.scale or 1)
        return np.where(np.abs(real) < 0.51, np.inf, c)

    return bound


@st.composite
def quotients(draw: Draw) -> Case:
    dtype, (one, two) = draw(TYPES), draw(broadcast(2, 4))
    a, b = draw(stored(one, dtype)), draw(stored(two, dtype))
    b = b._replace(value=np.where(b.value == b.zero, b.value ^ 1, b.value).astype(dtype))
    made = draw(results(dtype, np.float32(a.scale) / np.float32(b.scale)))
    rule = {"reference": quotient(0, a, b, made), "default": quotient(1, a, b, made)}
    return case("DIV", a, b, out=made, rule=rule, fused_activation_function=draw(ACTIVATIONS))


@st.composite
def reductions(draw: Draw) -> Case:
    opcode, dtype, shape = draw(st.sampled_from(("MEAN", "SUM"))), draw(TYPES), draw(shapes(1, 4))
    over, x = draw(indices(draw(st.lists(axes(len(shape)), max_size=4)), I32)), draw(stored(shape, dtype))
    rule = DEFAULT_ALONE if opcode == "SUM" and dtype != U8 else ONE_OFF
    return case(opcode, x, over, out=draw(results(dtype, x.scale)), rule=rule, keep_dims=draw(st.booleans()))


UNIT = {I8: (1 / 256, -128), U8: (1 / 256, 0), I16: (1 / 32768, 0)}
TWICE = {I8: (1 / 128, 0), U8: (1 / 128, 128), I16: (1 / 32768, 0)}


@st.composite
def softmaxes(draw: Draw) -> Case:
    dtype, opcode = draw(TYPES), draw(st.sampled_from(("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION")))
    dtype = {"LOG_SOFTMAX": I8, "L2_NORMALIZATION": U8 if dtype == U8 else I8}.get(opcode, dtype)
    x = draw(stored((*draw(shapes(0, 3, 3)), draw(st.integers(1, 40))), dtype))
    unit = {"SOFTMAX": UNIT[dtype], "LOG_SOFTMAX": (1 / 16, 127), "L2_NORMALIZATION": TWICE[dtype]}[opcode]
    options = {"beta": draw(st.sampled_from((1.0, 0.5, 3.0)))} if opcode == "SOFTMAX" else {}
    # The default LOG_SOFTMAX computes in floats, and is the nearer one: of -15.79 the reference, in fixed point, makes
    # -15.94, the least there is: two steps apart.
    rule = {**ONE_OFF, "default": ulps(2)} if opcode == "LOG_SOFTMAX" else ONE_OFF
    return case(opcode, x, out=out(dtype, *unit), rule=rule, **options)


FUNCTIONS = {
    "ABS": (I8, I16), "DEQUANTIZE": (I8, U8, I16), "ELU": (I8,), "EXP": (I8, I16), "HARD_SWISH": (I8, U8),
    "LEAKY_RELU": (I8, U8, I16), "LOG": (I8, I16), "LOGISTIC": (I8, U8, I16), "QUANTIZE": (I8, U8, I16),
    "RELU": (I8, U8, I16), "RELU6": (I8, U8, I16), "RELU_0_TO_1": (I8, U8), "RELU_N1_TO_1": (I8, U8),
    "RSQRT": (I8, I16), "SQRT": (I8, I16), "TANH": (I8, U8, I16),
}  # fmt: skip


@st.composite
def functions(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(sorted(FUNCTIONS)))
    dtype = draw(st.sampled_from(FUNCTIONS[opcode]))
    x = draw(stored((draw(st.integers(1, 50)),), dtype))
    if opcode == "DEQUANTIZE":
        return case(opcode, x, kind="FLOAT32")
    if opcode in ("RSQRT", "SQRT"):
        x = x._replace(value=np.maximum(x.value, x.zero).astype(dtype))
    made = {"LOGISTIC": lambda: out(dtype, *UNIT[dtype]), "TANH": lambda: out(dtype, *TWICE[dtype])}.get(opcode)
    options = {"alpha": draw(st.sampled_from((0.3, -0.3, 1.5)))} if opcode == "LEAKY_RELU" else {}
    return case(opcode, x, out=made() if made else draw(results(dtype, x.scale)), rule=ONE_OFF, **options)


@st.composite
def quantisations(draw: Draw) -> Case:
    dtype, shape = draw(TYPES), draw(shapes())
    return case("QUANTIZE", draw(arrays(shape)), out=draw(results(dtype, draw(scales(-3, 0)))), rule=ONE_OFF)


def places(case: Call, y: Array) -> float:
    """A step, and for each pixel 1/1024 of all steps: int8 rounds places to that, and XNNPACK does not. 3 at 8 x 8."""
    return 1 + sum(first(case).shape[1:3]) * np.iinfo(y.dtype).max / 512


@st.composite
def images(draw: Draw) -> Case:
    """Whose scale stays."""
    opcode, dtype = draw(st.sampled_from(("MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR"))), draw(TYPES)
    options, kernel, image, _ = draw(windows("hw", dilated=False))
    x = draw(stored((draw(st.integers(1, 2)), *image, draw(st.integers(1, 20))), dtype))
    rule, made = None if opcode == "MAX_POOL_2D" else ONE_OFF, out(dtype, float(x.scale), x.zero)
    if opcode == "RESIZE_BILINEAR":
        size = draw(indices([draw(st.integers(1, 20)) for _ in range(2)], I32))
        return case(opcode, x, size, out=made, rule=ONE_OFF | {"default": places}, **draw(st.sampled_from(MODES)))
    options |= {"filter_height": kernel[0], "filter_width": kernel[1]}
    return case(opcode, x, out=made, rule=rule, **options)
