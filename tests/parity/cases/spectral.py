"""Fourier transform, complex numbers, normalisation along the channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.parity.operators import Array, Case, case, fixed, normal
from tests.parity.rules import RULES
from tflite_transfer.diagnostics.bounds import Call, slid, ulps

F32 = np.float32


def cases() -> Iterator[Case]:
    for shape, lengths in (
        ((4, 4), (4, 4)), ((2, 3, 5), (4, 4)), ((3, 5), (1, 2)), ((3, 5), (1, 8)), ((2, 2, 9, 9), (8, 2)),
        ((1, 1), (2, 2)), ((64, 128), (64, 128)), ((70, 100), (64, 128)),
    ):  # fmt: skip
        for n in (fixed(lengths), np.array(lengths, np.int32)):  # 0, 0
            yield case("RFFT2D", normal(*shape), n, rule=transformed, kind="COMPLEX64")
    z = (normal(50) + 1j * normal(50, seed=1)).astype(np.complex64)
    special = np.array([complex(np.inf, np.nan), complex(np.nan, 1), 3e38 + 1e38j, -3 - 4j, 0, 1e-40j], np.complex64)
    for v in (z, special):
        yield from (case(o, v, kind="FLOAT32") for o in ("REAL", "IMAG"))
        yield case("COMPLEX_ABS", v, rule=RULES["COMPLEX_ABS"], kind="FLOAT32")
        yield from (case(o, v.astype(np.complex128), kind="FLOAT64") for o in ("REAL", "IMAG"))
    for shape, rule in (((5,), ulps(2)), ((3, 4), ulps(2)), ((2, 3, 4, 7), ulps(2)), ((3, 1000), ulps(20))):  # 1, 10
        yield from (case("L2_NORMALIZATION", normal(*shape, scale=s), rule=rule) for s in (1, 1e-7, 1e-12))
    yield case("L2_NORMALIZATION", np.array([[0, 0], [3, 4], [np.inf, 1], [1e30, 1]], F32))
    x = normal(2, 3, 4, 7, scale=3)
    for options in (
        {"radius": 1, "bias": 1.0, "alpha": 0.5, "beta": 0.75}, {"radius": 5, "bias": 2.0, "alpha": 0.1, "beta": 0.5},
        {"radius": 0, "bias": 1.0, "alpha": 1.0, "beta": 1.0}, {"radius": 20, "bias": 1.0, "alpha": 1e-4, "beta": 0.75},
        {"radius": 2, "bias": 0.5, "alpha": 2.0, "beta": -1.0},
    ):  # fmt: skip
        # LiteRT's reference leaves out the last channel of the window: see test_operators.py.
        yield case("LOCAL_RESPONSE_NORMALIZATION", x, rule={"default": slid, "reference": left_out}, **options)
    yield case("LOCAL_RESPONSE_NORMALIZATION", x, rule=ulps(4), radius=3, bias=2.0, alpha=0.0, beta=0.5)


def transformed(_: Call, y: Array) -> Any:
    """Half a unit in the last place of each part, and the error of the sums in double."""
    return 2**-24 * np.sqrt(2) * np.abs(y) + 1e-13 * np.abs(y).max()


def left_out(*_: Any) -> Any:
    return np.inf
