"""Operators on arrays of a quarter of a million values: what they take on the way is much more than Python itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from tests.parity.operators import Array, Case, Given, Out, case, fixed, state

N = 2**18
SIDE = 2**9
SQUARE, IMAGE = (SIDE, SIDE), (1, SIDE // 4, SIDE // 4, 16)
WINDOW = {"padding": 0, "stride_h": 1, "stride_w": 1}
POOL = WINDOW | {"filter_height": 3, "filter_width": 3}
F32, I32 = np.float32, np.int32
RNG = np.random.default_rng(0)

UNARY = """
ABS NEG SQUARE SQRT RSQRT SIN COS EXP LOG RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LOGISTIC TANH HARD_SWISH ELU GELU FLOOR
CEIL ROUND SIGN ZEROS_LIKE
"""
WHOLE = "ADD DIV POW FLOOR_DIV BITWISE_XOR RIGHT_SHIFT STABLEHLO_AND STABLEHLO_SHIFT_LEFT"
BINARY = "ADD SUB MUL DIV POW MAXIMUM MINIMUM SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD ATAN2"
COMPARED = "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL"
BINARY += " STABLEHLO_ADD STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_MULTIPLY"


@cache  # arrays of one shape are one array
def floats(*shape: int) -> Array:
    return RNG.random(shape, F32) + F32(0.1)


@cache
def whole(*shape: int, most: int = 100) -> Array:
    return RNG.integers(1, most, shape).astype(I32)


@cache
def stored(*shape: int, dtype: Any = np.int8, in_file: bool = False) -> Given:
    values = RNG.integers(1, 100, shape).astype(dtype)
    return Given(values, in_file, np.array(0.1, F32), np.array(0))


def outs(*kinds: str) -> list[Out]:
    return [Out(kind) for kind in kinds]


def cases() -> Iterator[Case]:
    yield from _elements()
    yield from _rows()
    yield from _moves()
    yield from _places()
    yield from _made()
    yield from _images()
    yield from _products()
    yield from _recurrent()


def _elements() -> Iterator[Case]:
    yield from (case(opcode, floats(N)) for opcode in UNARY.split())
    yield from (case(opcode, floats(N), floats(N)) for opcode in BINARY.split())
    yield from (case(opcode, whole(N), whole(N)) for opcode in WHOLE.split())
    yield from (case(opcode, floats(SIDE, 1), floats(1, SIDE)) for opcode in ("ADD", "POW", "FLOOR_DIV"))
    yield from (case(opcode, floats(N), floats(N), kind="BOOL") for opcode in COMPARED.split())
    truths = floats(N) > 0.5
    yield from (case(opcode, truths, truths) for opcode in ("LOGICAL_AND", "LOGICAL_OR"))
    yield case("LOGICAL_NOT", truths)
    yield from (case(opcode, truths, floats(N), floats(N), kind="FLOAT32") for opcode in ("SELECT", "SELECT_V2"))
    yield case("GELU", floats(N), approximate=True)
    yield case("LEAKY_RELU", floats(N), alpha=0.1)
    yield case("PRELU", floats(N), floats(1))
    yield case("FAKE_QUANT", floats(N), min=-1.0, max=1.0, num_bits=8)
    yield case("BUCKETIZE", floats(N), kind="INT32", boundaries=[0.0, 0.5])
    yield case("ADD_N", *(floats(N) for _ in range(3)))
    yield case("BITCAST", floats(N), kind="INT32")
    yield case("CAST", floats(N), kind="INT32", out_data_type=2)
    yield case("CAST", whole(N).astype(np.int8), kind="FLOAT32", in_data_type=9)
    complexes = (floats(N) + 1j * floats(N)).astype(np.complex64)
    yield from (case(opcode, complexes, kind="FLOAT32") for opcode in ("REAL", "IMAG", "COMPLEX_ABS"))
    texts = np.array([b"a", b"b"] * (N // 16), object)
    yield case("EQUAL", texts, texts, kind="BOOL")


def _rows() -> Iterator[Case]:
    for shape in (SQUARE, (1, N)):
        yield case("SOFTMAX", floats(*shape), beta=1.0)
        yield from (case(opcode, floats(*shape)) for opcode in ("LOG_SOFTMAX", "L2_NORMALIZATION"))
    across = {"radius": 65536, "bias": 1.0, "alpha": 1.0, "beta": 0.5}
    yield case("LOCAL_RESPONSE_NORMALIZATION", floats(*IMAGE), **across)
    yield case("LOCAL_RESPONSE_NORMALIZATION", floats(1, 2, 2, 2**12), **across)
    for axis in (0, 1):
        for opcode in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
            yield case(opcode, floats(*SQUARE), fixed([axis]))
        yield from (case(o, floats(*SQUARE) > 0.5, fixed([axis])) for o in ("REDUCE_ANY", "REDUCE_ALL"))
        yield from (case(o, floats(*SQUARE), fixed(axis), kind="INT32", output_type=2) for o in ("ARG_MAX", "ARG_MIN"))
        yield case("CUMSUM", floats(*SQUARE), fixed(axis), exclusive=True, reverse=True)
        yield case("MEAN", whole(*SQUARE), fixed([axis]))
        yield case("UNPACK", floats(4, 4, N // 16), num=4, axis=axis, out=outs(*["FLOAT32"] * 4))
    yield case("CUMSUM", whole(*SQUARE).astype(np.int64), fixed(0))
    yield case("ARG_MAX", whole(*SQUARE).astype(np.int8), fixed(1), kind="INT32", output_type=2)
    yield case("TOPK_V2", floats(*SQUARE), fixed(4), out=outs("FLOAT32", "INT32"))
    yield case("TOPK_V2", floats(N), fixed(4), out=outs("FLOAT32", "INT32"))
    yield from (case("UNIQUE", x, out=[Out(k), Out("INT32")]) for x, k in ((floats(N), "FLOAT32"), (whole(N), "INT32")))


def _moves() -> Iterator[Case]:
    x = floats(*SQUARE)
    yield case("RESHAPE", x, new_shape=[N])
    yield case("TRANSPOSE", x, fixed([1, 0]))
    yield case("REVERSE_V2", x, fixed([0]))
    yield case("REVERSE_SEQUENCE", x, whole(SIDE), seq_dim=1, batch_dim=0)
    yield case("REVERSE_SEQUENCE", x.astype(np.int8), whole(SIDE), seq_dim=1, batch_dim=0)
    yield case("SQUEEZE", floats(1, N), squeeze_dims=[0])
    yield case("EXPAND_DIMS", floats(N), fixed(0))
    yield from (
        case(opcode, x, x, axis=1, **more) for opcode, more in (("CONCATENATION", {}), ("PACK", {"values_count": 2}))
    )
    yield case("SPLIT", fixed(1), x, num_splits=2, out=outs("FLOAT32", "FLOAT32"))
    yield case("SPLIT_V", x, fixed([1, SIDE - 1]), fixed(1), num_splits=2, out=outs("FLOAT32", "FLOAT32"))
    yield case("SLICE", x, fixed([1, 1]), fixed([-1, -1]))
    yield case("STRIDED_SLICE", x, fixed([1, 1]), fixed([SIDE, SIDE]), fixed([1, 1]))
    yield from (case("PAD", x, fixed([[n, n], [1, 1]])) for n in (1, SIDE))
    yield case("PADV2", x, fixed([[1, 1], [1, 1]]), fixed(1, F32))
    yield case("MIRROR_PAD", x, fixed([[1, 1], [1, 1]]), mode=0)
    yield case("SPACE_TO_DEPTH", floats(*IMAGE), block_size=2)
    yield case("DEPTH_TO_SPACE", floats(*IMAGE), block_size=2)
    yield case("SPACE_TO_BATCH_ND", floats(1, 2, 2, 1), fixed([2, 2]), fixed([[SIDE, 0], [0, SIDE]]))
    yield case("BATCH_TO_SPACE_ND", floats(4, *IMAGE[1:3], 4), fixed([2, 2]), fixed([[0, 0], [0, 0]]))
    yield case("MATRIX_SET_DIAG", x, floats(SIDE))


def _places() -> Iterator[Case]:
    yield case("GATHER", floats(4), whole(N, most=4))
    yield case("GATHER", floats(N), whole(4, most=4))
    yield case("GATHER", floats(SIDE, 4, 4), whole(SIDE, SIDE // 4, most=4), axis=1, batch_dims=1)
    yield case("GATHER", floats(N // 8, 2, 2), whole(N // 8, 2, most=2), axis=2, batch_dims=1)
    yield case("GATHER", np.array([b"a", b"b"], object), whole(N, most=2), kind="STRING")
    yield case("GATHER_ND", floats(4, 4), whole(N // 2, 2, most=4))
    yield case("SCATTER_ND", whole(N, 1, most=9), floats(N), fixed([N]), kind="FLOAT32")
    yield case("SCATTER_ND", whole(4, 1, most=9), floats(4), fixed([N]), kind="FLOAT32")
    yield case("SPARSE_TO_DENSE", whole(N, 1, most=9), fixed([N]), floats(N), fixed(0, F32), kind="FLOAT32")
    yield case("DYNAMIC_UPDATE_SLICE", floats(*SQUARE), floats(2, 2), fixed([0, 0]))
    rows = {"offset_dims": [1], "collapsed_slice_dims": [0], "start_index_map": [0], "index_vector_dim": 1}
    yield case("STABLEHLO_GATHER", floats(4, 4), whole(N, 1, most=3), slice_sizes=[1, 4], kind="FLOAT32", **rows)
    yield from (case("EMBEDDING_LOOKUP", whole(n, most=4), floats(4, SIDE), kind="FLOAT32") for n in (4, SIDE))
    ids, places = np.sort(whole(SIDE, most=4)), np.stack([np.arange(SIDE), whole(SIDE, most=3)], 1).astype(I32)
    entries = ids, places, fixed([SIDE, 4]), floats(SIDE), floats(4, SIDE)
    yield case("EMBEDDING_LOOKUP_SPARSE", *entries, combiner=1, kind="FLOAT32")
    yield case("HASHTABLE_LOOKUP", whole(N, most=4), fixed([1, 2, 3, 4]), floats(4, 4), out=outs("FLOAT32", "UINT8"))
    yield case("SEGMENT_SUM", floats(N), np.sort(RNG.integers(0, 2, N)).astype(I32))
    for opcode in ("SUM", "PROD", "MAX", "MIN"):
        yield case(f"UNSORTED_SEGMENT_{opcode}", floats(N), whole(N, most=9), fixed(9))
    yield case("UNSORTED_SEGMENT_SUM", floats(4), whole(4), fixed(N))
    yield case("WHERE", floats(*SQUARE) > 0.2, kind="INT64")
    limits = fixed(3), fixed(0.5, F32), fixed(0, F32)
    boxes = floats(N // 64, 4), floats(N // 64)
    yield case("NON_MAX_SUPPRESSION_V4", *boxes, *limits, out=outs("INT32", "INT32"))
    yield case("NON_MAX_SUPPRESSION_V5", floats(4, 4), floats(4), fixed(N), *limits[1:], fixed(0, F32),
               out=outs("INT32", "FLOAT32", "INT32"))  # fmt: skip


def _made() -> Iterator[Case]:
    yield case("TILE", floats(4, 1), fixed([N // 64, 16]))
    yield case("BROADCAST_TO", floats(1), fixed([N]))
    yield case("FILL", fixed([N]), floats(), kind="FLOAT32")
    yield case("FILL", fixed([N]), np.array(b"a", object), kind="STRING")
    yield case("DILATE", floats(SIDE // 2, SIDE // 2), fixed([2, 2]), fixed(0, F32))
    yield from (case("RANGE", *(fixed(v, d) for v in (0, N, 1))) for d in (F32, I32))
    yield case("MATRIX_DIAG", floats(SIDE))
    for shape, depth, axis in ((4, N // 4, -1), (N // 4, 4, 0)):
        yield case("ONE_HOT", whole(shape), fixed(depth), fixed(1, F32), fixed(0, F32), axis=axis, kind="FLOAT32")
    yield from (case("RFFT2D", floats(*s), fixed(SQUARE), kind="COMPLEX64") for s in (SQUARE, (4, 4), (N, 1)))
    yield from (case(f"RANDOM_{o}", fixed([N]), kind="FLOAT32", seed=1) for o in ("UNIFORM", "STANDARD_NORMAL"))
    yield from (
        case("MULTINOMIAL", floats(*s), fixed(n), kind="INT32", seed=1) for s, n in (((4, 4), N // 4), (SQUARE, 4))
    )


def _images() -> Iterator[Case]:
    for opcode in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        yield case(opcode, floats(1, 4, 4, 16), fixed(IMAGE[1:3]))
        yield case(opcode, floats(1, 1, SIDE, 4), fixed([SIDE // 2, 1]))
    yield from (case(opcode, floats(*IMAGE), **POOL) for opcode in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"))
    for image, outputs in ((IMAGE, 16), ((1, SIDE, SIDE, 1), 1)):
        filters = Given(floats(outputs, 3, 3, image[3]), in_file=True)
        yield case("CONV_2D", floats(*image), filters, Given(floats(outputs), in_file=True), **WINDOW)
    for image in (IMAGE, (*IMAGE[:3], 4), (1, SIDE, SIDE, 1)):
        channels = max(image[3], 16 if image[3] == 4 else 1)
        filters = Given(floats(1, 3, 3, channels), in_file=True)
        yield case("DEPTHWISE_CONV_2D", floats(*image), filters, Given(floats(channels), in_file=True), **WINDOW)
    yield case("CONV_2D", floats(*IMAGE), floats(16, 3, 3, 16), floats(16), **WINDOW, fused_activation_function=1)
    deep = floats(1, 8, SIDE // 16, SIDE // 16, 32)
    yield case("CONV_3D", deep, floats(3, 3, 3, 32, 32), floats(32), **WINDOW, stride_d=1)
    up = {**WINDOW, "kind": "FLOAT32"}
    yield case("CONV_3D_TRANSPOSE", fixed(deep.shape), floats(3, 3, 3, 32, 32), deep, **up, stride_d=1)
    yield case("TRANSPOSE_CONV", fixed(IMAGE), floats(16, 3, 3, 16), floats(*IMAGE), **up)


def _products() -> Iterator[Case]:
    weights = Given(floats(*SQUARE), in_file=True), Given(floats(SIDE), in_file=True)
    yield case("FULLY_CONNECTED", floats(*SQUARE), floats(*SQUARE), floats(SIDE))
    yield case("FULLY_CONNECTED", floats(*SQUARE), *weights)
    yield case("BATCH_MATMUL", floats(*SQUARE), floats(*SQUARE))
    yield case("BATCH_MATMUL", floats(SIDE, 1), floats(1, SIDE))
    yield case("BATCH_MATMUL", whole(SIDE, 64), whole(64, SIDE))


def _recurrent() -> Iterator[Case]:
    units, batch = 64, N // 64
    w, b = floats(units, units), floats(units)
    yield case("RNN", floats(batch, units), w, w, b, state(batch, units))
    yield case("UNIDIRECTIONAL_SEQUENCE_RNN", floats(batch // 16, 16, units), w, w, b, state(batch // 16, units))
    yield case("SVDF", floats(batch, units), w, floats(units, 4), b, state(batch, 4 * units), rank=1)
    for opcode, shape in (("LSTM", (batch,)), ("UNIDIRECTIONAL_SEQUENCE_LSTM", (batch // 16, 16))):
        states = state(shape[0], units), state(shape[0], units)
        cell = [*[w] * 8, *[None] * 3, *[b] * 4, *[None] * 2, *states]
        yield case(opcode, floats(*shape, units), *cell, *[None] * 4, fused_activation_function=4)
    x, states = floats(batch // 16, 16, units), [state(batch // 16, units)] * 2
    both = {"merge_outputs": True, "time_major": False, "fused_activation_function": 4}
    yield case("BIDIRECTIONAL_SEQUENCE_RNN", x, *[w, w, b, states[0]] * 2, *[None] * 3, **both)
    cells = [*[w] * 8, *[None] * 3, *[b] * 4, *[None] * 2] * 2
    yield case("BIDIRECTIONAL_SEQUENCE_LSTM", x, *cells, *states * 2, *[None] * 9, **both)
