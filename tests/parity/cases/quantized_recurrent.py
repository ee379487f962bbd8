"""Recurrent operators of stored integers, in their first run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.parity.cases.quantized import I8, I16, I32, filters, out, stored
from tests.parity.cases.recurrent import TANH
from tests.parity.operators import Case, Given, Out, case

RELU = 1
GIVEN, MEMORY = 0.02, 2.0**-11


def cases() -> Iterator[Case]:
    yield from lstms()
    yield from svdfs()


def state(dtype: Any, *shape: int, scale: float, zero: int = 0) -> Given:
    return Given(np.full(shape, zero, dtype), variable=True, scale=scale, zero=zero)


def biases(units: int, seed: int, size: int = 3000) -> Given:
    values = np.random.default_rng([seed, units]).integers(-size, size, units).astype(I32)
    return Given(values, in_file=True, scale=GIVEN * 0.004)


def cell(inputs: int, cells: int, outputs: int = 0, *, cifg: bool = False, peephole: bool = False,
         bias: bool = False, scale: float = 0.004) -> list[Given | None]:  # fmt: skip
    """The 17 tensors of a cell, with a projection if there are outputs."""
    u = outputs or cells
    tensors: list[Given | None] = [filters(I8, cells, inputs, scale=scale * (1 + n)) for n in range(4)]
    tensors += [filters(I8, cells, u, scale=scale * (2 - n / 4)) for n in range(4)]
    tensors += [filters(I16, cells, scale=3e-5 * (1 + n)) if peephole else None for n in range(3)]
    tensors += [biases(cells, seed=n) for n in range(4)]
    tensors += [filters(I8, outputs, cells, scale=0.01) if outputs else None, biases(outputs, 5) if bias else None]
    if cifg:
        tensors[0] = tensors[4] = tensors[8] = tensors[11] = None
    return tensors


def between(hidden: float, zero: int, *gates: float) -> tuple[Out, ...]:
    """What is computed on the way: the sums of gates that are normalised, and ``o g(c)``."""
    return (*(Out("INT16", g, 0) for g in gates or (1.0,) * 4), Out("INT8", hidden, zero))


def variants() -> Iterator[tuple[list[Given | None], int, list[Given | None], dict[str, Any]]]:
    """A cell of 4, its outputs, its scales, options."""
    for cifg in (False, True):
        scales: list[Given | None] = [filters(I16, 4, scale=1e-4 * n) for n in range(1, 5)]
        scales[0] = None if cifg else scales[0]
        yield cell(5, 4, cifg=cifg), 4, [], {}
        yield cell(5, 4, cifg=cifg, scale=0.0003), 4, [], {}
        yield cell(5, 4, cifg=cifg, peephole=True), 4, [], {"cell_clip": 0.7}
        yield cell(5, 4, 3, cifg=cifg), 3, [None] * 4, {"proj_clip": 0.3}
        yield cell(5, 4, 4, cifg=cifg, peephole=True, bias=True), 4, scales, {}
        yield cell(5, 4, cifg=cifg), 4, scales, {"cell_clip": 0.5}
        yield cell(5, 4, cifg=cifg, scale=2e-6), 4, scales, {}  # sums of -1 to 2, whose variance is less than 1


def lstms() -> Iterator[Case]:
    for tensors, outputs, scales, options in variants():
        for zero in (0, 7):
            o = options | {"fused_activation_function": TANH, "out": out(I8, 0.01, zero)}
            hidden = (0.008, -zero) if tensors[15] is not None else (0.01, zero)
            o |= {"intermediates": between(*hidden, *([2**-9, 2**-10, 2**-11, 2**-12] if any(scales) else []))}
            kept = [state(I8, 3, outputs, scale=0.01, zero=zero), state(I16, 3, 4, scale=MEMORY)]
            x = stored(I8, 3, 5, scale=GIVEN, zero=-3)
            yield case("LSTM", x, *tensors, *kept, *scales, **o)
            for time_major in (False, True):
                x = stored(I8, *((6, 3) if time_major else (3, 6)), 5, scale=GIVEN, zero=-3)
                yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *tensors, *kept, *scales, time_major=time_major, **o)
    for bits in (0, 1, 2, 3, 5, 6):
        kept = [state(I8, 3, 4, scale=0.01), state(I16, 3, 4, scale=2.0 ** (bits - 15))]
        o = {"fused_activation_function": TANH, "out": out(I8, 0.01), "intermediates": between(0.01, 0)}
        yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", stored(I8, 3, 6, 5, scale=GIVEN), *cell(5, 4), *kept, **o)


def svdfs() -> Iterator[Case]:
    for rank in (1, 2, 3):
        for zero, fine in ((-128, 1), (5, 1), (0, 100)):  # the last one saturates
            kept = state(I16, 2, 12 * 7, scale=0.001 / fine)
            bias = Given(np.arange(-6, 12 // rank - 6).astype(I32) * 5000, in_file=True, scale=1e-6)
            tensors = [filters(I8, 12, 5), filters(I16, 12, 7, scale=1e-4)]
            for b in (bias, None):
                x, o = stored(I8, 2, 5, scale=0.05, zero=3), {"rank": rank, "fused_activation_function": RELU}
                yield case("SVDF", x, *tensors, b, kept, out=out(I8, 0.05, zero), **o)


def refused() -> Iterator[Case]:
    kept = [state(I8, 3, 4, scale=0.01), state(I16, 3, 4, scale=MEMORY)]
    o = {"fused_activation_function": TANH, "out": out(I8, 0.01)}
    x, five = stored(I8, 3, 6, 5, scale=GIVEN), between(0.01, 0)
    for some in ((), five[:4]):
        yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *cell(5, 4), *kept, intermediates=some, **o)
        yield case("LSTM", stored(I8, 3, 5, scale=GIVEN), *cell(5, 4), *kept, intermediates=some, **o)
    yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *cell(5, 4), *kept, intermediates=five, cell_clip=-1.0, **o)
    for n, other in ((12, filters(I8, 4)), (5, filters(I8, 4)), (1, None), (9, filters(I16, 4))):
        some = cell(5, 4)
        some[n] = other
        yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *some, *kept, intermediates=five, **o)
    one, memory = (
        [stored(I8, 2, 5), filters(I8, 12, 5), filters(I16, 12, 7, scale=1e-4)],
        state(I16, 2, 84, scale=0.001),
    )
    yield case("SVDF", *one, None, memory, out=out(I8, 0.05), rank=2)
    yield case("SVDF", *one, None, memory, out=out(I8, 0.05), rank=5, fused_activation_function=RELU)
