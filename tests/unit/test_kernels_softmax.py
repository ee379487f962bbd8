"""The compiled SOFTMAX and LOG_SOFTMAX, and the exponential they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tflite_transfer.reference.kernels import softmax
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.ops import reduce
from tflite_transfer.reference.ops.limit import ALLOWED, Allowance

Array = Any
UNIT = 2.0**-24
ROWS = [(1, 1), (3, 4), (5, 8), (2, 3, 17), (128, 1000)]


@kernel()
def _exp(x: Array, y: Array) -> None:
    softmax._exponentials(x, np.float32(0), np.float32(1), y)


def exp(x: Array) -> Array:
    y = np.empty_like(x)
    _exp(x, y)
    return y


@pytest.mark.parametrize("sign", [1, -1])
def test_exponential_is_within_one_unit_in_the_last_place(sign: int) -> None:
    """From 1e-9 to 104, every 997th float32: seen 0.9985 units."""
    first, last = (int(np.float32(x).view(np.int32)) for x in (1e-9, 104))
    x = np.float32(sign) * np.arange(first, last, 997, dtype=np.int32).view(np.float32)
    true = np.exp(x.astype(np.float64))
    with np.errstate(over="ignore"):
        nearest = true.astype(np.float32)
    finite = np.isfinite(nearest)
    np.testing.assert_array_equal(exp(x)[~finite], np.inf)
    units = np.abs(exp(x)[finite] - true[finite]) / np.spacing(nearest[finite]).astype(np.float64)
    assert finite.sum() > 300_000
    assert units.max() < 1


def test_exponential_of_what_has_no_bounds() -> None:
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan, -87.5, -103.9, -200, 88.72, 88.73, 1e30], np.float32)
    expected = [1, 1, np.inf, 0, np.nan, np.exp(-87.5), 2.0**-149, 0, 3.3931806e38, np.inf, np.inf]
    np.testing.assert_allclose(exp(x), np.array(expected, np.float32), rtol=2 * UNIT)


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("beta", [1.0, 0.25, 3.0])
def test_softmax_is_the_definition(shape: tuple[int, ...], beta: float) -> None:
    z = np.random.default_rng(0).normal(0, 5, shape).astype(np.float32)
    exact = reduce.softmax(z.astype(np.float64), beta=beta)
    exponents = beta * np.abs(z.astype(np.float64) - z.max(axis=-1, keepdims=True))
    kept, found = z.copy(), softmax.softmax(z, beta=beta)
    # An exponent is rounded twice, which is so much relative to the result; the rest is of 4 roundings. Seen: 0.8.
    assert (np.abs(found - exact) <= (2 * exponents + 4) * UNIT * exact + 2.0**-149).all()
    np.testing.assert_array_equal(z, kept)


@pytest.mark.parametrize("shape", ROWS)
def test_log_softmax_is_the_definition(shape: tuple[int, ...]) -> None:
    z = np.random.default_rng(0).normal(0, 5, shape).astype(np.float32)
    exact = reduce.log_softmax(z.astype(np.float64))
    np.testing.assert_allclose(softmax.log_softmax(z), exact, rtol=2 * UNIT, atol=16 * UNIT)  # seen: 1 and 7


@pytest.mark.parametrize("row", [[np.nan, 1, 2], [np.inf, 1, 2], [-np.inf] * 3, [-np.inf, 0, 1], [3e38, -3e38, 0]])
@pytest.mark.parametrize("length", [3, 20])
def test_infinities_and_nan_are_those_of_the_definition(row: list[float], length: int) -> None:
    z = np.resize(np.array(row, np.float32), (2, length))
    for fast, plain in ((softmax.softmax, reduce.softmax), (softmax.log_softmax, reduce.log_softmax)):
        with np.errstate(all="ignore"):
            expected = plain(z)
        np.testing.assert_allclose(fast(z), expected, rtol=4 * UNIT, atol=4 * UNIT)


def test_other_types_and_betas_are_left_to_the_definition() -> None:
    z = np.random.default_rng(0).normal(0, 5, (3, 4))
    np.testing.assert_array_equal(softmax.softmax(z), reduce.softmax(z))
    np.testing.assert_array_equal(softmax.log_softmax(z), reduce.log_softmax(z))
    single = z.astype(np.float32)
    np.testing.assert_array_equal(softmax.softmax(single, beta=-1), reduce.softmax(single, beta=-1))
    assert softmax.softmax(single[:0]).shape == softmax.log_softmax(single[:0]).shape == (0, 4)


def test_rows_are_shared_between_threads() -> None:
    z = np.random.default_rng(0).normal(0, 5, (4001, 1000)).astype(np.float32)
    alone = softmax.softmax(z), softmax.log_softmax(z)
    token = ALLOWED.set(Allowance(threads=3))
    try:
        for whole, shared in zip(alone, (softmax.softmax(z), softmax.log_softmax(z)), strict=True):
            np.testing.assert_array_equal(whole, shared)
    finally:
        ALLOWED.reset(token)
