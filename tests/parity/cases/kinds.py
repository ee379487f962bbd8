"""Types that LiteRT has an operator for, beside those of the operator's own cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.parity.cases.parts import BOOL, F16, F32, I8, I16, I32, I64, U8, counted, special
from tests.parity.operators import Array, Case, Out, case, fixed, normal
from tflite_transfer.diagnostics.bounds import ulps
from tflite_transfer.reference.tflite.builder import TYPES

F64, U16, U32, U64, C64, C128 = np.float64, np.uint16, np.uint32, np.uint64, np.complex64, np.complex128
RARE = (F64, U16, U32, U64, C64)
BYTES = (I8, U8, I16)
EVERY = (*RARE, *BYTES, F16, I32, I64, BOOL)
CHOICE = np.array([True, False])
BLOCKS = fixed([2, 2]), fixed([[1, 0], [0, 0]])
WINDOW = {"padding": 0, "stride_h": 2, "stride_w": 1, "filter_height": 3, "filter_width": 2}
ROWS = {"offset_dims": [1], "collapsed_slice_dims": [0], "start_index_map": [0], "index_vector_dim": 1}


def cases() -> Iterator[Case]:
    yield from moves()
    yield from halves()


def some(dtype: Any, *shape: int) -> Array:
    """Floats of every kind; complex numbers with both parts; whole numbers."""
    if np.dtype(dtype).kind == "f":
        with np.errstate(over="ignore"):
            return special(*shape).astype(dtype)
    return counted(dtype, *shape) * (dtype(1 + 2j) if np.dtype(dtype).kind == "c" else dtype(1))


def signed(dtype: Any, *shape: int) -> Array:
    info = np.iinfo(dtype)
    return np.random.default_rng(6).integers(info.min, info.max, shape, dtype, endpoint=True)


def kind(dtype: Any) -> str:
    return TYPES[np.dtype(dtype)]


def moves() -> Iterator[Case]:
    for types, made in MOVES:
        yield from (made(d) for d in types)


Maker = Callable[[Any], Case]
MOVES: tuple[tuple[tuple[Any, ...], Maker], ...] = (
    (EVERY, lambda d: case("EXPAND_DIMS", some(d, 2, 3), fixed(1))),
    (EVERY, lambda d: case("RANK", some(d, 2, 3), kind="INT32")),
    (EVERY, lambda d: case("RESHAPE", some(d, 2, 6), fixed([3, 4]))),
    (EVERY, lambda d: case("SHAPE", some(d, 2, 3), kind="INT32", out_type=2)),
    ((F32, *EVERY), lambda d: case("SLICE", some(d, 3, 4), fixed([1, 0]), fixed([2, 3]))),
    (EVERY, lambda d: case("SQUEEZE", some(d, 2, 1, 3), squeeze_dims=[1])),
    (EVERY, lambda d: case("STABLEHLO_GATHER", some(d, 3, 4), fixed([[2], [0]]), slice_sizes=[1, 4], **ROWS)),
    (EVERY, lambda d: case("STRIDED_SLICE", some(d, 3, 4), fixed([0, 3]), fixed([3, 0]), fixed([2, -1]))),
    (EVERY, lambda d: case("TRANSPOSE", some(d, 2, 3, 4), fixed([2, 0, 1]))),
    ((*RARE, I16, F16, BOOL), lambda d: case("SPACE_TO_BATCH_ND", some(d, 1, 3, 4, 2), *BLOCKS)),
    ((*RARE, I16, F16, BOOL), lambda d: case("BATCH_TO_SPACE_ND", some(d, 4, 2, 2, 1), *BLOCKS)),
    ((*RARE, C128), lambda d: case("BROADCAST_TO", some(d, 2, 1), fixed([3, 2, 4]), version=2)),
    ((*RARE, C128), lambda d: case("DILATE", some(d, 3, 2), fixed([2, 3]), fixed(1, d))),
    ((*RARE, C128), lambda d: case("DYNAMIC_UPDATE_SLICE", some(d, 4, 3), some(d, 2, 1), fixed([1, 2]))),
    ((*RARE, C128, F16, BOOL), lambda d: case("EMBEDDING_LOOKUP", fixed([2, 0]), some(d, 3, 2), kind=kind(d))),
    ((*RARE, *BYTES, F16), lambda d: case("FILL", fixed([2, 3]), fixed(7, d), kind=kind(d))),
    ((F16, *BYTES, I32, BOOL), lambda d: case("GATHER", some(d, 3, 4), fixed([2, 0]), axis=1)),
    ((F16, *BYTES, I32, U32, I64, BOOL), lambda d: case("CONCATENATION", some(d, 2, 3), some(d, 2, 1), axis=1)),
    ((*RARE, F16, I8, I16), lambda d: case(
        "HASHTABLE_LOOKUP", fixed([5, 9]), fixed([5, 7]), some(d, 2, 3), out=[Out(kind(d)), Out("UINT8")])),
    ((U32,), lambda d: case("MATRIX_DIAG", some(d, 2, 3))),
    ((U32,), lambda d: case("MATRIX_SET_DIAG", some(d, 2, 3), some(d, 2))),
    ((*RARE, F16), lambda d: case("MIRROR_PAD", some(d, 4), fixed([[2, 3]]), mode=0)),
    ((*BYTES, U32, I64), lambda d: case("PACK", some(d, 2, 3), some(d, 2, 3), values_count=2, axis=1)),
    ((F16, *BYTES, I32, I64, BOOL), lambda d: case("PAD", some(d, 2, 3), fixed([[0, 1], [2, 0]]))),
    ((F16, *BYTES, I32, I64, BOOL), lambda d: case("PADV2", some(d, 2, 3), fixed([[0, 1], [2, 0]]), fixed(1, d))),
    ((F16, U16, U32, BOOL), lambda d: case("RESIZE_NEAREST_NEIGHBOR", some(d, 1, 3, 4, 2), fixed([5, 2]))),
    (RARE, lambda d: case("SELECT", CHOICE, some(d, 2, 3), fixed(some(d, 2, 3)[::-1], d), kind=kind(d))),
    (RARE, lambda d: case("SELECT_V2", np.array([[True], [False]]), some(d, 2, 3), fixed(3, d), kind=kind(d))),
    (RARE, lambda d: case("TILE", some(d, 2, 3), fixed([2, 2]))),
    (BYTES, lambda d: case("AVERAGE_POOL_2D", signed(d, 1, 5, 6, 2), **WINDOW)),
    (BYTES, lambda d: case("MAX_POOL_2D", signed(d, 1, 5, 6, 2), **WINDOW)),
    (BYTES, lambda d: case("RESIZE_BILINEAR", signed(d, 1, 5, 6, 2), fixed([7, 4]), rule=ulps(1))),
    ((F16, F64, U16, BOOL), lambda d: case("BITCAST", some(d, 2, 4), kind="UINT8")),
)  # fmt: skip


def halves() -> Iterator[Case]:
    """Arithmetic in float16: LiteRT's steps, rounded each or all at once."""
    x, y = normal(40).astype(F16), normal(40, seed=1).astype(F16)
    yield from (case(o, x, y) for o in ("ADD", "MUL", "MAXIMUM", "MINIMUM"))
    yield from (case(o, x) for o in ("CEIL", "ROUND"))
    yield from (case(o, x, rule=rounded) for o in ("SIN", "COS", "ELU", "LOGISTIC", "TANH"))
    yield from (case("GELU", x, rule=rounded, approximate=a) for a in (False, True))
    yield case("SOFTMAX", x.reshape(4, 10), rule=rounded, beta=1.0)
    yield case("ATAN2", x.astype(F64), y.astype(F64))
    yield case("SIGN", special(7).astype(F64)[1:])
    yield case("MUL", some(C64, 2, 3), some(C64, 3))


def rounded(_: Case, y: Array) -> Any:
    """Twice 2^-11, relative where results are larger than 1; once at the most."""
    return 2 * 2**-11 * np.maximum(1, np.abs(y.astype(F64)))
