"""Functions of one number or two that LiteRT approximates, or that tell signs and roundings apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import Array, Case, case, fixed, normal, weights
from tests.parity.rules import RULES

F32, I32, I64 = np.float32, np.int32, np.int64
EDGES = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999997, 8388607.5, 3e9], F32)


def cases() -> Iterator[Case]:
    yield from activations()
    yield from angles()
    yield from whole_numbers()
    yield from casts()


def activations() -> Iterator[Case]:
    x = normal(4000, scale=4)
    yield from (case("RELU_0_TO_1", v) for v in (x, EDGES))
    yield from (case("ELU", v, rule=RULES["ELU"]) for v in (x, EDGES, -np.logspace(-30, 2, 500, dtype=F32)))
    for approximate in (False, True):
        yield from (case("GELU", v, rule=RULES["GELU"], approximate=approximate) for v in (x, EDGES))
    for shape in ((4,), (1,), (), (3, 1), (3, 4), (2, 3, 4)):
        yield from (case("PRELU", normal(2, 3, 4), a) for a in (weights(*shape), normal(*shape, seed=1)))
    yield case("PRELU", EDGES, fixed(-0.5, F32))


def angles() -> Iterator[Case]:
    x = np.linspace(-20, 20, 4001, dtype=F32)  # further out XNNPACK loses its way: see test_operators.py
    for opcode in ("SIN", "COS"):
        yield case(opcode, x, rule=RULES[opcode])
        yield case(opcode, np.array([np.nan, np.inf, -np.inf, 0, -0.0], F32))
    both = np.array([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-40, 3e38], F32)
    y, x = (m.reshape(-1) for m in np.meshgrid(both, both))
    for dtype in (F32, np.float16):
        yield case("ATAN2", held(y, dtype), held(x, dtype), rule=RULES["ATAN2"])
        yield case("ATAN2", normal(500, 2).astype(dtype), normal(500, 2, seed=1).astype(dtype), rule=RULES["ATAN2"])


def whole_numbers() -> Iterator[Case]:
    x = normal(4000, scale=4)
    halves = np.arange(-20, 21, dtype=F32) / 2
    for opcode in ("FLOOR", "CEIL", "ROUND", "SIGN"):
        yield from (case(opcode, v) for v in (x, EDGES, halves))
    yield case("FLOOR", held(EDGES, np.float16))
    yield case("SIGN", np.array([-(2**31), 2**31 - 1, 0, -3], I32))
    yield case("NEG", held(EDGES, np.float16))
    for dtype in (np.int8, np.int16, I32, I64):
        yield case("NEG", ends(dtype))
    yield from (case("ABS", ends(dtype)) for dtype in (np.int16, I32))
    yield from (case("ZEROS_LIKE", ends(dtype)) for dtype in (I32, I64, F32))
    limits = (-1.5, 0.0, 0.0, 2.5, 2.0**24, 2.0**24 + 2, 2.0**24 + 4)
    for v in (
        EDGES,
        x,
        np.array([-2, 0, 2, 3, 2**24 + 1, 2**24 + 3], I32),
        np.array([-2, 0, 2, 3, 2**24 + 3, 2**62], I64),
    ):
        yield case("BUCKETIZE", v, kind="INT32", boundaries=limits)
    yield case("BUCKETIZE", EDGES, kind="INT32", boundaries=())
    steps = np.concatenate([x, np.linspace(-2, 2, 401, dtype=F32), EDGES[1:]])
    for least, most in ((-1.0, 1.0), (0.0, 6.0), (-6.0, 0.0), (-0.1, 0.7), (-3.3, 1.2)):
        yield from (case("FAKE_QUANT", steps, min=least, max=most, num_bits=n) for n in (2, 4, 8, 16))


def casts() -> Iterator[Case]:
    far = np.array([np.nan, np.inf, -np.inf, 1e10, -1e10, 3e9, 2e9, -3e9, 300, -300, 1e20, 1.9, -1.9, -0.0, 0.3], F32)
    edges = np.array([2**n + d for n in (7, 8, 15, 16, 31, 32, 63) for d in (-1, 0, 1)], F32)
    codes = {"INT8": 9, "UINT8": 3, "INT16": 7, "UINT16": 16, "INT32": 2, "UINT32": 15, "INT64": 4}
    others = {"BOOL": 6, "FLOAT16": 1, "FLOAT32": 0, "FLOAT64": 10, "COMPLEX64": 8}
    for kind, code in codes.items():
        for values in (far, edges, -edges, far.astype(np.float64), held(far, np.float16)):
            yield case("CAST", values, kind=kind, out_data_type=code)
        yield case("CAST", np.array([2 + 3j, -1e10 + 1j, np.nan], np.complex64), kind=kind, out_data_type=code)
        yield case("CAST", np.array([True, False]), kind=kind, out_data_type=code)
    for kind, code in {**codes, **others}.items():
        for dtype in (np.int8, np.uint8, np.int16, np.uint16, I32, np.uint32, I64):
            yield case("CAST", ends(dtype), kind=kind, out_data_type=code)
    for kind, code in others.items():
        yield case("CAST", far, kind=kind, out_data_type=code)
        yield case("CAST", np.array([3 + 1j, 1j, 0], np.complex64), kind=kind, out_data_type=code)
        yield case("CAST", np.array([True, False]), kind=kind, out_data_type=code)
        yield case("CAST", held(far, np.float16), kind=kind, out_data_type=code)


def held(x: Array, dtype: type) -> Array:
    """x as another type, which may be too small for it."""
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def ends(dtype: type) -> Array:
    """What a type can hold at most, and what other types cannot hold."""
    if np.dtype(dtype).kind == "f":
        return held(EDGES, dtype)
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.array([least, least + 1, most, most - 1, most // 2 + 1, 0, 1, 3, 100], dtype)
