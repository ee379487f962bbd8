"""Files of one operator that hypothesis draws, against both of LiteRT's kernels and by both of ours.

A longer run, which also shows the largest part of each bound: ``python -m pytest tests/parity/test_properties.py
--hypothesis-profile=long --hypothesis-show-statistics``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, note, settings, target
from hypothesis import strategies as st

from tests.parity.operators import MISSING, RESOLVERS, Array, Case, content, litert, name
from tests.parity.rules import LARGEST
from tests.parity.strategies import functions, moves, places, quantized, sums, windows
from tflite_transfer.diagnostics.bounds import TINY
from tflite_transfer.diagnostics.metrics import distance
from tflite_transfer.reference.interpreter import Interpreter

FAMILIES = [
    functions.of_one, functions.of_two, functions.of_several, functions.of_whole_numbers, functions.comparisons,
    functions.choices, functions.casts, windows.convolutions, windows.depthwise_convolutions,
    windows.convolutions_with_depth, windows.transposed_convolutions, windows.pools, sums.fully_connected,
    sums.batch_matmul, sums.reductions, sums.places, sums.running_sums, sums.softmaxes, moves.shapes_alone,
    moves.transpositions, moves.strided_slices, moves.slices, moves.pads, moves.joins, moves.splits, moves.repetitions,
    moves.reversals, moves.depths, moves.batches, places.gathers, places.scatters, places.updates, places.one_hots,
    places.orders, places.segments, places.resizes, quantized.convolutions, quantized.fully_connected,
    quantized.batch_matmul, quantized.pairs, quantized.quotients, quantized.reductions, quantized.softmaxes,
    quantized.functions, quantized.quantisations, quantized.images,
]  # fmt: skip


class Apart:
    """LiteRT in a process of its own: where it ends that process, that is a failure like others."""

    def __init__(self) -> None:
        self.pool = ProcessPoolExecutor(1, get_context("spawn"))

    def __call__(self, data: bytes, values: list[Array], resolver: str) -> list[Array]:
        try:
            return self.pool.submit(litert, data, values, resolver).result()
        except BrokenProcessPool:
            self.__init__()
            raise AssertionError(f"LiteRT's {resolver} resolver ended its process") from None


@pytest.fixture(scope="module")
def litert_apart() -> Iterator[Apart]:
    apart = Apart()
    yield apart
    apart.pool.shutdown()


def computed(case: Case) -> list[list[Array]]:
    """Our outputs, by the definitions and by the kernels."""
    file, values = content(case)
    return [Interpreter(file, jit=jit).call(*values) for jit in (False, True)]


def as_xnnpack_sees(case: Case) -> list[Case]:
    """The case with zeros for denormal numbers; nothing where it has none."""
    small = [v.dtype == np.float32 and (np.abs(v) < TINY) & (v != 0) for v in case.values]
    if not any(map(np.any, small)):
        return []
    values = (
        np.where(s, np.copysign(np.float32(0), v), v) if np.any(s) else v
        for s, v in zip(small, case.values, strict=True)
    )
    return [case._replace(inputs=tuple(i and i._replace(value=next(values)) for i in case.inputs))]


def part(case: Case, resolver: str, ours: Array, theirs: Array) -> Array:
    """Each difference as a part of the largest that is allowed. (...), (...) -> (...).

    Many of LiteRT's kernels make the largest finite number of infinity.
    """
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    apart, flushed = distance(ours, theirs), resolver == "default" and ours.dtype.kind == "f"
    if ours.dtype == np.float32:
        apart = np.minimum(apart, distance(np.clip(ours, -LARGEST, LARGEST), theirs))
    with np.errstate(all="ignore"):
        allowed = case.bound(resolver, ours) + (TINY if flushed else 0)
        share = apart / np.where(np.isnan(allowed), 0, allowed)  # of NaN there are no units in the last place
    return np.where((apart == 0) | np.isinf(allowed), 0, share)


@pytest.mark.parametrize(
    "family", FAMILIES, ids=lambda f: f"{f.__module__.rpartition('.')[2]}.{f.__qualname__.rpartition('.')[2]}"
)
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_a_drawn_operator_agrees_with_litert(litert_apart, family, data) -> None:
    case = data.draw(family())
    note(name(case))
    file, values = content(case)
    ours = [computed(c) for c in (case, *as_xnnpack_sees(case))]
    for resolver in (r for r in RESOLVERS if case.opcode not in MISSING[r]):
        theirs = litert_apart(file, values, resolver)
        seen = ours if resolver == "default" else ours[:1]
        parts = [
            np.minimum.reduce([part(case, resolver, results[jit][n], y) for results in seen]).max(initial=0)
            for jit in (False, True)
            for n, y in enumerate(theirs)
        ]
        assert max(parts) <= 1, f"{resolver} resolver, plain and compiled: {parts} times as far apart as allowed"
        target(float(max(parts)), label=f"{case.opcode} {case.outputs[0].kind} {resolver}")
