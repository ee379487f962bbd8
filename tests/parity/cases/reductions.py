"""Reductions, places of the largest and smallest, running sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import Case, Given, case, fixed, normal
from tests.parity.rules import RULES
from tflite_transfer.diagnostics.bounds import Terms

F32, I32, I64 = np.float32, np.int32, np.int64
AXES = (1, [0], [-1], [0, 2], [1, -1], [0, 1, 2], [1, 1], [])


def cases() -> Iterator[Case]:
    yield from reduced()
    yield from places()
    yield from running()


def reduced() -> Iterator[Case]:
    x = normal(3, 4, 5)
    for axes in AXES:
        for keep in (False, True):
            yield case("REDUCE_MIN", x, fixed(axes), keep_dims=keep)
            yield case("REDUCE_PROD", x, fixed(axes), rule=RULES["REDUCE_PROD"], keep_dims=keep)
            yield from (case(o, x > 0.8, fixed(axes), keep_dims=keep) for o in ("REDUCE_ANY", "REDUCE_ALL"))
    for empty in (np.zeros((0, 3), F32), np.zeros((2, 0), F32)):
        yield from (case(o, empty, fixed([0])) for o in ("SUM", "REDUCE_PROD", "MEAN"))
        # LiteRT's reference begins with the least finite number instead.
        yield from (case(o, empty, fixed([0]), rule=lambda *_: np.inf) for o in ("REDUCE_MAX", "REDUCE_MIN"))
    yield from (case(o, np.zeros((0, 3), bool), fixed([0])) for o in ("REDUCE_ANY", "REDUCE_ALL"))
    for opcode in ("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
        yield from (case(opcode, np.array(3.5, F32), fixed(a)) for a in ([], [0]))
        yield case(opcode, np.array([[np.inf, 2], [-np.inf, -3], [0, np.inf]], F32), fixed([1]))
        yield case(opcode, np.arange(12, dtype=F32).reshape(3, 4), np.array([1], I32))
        types = (I32, I64) if opcode in ("SUM", "MEAN") else (np.int8, np.uint8, np.int16, I32, I64)
        for dtype in types:
            least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
            v = np.array([[most, most, most], [least, least, 3], [least, most, 1], [3, 3, 2]], dtype)
            yield from (case(opcode, v, fixed(a)) for a in ([1], [0], [], [0, 1]))
    for opcode in ("SUM", "MEAN"):  # of images, so large that they are added in two steps: 48,450 numbers, 13,000
        images, rows, rule = normal(30, 17, 19, 5), normal(65, 200), Terms(4)  # seen: 2.0, of 65 rows
        yield from (case(opcode, images, fixed([0, 1, 2]), rule=rule, keep_dims=k) for k in (False, True))
        yield from (case(opcode, rows, fixed(axes), rule=rule) for axes in ([0], [1], [0, 1]))
    for dtype in (I32, I64):  # rounded towards 0, negative ones up
        yield case("MEAN", np.array([[-7, -7, -6], [7, 7, 6], [-1, 0, 0], [-3, -3, -3]], dtype), fixed([1]))


def places() -> Iterator[Case]:
    x = normal(3, 4, 5).round()
    nan = np.array([[np.nan, -np.inf, 1, 1], [np.nan] * 4, [np.nan, np.inf, 0, 0], [1, 2, np.nan, 2]], F32)
    for opcode in ("ARG_MAX", "ARG_MIN"):
        for axis in (0, 1, 2, -1, -3):
            yield case(opcode, x, fixed(axis), kind="INT32", output_type=2)
            yield case(opcode, x, fixed([axis], I64), kind="INT64", output_type=4)
        yield case(opcode, nan, fixed(0), kind="INT32", output_type=2)
        yield case(opcode, nan[:, :3].copy(), fixed(1), kind="INT32", output_type=2)
        yield case(opcode, x, Given(np.array(1, I32)), kind="INT32", output_type=2)
        yield case(opcode, np.array([0.0, -0.0, 0.0], F32), fixed(0), kind="INT32", output_type=2)
        yield case(opcode, normal(7, 1000), fixed(1), kind="INT64", output_type=4)
        for dtype in (np.int8, np.uint8, I32, np.bool_):
            yield case(opcode, (x > 0 if dtype is np.bool_ else np.abs(x)).astype(dtype), fixed(1), kind="INT32",
                       output_type=2)  # fmt: skip
        yield case(opcode, np.array([5, -(2**31), 2**31 - 1, -(2**31), 2**31 - 1], I32), fixed(0), kind="INT32",
                   output_type=2)  # fmt: skip


def running() -> Iterator[Case]:
    for exclusive in (False, True):
        for reverse in (False, True):
            options = {"exclusive": exclusive, "reverse": reverse}
            for axis in (0, 1, 2, -1, -3):
                yield case("CUMSUM", normal(3, 4, 5), fixed(axis), **options)
            yield case("CUMSUM", normal(2, 1000), fixed([1]), **options)
            for dtype in (I32, I64):
                v = np.array([[np.iinfo(dtype).max, 1, 5], [np.iinfo(dtype).min, -1, 7]], dtype)
                yield from (case("CUMSUM", v, fixed(a), **options) for a in (0, 1))
    yield case("CUMSUM", np.zeros((3, 0), F32), fixed(1))
    yield case("CUMSUM", np.array([1, np.inf, 2, -np.inf, 3], F32), Given(np.array(0, I32)))
