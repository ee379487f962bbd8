"""The same for stored integers, and for TensorFlow's kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.attacks.giants import F32, I32, IMAGE, POOL, SIDE, SQUARE, WINDOW, N, floats, stored, whole
from tests.parity.cases.quantized_recurrent import MEMORY, TANH, between, cell, state
from tests.parity.operators import Array, Case, Given, Out, case, fixed

BYTES = Out("INT8", 0.1)


def cases() -> Iterator[Case]:
    for dtype in (np.int8, np.int16):
        yield from _stored(dtype)
    yield from _recurrent()


def _recurrent() -> Iterator[Case]:
    units, batch = 64, N // 64
    scales = {"fused_activation_function": TANH, "out": BYTES, "intermediates": between(0.1, 0)}
    for opcode, shape in (("LSTM", (batch,)), ("UNIDIRECTIONAL_SEQUENCE_LSTM", (batch // 16, 16))):
        states = state(np.int8, shape[0], units, scale=0.1), state(np.int16, shape[0], units, scale=MEMORY)
        yield case(opcode, stored(*shape, units), *cell(units, units), *states, *[None] * 4, **scales)
    times = Given(np.ones((units, 4), np.int16), True, np.array(0.1, F32), np.array(0))
    memory = state(np.int16, batch, 4 * units, scale=0.1)
    options = {"rank": 1, "fused_activation_function": 1}
    yield case(
        "SVDF", stored(batch, units), stored(units, units, in_file=True), times, None, memory, out=BYTES, **options
    )


def _stored(dtype: Any) -> Iterator[Case]:
    kind, square = np.dtype(dtype).name.upper(), stored(*SQUARE, dtype=dtype)
    x, out = stored(N, dtype=dtype), Out(kind, 0.1)
    for opcode in ["RELU", "RELU6", "ABS", "EXP", "LOG", "RSQRT", "SQRT"] + ["ELU", "GELU"] * (kind == "INT8"):
        yield case(opcode, x, out=out)
    for opcode in ["ADD", "SUB", "MUL", "MAXIMUM"] + ["DIV", "SQUARED_DIFFERENCE", "PRELU"] * (kind == "INT8"):
        yield case(opcode, x, x, out=out)
    yield case("LEAKY_RELU", x, out=out, alpha=0.1)
    yield case("ADD", stored(SIDE, 1, dtype=dtype), stored(1, SIDE, dtype=dtype), out=out)
    yield from (case(opcode, x, x, out=Out("BOOL")) for opcode in ("EQUAL", "LESS"))
    shares = Out(kind, *((1 / 256, -128) if kind == "INT8" else (1 / 32768, 0)))
    yield from (case(opcode, x, out=shares) for opcode in ("LOGISTIC", "TANH"))
    yield case("NEG", x, out=out)
    for rows in (square, stored(1, N, dtype=dtype)):
        yield case("SOFTMAX", rows, out=shares, beta=1.0)
    if kind == "INT8":
        yield case("HARD_SWISH", x, out=out)
        yield case("L2_NORMALIZATION", square, out=Out(kind, 1 / 128))
        yield case("LOG_SOFTMAX", square, out=Out(kind, 1 / 16, 127))
    yield case("QUANTIZE", floats(N), out=out)
    yield case("DEQUANTIZE", x, kind="FLOAT32")
    yield from (case(opcode, square, fixed([0]), out=out) for opcode in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"))
    image = stored(*IMAGE, dtype=dtype)
    yield from (case(opcode, image, out=out, **POOL) for opcode in ("AVERAGE_POOL_2D", "MAX_POOL_2D"))
    yield case("CONV_2D", image, stored(16, 3, 3, 16, in_file=True), out=out, **WINDOW)
    yield case("DEPTHWISE_CONV_2D", image, stored(1, 3, 3, 16, in_file=True), None, out=out, **WINDOW)
    yield case("TRANSPOSE_CONV", fixed(IMAGE), stored(16, 3, 3, 16, in_file=True), image, out=out, **WINDOW)
    yield case("FULLY_CONNECTED", square, stored(*SQUARE, in_file=True), out=out)
    yield case("BATCH_MATMUL", square, square, out=out)
    yield case("RESIZE_BILINEAR", stored(1, 4, 4, 16, dtype=dtype), fixed(IMAGE[1:3]), out=out)
    yield case("RESIZE_BILINEAR", stored(1, 1, SIDE, 4, dtype=dtype), fixed([SIDE // 2, 1]), out=out)
    yield case("CONCATENATION", square, square, out=out, axis=1)
    one = Given(np.array(1, dtype), True, np.array(0.1, F32), np.array(0))
    yield case("SCATTER_ND", whole(N, 1, most=9), x, fixed([N]), out=out)
    yield case("SPARSE_TO_DENSE", whole(N, 1, most=9), fixed([N]), x, one, out=out)
    yield case("ONE_HOT", whole(4), fixed(N // 4), one, one, axis=-1, out=out)
    yield case("MATRIX_DIAG", stored(SIDE, dtype=dtype), out=out)
    yield case("FILL", fixed([N]), one, out=out)
    yield case(
        "SPACE_TO_BATCH_ND", stored(1, 2, 2, 1, dtype=dtype), fixed([2, 2]), fixed([[SIDE, 0], [0, SIDE]]), out=out
    )
    yield case("REDUCE_PROD", stored(4, N // 4, dtype=dtype), fixed([0]), out=out)
    around = fixed([[1, 1], [1, 1]])
    yield case("PAD", square, around, out=out)
    yield case("PADV2", square, around, one, out=out)


def flex() -> Iterator[tuple[str, tuple[Array, ...], dict[str, Any]]]:
    """TensorFlow's kernels: name, arrays, options."""
    x, strides = floats(N), {"strides": [1, 1, 1, 1], "padding": "SAME"}
    for name in "Elu Inv LeakyRelu Reciprocal Relu6 Relu Rsqrt Selu Sigmoid Softplus Softsign Sqrt Tanh".split():  # noqa: SIM905
        yield f"Flex{name}Grad", (x, x), {}
    yield "FlexReluGrad", (floats(SIDE, 1), floats(1, SIDE)), {}
    yield "FlexAddN", (x, x, x), {}
    yield "FlexBiasAddGrad", (floats(*SQUARE),), {}
    yield "FlexSoftmaxCrossEntropyWithLogits", (floats(*SQUARE), floats(*SQUARE)), {}
    yield "FlexSoftmaxCrossEntropyWithLogits", (floats(SIDE, 1), floats(1, SIDE)), {}
    yield "FlexSparseSoftmaxCrossEntropyWithLogits", (floats(*SQUARE), whole(SIDE)), {}
    image, channels, size = floats(*IMAGE), floats(16), np.array(IMAGE, I32)
    yield "FlexFusedBatchNormV3", (image, *[channels] * 4), {}
    yield "FlexFusedBatchNormGradV3", (image, image, *[channels] * 3, channels), {}
    for kernel, name in (((3, 3, 16, 16), "FlexConv2DBackprop"), ((3, 3, 16, 1), "FlexDepthwiseConv2dNativeBackprop")):
        yield f"{name}Filter", (image, np.array(kernel, I32), image), strides
        yield f"{name}Input", (size, floats(*kernel), image), strides
    pool = strides | {"ksize": [1, 3, 3, 1]}
    yield "FlexMaxPoolGrad", (image, image, image), pool
    yield "FlexAvgPoolGrad", (size, image), pool
