"""What is told of two arrays, and what of it is a fault."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_transfer.diagnostics import metrics, verdicts
from tflite_transfer.diagnostics.bounds import Call, Terms, in_order
from tflite_transfer.diagnostics.findings import DECADES, Element
from tflite_transfer.diagnostics.rules import allowed
from tflite_transfer.reference.ops.table import TABLE

F32 = np.float32
BOTH = ("tflite", "numpy")


def test_equal_arrays() -> None:
    x = F32([0, -0.0, 1, np.nan, np.inf])
    found = metrics.difference(x, x.copy(), allowed=0)
    assert (found.max_abs, found.max_rel, found.max_ulp, found.share, found.worst) == (0, 0, 0, 0, None)
    assert (found.nan, found.inf, found.all_zero) == ((1, 1), (1, 1), (False, False))
    assert (found.cosine, found.snr) == (1, np.inf)
    assert found.histogram == (5, *[0] * (len(DECADES) + 1))


def test_numbers_of_a_difference() -> None:
    a, b = F32([[3, 4], [0, 0]]), F32([[3, 4.5], [0, 0]])
    found = metrics.difference(a, b, allowed=F32([[1, 0.1], [1, 1]]), exact=np.array([[3, 4.4], [0, 0]]))
    assert found.max_abs == 0.5
    assert found.max_rel == pytest.approx(0.5 / 4.5)
    assert found.max_ulp == 2**20  # of 4 to 8 there are 2^23
    assert found.share == pytest.approx(5)
    assert found.snr == pytest.approx(20)  # 25 to 0.25
    assert found.psnr == pytest.approx(10 * np.log10(16 / (0.25 / 4)))
    assert found.cosine == pytest.approx(27 / (5 * np.hypot(3, 4.5)))
    assert found.worst == Element((0, 1), 4.0, 4.5, 4.4)
    assert Element((0, 1), 4.0, 4.5, 4.4).nearer == "b"
    assert found.histogram[0] == 3
    assert found.histogram[1 + len(DECADES) - 1] == 1  # 0.125 of the largest: from 10^-1 to 10^0


def test_the_worst_element_is_the_one_furthest_beyond_its_bound() -> None:
    found = metrics.difference(F32([100, 1]), F32([101, 1.5]), allowed=F32([10, 0.1]))
    assert found.worst is not None
    assert (found.max_abs, found.worst.index) == (1, (1,))


@pytest.mark.parametrize(
    ("a", "b", "ulps"), [(1, 1 + 2**-23, 1), (0.0, -0.0, 0), (-1e-45, 1e-45, 2), (1, -1, 2 * 1065353216)]
)
def test_units_in_the_last_place_are_counted_across_zero(a: float, b: float, ulps: int) -> None:
    assert metrics.ulps_apart(F32([a]), F32([b])).tolist() == [ulps]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_units_of_each_float(dtype: type) -> None:
    x = np.array([1.5, -2, 0], dtype)
    assert metrics.ulps_apart(x, np.nextafter(x, dtype(9))).tolist() == [1, 1, 1]


def test_nan_in_one_is_infinitely_far() -> None:
    found = metrics.difference(F32([1, np.nan]), F32([1, 2]), allowed=1e9)
    assert (found.max_abs, found.share) == (np.inf, np.inf)
    assert verdicts.of_one(found, "LOG") == "not finite in one alone: NaN 1 in A, 0 in B; infinite 0 in A, 0 in B"
    assert verdicts.of_a_run(found, None, BOTH) is not None


def test_long_integers_and_texts() -> None:
    assert metrics.difference(np.array([2**62]), np.array([2**62 + 1])).max_abs == 1
    texts = np.array([b"a", b"b"], object)
    assert metrics.difference(texts, np.array([b"a", b"c"], object)).max_abs == 1
    assert metrics.difference(np.array([True, False]), np.array([True, True])).max_abs == 1


def test_empty_arrays() -> None:
    found = metrics.difference(np.zeros((0, 3), F32), np.zeros((0, 3), F32), allowed=0)
    assert (found.max_abs, found.share, found.worst) == (0, 0, None)


def test_a_picture_of_where_they_differ() -> None:
    a = np.zeros((1, 200, 90, 3), F32)
    b = a.copy()
    b[0, 199, 45, 1] = 2
    picture = metrics.heat(a, b)
    assert picture is not None
    assert picture.shape == (64, 64)
    assert np.argwhere(picture).tolist() == [[63, 32]]
    assert picture.max() == 2
    assert metrics.heat(a[0], b[0]) is None


def test_a_run_is_wrong_only_if_the_other_is_far_nearer_to_the_oracle() -> None:
    exact = np.full(100, 1.0)
    near, off = (exact + 1e-8).astype(F32), (exact + 1e-3).astype(F32)
    for a, b, name in ((near, off, "B"), (off, near, "A")):
        distances = verdicts.from_oracle(a, b, exact)
        assert str(verdicts.of_a_run(metrics.difference(a, b), distances, BOTH)).startswith(f"{name} is 0.001")
    both = verdicts.from_oracle(off, (exact + 5e-3).astype(F32), exact)
    assert verdicts.of_a_run(metrics.difference(off, near), both, BOTH) is None
    for size, wrong in ((1e-3, False), (1e-2, True)):  # from the oracle itself everything is infinitely further
        drifted = (exact + size).astype(F32)
        told = verdicts.of_a_run(metrics.difference(drifted, exact), (size, 0.0), ("numpy", "numpy-float64"))
        assert (told is not None) == wrong


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [(np.zeros(3, F32), np.zeros((3, 1), F32), "shape"), (np.zeros(3, F32), np.zeros(3), "float32 in A, float64 in B")],
)
def test_shapes_and_types(a: np.ndarray, b: np.ndarray, said: str) -> None:
    assert said in str(verdicts.unlike(a, b, ("tflite", "numpy")))
    assert (verdicts.unlike(a, b, ("numpy", "numpy-float64")) is None) == (a.shape == b.shape)


def test_the_bound_of_a_sum_follows_its_terms_and_not_its_result() -> None:
    x, w = F32([[1e4, -1e4, 1]]), F32([[1, 1, 1]])
    call = Call("FULLY_CONNECTED", TABLE["FULLY_CONNECTED"], [x, w, None], {})
    assert Terms(20)(call, x) == pytest.approx(20 * 2**-24 * 20001)
    y = F32([[1]])
    one = allowed(("tflite", "numpy-nojit"), call, y, stored=False)
    assert one == pytest.approx((20 + np.sqrt(3)) * 2**-24 * 20001, rel=1e-6)
    assert allowed(("tflite", "tflite-ref"), call, y, stored=False) == pytest.approx(2 * one, rel=1e-6)
    assert allowed(("numpy-nojit", "numpy-nojit"), call, y, stored=False) == 0


def test_the_running_sum_of_equal_values_is_measured() -> None:
    same = np.full((3, 4096, 2), 0.7, F32)
    for opcode, axes in (("SUM", [1]), ("MEAN", [-2])):
        call = Call(opcode, TABLE[opcode], [same, np.int32(axes)], {"keep_dims": True})
        lost = in_order(call)
        assert lost.shape == (3, 1, 2)
        total = np.abs(TABLE[opcode](same.astype(float), np.int32(axes))).max()
        assert 100 < lost.max() / total * 2**24 < 1024


def test_stored_integers_are_a_step_apart_in_xnnpack_alone() -> None:
    call, y = Call("ADD", TABLE["ADD"], [], {}), np.zeros(3, np.int8)
    for engines, steps in ((("tflite", "numpy"), 1), (("tflite-ref", "numpy"), 0), (("tflite", "tflite-ref"), 1)):
        assert allowed(engines, call, y, stored=True) == steps
