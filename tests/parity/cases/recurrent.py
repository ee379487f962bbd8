"""Recurrent operators, in their first run: their states are 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.parity.operators import Case, Given, Out, case, normal, state
from tests.parity.rules import RULES

TANH = 4
F32 = Out("FLOAT32")
ACTIVATIONS = 0, 1, 3, TANH
RULE, FILTERED = RULES["LSTM"], RULES["SVDF"]


def cases() -> Iterator[Case]:
    yield from plain()
    yield from lstms()
    yield from bidirectional()
    yield from filters()


def w(*shape: int, seed: int, scale: float = 0.5) -> Given:
    return Given(normal(*shape, seed=seed, scale=scale), in_file=True)


def rnn_cell(inputs: int, units: int, batch: int, seed: int = 1) -> list[Given]:
    """Weights, recurrent weights, bias and state. It forgets: differences do not grow from step to step."""
    recurrent = w(units, units, seed=seed + 1, scale=0.2)
    return [w(units, inputs, seed=seed), recurrent, w(units, seed=seed + 2), state(batch, units)]


def plain() -> Iterator[Case]:
    for n in ACTIVATIONS:
        yield case("RNN", normal(3, 5), *rnn_cell(5, 4, 3), rule=RULE, fused_activation_function=n)
        for time_major in (False, True):
            x = normal(*((6, 2) if time_major else (2, 6)), 5)
            o = {"time_major": time_major, "fused_activation_function": n}
            yield case("UNIDIRECTIONAL_SEQUENCE_RNN", x, *rnn_cell(5, 4, 2), rule=RULE, **o)


def lstm_cell(inputs: int, cells: int, outputs: int = 0, *, cifg: bool = False, peephole: bool = False,
              bias: bool = False, diagonal: bool = False, seed: int = 1) -> list[Given | None]:  # fmt: skip
    """The 17 tensors of a cell, with a projection if there are outputs."""
    u = outputs or cells
    tensors: list[Given | None] = [w(cells, inputs, seed=seed + n) for n in range(4)]
    tensors += [w(cells, *(() if diagonal else (u,)), seed=seed + n) for n in range(4, 8)]
    tensors += [w(cells, seed=seed + n) if peephole else None for n in range(8, 11)]
    tensors += [w(cells, seed=seed + n) for n in range(11, 15)]
    tensors += [w(outputs, cells, seed=seed + 15) if outputs else None, w(outputs, seed=seed + 16) if bias else None]
    if cifg:
        tensors[0] = tensors[4] = tensors[8] = tensors[11] = None
    return tensors


def variants() -> Iterator[tuple[list[Given | None], int, list[Given | None], dict[str, Any]]]:
    """A cell of 4, its outputs, its scales, options."""
    for cifg in (False, True):
        scales: list[Given | None] = [w(4, seed=n) for n in range(30, 34)]
        scales[0] = None if cifg else scales[0]
        yield lstm_cell(5, 4, cifg=cifg), 4, [], {}
        yield lstm_cell(5, 4, cifg=cifg, peephole=True), 4, [], {"cell_clip": 0.2}
        yield lstm_cell(5, 4, 3, cifg=cifg), 3, [None] * 4, {"proj_clip": 0.1}
        yield lstm_cell(5, 4, 3, cifg=cifg, peephole=True, bias=True), 3, scales, {}
        yield lstm_cell(5, 4, cifg=cifg), 4, scales, {"cell_clip": 0.1}


def lstms() -> Iterator[Case]:
    for cell, outputs, scales, options in variants():
        for n in (TANH, 1, 3):
            o = options | {"fused_activation_function": n}
            kept = [state(3, outputs), state(3, 4)]
            yield case("LSTM", normal(3, 5), *cell, *kept, *scales, rule=RULE, **o)
            for time_major in (False, True):
                x = normal(*((6, 3) if time_major else (3, 6)), 5)
                yield case(
                    "UNIDIRECTIONAL_SEQUENCE_LSTM", x, *cell, *kept, *scales, rule=RULE, time_major=time_major, **o
                )
    diagonal, kept = lstm_cell(5, 4, diagonal=True), [state(3, 4), state(3, 4)]
    o = {"diagonal_recurrent_tensors": True, "fused_activation_function": TANH}
    yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", normal(3, 6, 5), *diagonal, *kept, rule=RULE, **o)
    far = np.where(normal(3, 6, 5) > 0, np.float32(1e4), np.float32(-1e30))
    far[1, 3, 2] = np.nan
    yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", far, *lstm_cell(5, 4), *kept, rule=RULE, fused_activation_function=TANH)
    basic = [w(3, 4, seed=1), w(16, 9, seed=2), w(16, seed=3), w(3, 4, seed=4)]
    values = [normal(3, 5), *(g.value for g in basic)]
    yield case("LSTM", *values, out=[F32] * 4, rule=RULE, kernel_type=1, fused_activation_function=TANH)
    cells = [state(3, 4), basic[1], basic[2], state(3, 4)]
    yield case("LSTM", normal(3, 5), *cells, out=[F32] * 4, rule=RULE, kernel_type=1, fused_activation_function=TANH)


def refused() -> Iterator[Case]:
    x, kept, o = normal(3, 6, 5), [state(3, 4), state(3, 4)], {"fused_activation_function": TANH}
    whole, peepholes = lstm_cell(5, 4), lstm_cell(5, 4, peephole=True)
    for cell, left_out in (
        (whole, [0]), (whole, [4]), (whole, [0, 4]), (whole, [1]), (whole, [7]), (whole, [12]),
        (peepholes, [8]), (peepholes, [9]), (lstm_cell(5, 4, 4, bias=True), [15]),
    ):  # fmt: skip
        some = [None if n in left_out else t for n, t in enumerate(cell)]
        yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *some, *kept, **o)
        yield case("LSTM", normal(3, 5), *some, *kept, **o)
    v = w(4, seed=1)
    for scales in ([v, v, None, v], [None, v, v, v], [None, None]):
        yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *whole, *kept, *scales, **o)
    yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *whole, *kept, cell_clip=-1.0, **o)
    yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *whole, state(3, 5), state(3, 4), **o)
    yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", normal(3, 6, 7), *whole, *kept, **o)
    for weights, recurrent, bias, kept_by in (
        ((4, 5), (4, 3), (4,), (3, 4)), ((4, 5), (4, 4), (4,), (1, 4)), ((4, 5), (4, 4), (1,), (3, 4)),
        ((4, 6), (4, 4), (4,), (3, 4)),
    ):  # fmt: skip
        tensors = w(*weights, seed=1), w(*recurrent, seed=2), w(*bias, seed=3), state(*kept_by)
        yield case("RNN", normal(3, 5), *tensors)
        yield case("UNIDIRECTIONAL_SEQUENCE_RNN", x, *tensors)
    for rank, size, bias in ((5, 84, None), (0, 84, None), (2, 80, None), (2, 84, w(5, seed=1))):
        yield case("SVDF", normal(2, 5), w(12, 5, seed=1), w(12, 7, seed=2), bias, state(2, size), rank=rank)
    one, out = rnn_cell(5, 4, 2), [F32, F32]
    y = normal(2, 6, 5)
    yield case("BIDIRECTIONAL_SEQUENCE_RNN", y, *one, *one, y, w(4, 5, seed=1), None, out=out)
    for other in (lstm_cell(5, 3), lstm_cell(5, 4, 2)):
        states = [state(2, 4), state(2, 4), state(2, 3), state(2, 3)]
        yield case("BIDIRECTIONAL_SEQUENCE_LSTM", y, *whole, *other, *states, None, *[None] * 8, out=out, **o)


def bidirectional() -> Iterator[Case]:
    for time_major in (False, True):
        size = (6, 2) if time_major else (2, 6)
        x, y = normal(*size, 5), normal(*size, 5, seed=1)
        for merge in (False, True):
            o: dict[str, Any] = {"time_major": time_major, "merge_outputs": merge, "fused_activation_function": TANH}
            o |= {"rule": RULE, "out": [F32] if merge else [F32, F32]}
            one, other = rnn_cell(5, 4, 2), rnn_cell(5, 3, 2, seed=9)
            yield case("BIDIRECTIONAL_SEQUENCE_RNN", x, *one, *other, None, None, None, **o)
            yield case("BIDIRECTIONAL_SEQUENCE_RNN", x, *one, *other, y, w(4, 5, seed=20), w(3, 5, seed=21), **o)
            if time_major:  # or LiteRT forgets the second input
                yield case("BIDIRECTIONAL_SEQUENCE_RNN", x, *one, *other, y, None, None, **o)
            if merge and not time_major:  # LiteRT writes behind the states' end
                continue
            none: list[Given | None] = [None] * 8
            for made in ({}, {"peephole": True}, {"cifg": True}):
                cells = [*lstm_cell(5, 4, 3, **made), *lstm_cell(5, 4, 3, bias=True, seed=40, **made)]
                states = [state(2, 3), state(2, 4), state(2, 3), state(2, 4)]
                yield case("BIDIRECTIONAL_SEQUENCE_LSTM", x, *cells, *states, None, *none, cell_clip=0.3, **o)
                yield case("BIDIRECTIONAL_SEQUENCE_LSTM", x, *cells, *states, y, *none, **o)
                aux = [w(4, 3, seed=60 + n) for n in range(8)]
                if "cifg" not in made:
                    other = normal(*size, 3, seed=1)
                    yield case("BIDIRECTIONAL_SEQUENCE_LSTM", x, *cells, *states, other, *aux, **o)


def filters() -> Iterator[Case]:
    for rank in (1, 2, 3):
        for bias in (w(12 // rank, seed=3), None):
            for n in (0, 1, TANH):
                kept = state(2, 12 * 7)
                tensors = [w(12, 5, seed=1), w(12, 7, seed=2), bias, kept]
                yield case("SVDF", normal(2, 5), *tensors, rule=FILTERED, rank=rank, fused_activation_function=n)
