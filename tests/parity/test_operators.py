"""Each operator of the table against both of LiteRT's kernels for it, in files of one operator.

Where an operator moves or compares numbers, or rounds once, the results are equal. Sums differ by the order of their
terms, and functions that each library approximates in its own way by some units in the last place: the bounds are
about twice the largest difference from LiteRT 2.3 on an AVX-512 machine, which stands beside them: default, reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from tests.parity.cases import ALL, deconvolutions, random, recurrent, refused
from tests.parity.operators import (
    MISSING,
    RESOLVERS,
    Array,
    Case,
    Out,
    case,
    check,
    content,
    fixed,
    litert,
    name,
    normal,
    weights,
)
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.ops.quantized.table import QUANTIZED
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite.errors import ModelError

SAME, VALID, TANH = 0, 1, 4
I32 = np.int32


PAIR = (Out("FLOAT32"), Out("INT32"))


@cache
def file_of(number: int) -> tuple[bytes, dict[str, Array]]:
    return content(ALL[number])


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("number", range(len(ALL)), ids=[name(c) for c in ALL])
def test_the_operator_agrees_with_litert(number: int, jit: bool, resolver: str) -> None:
    data, given = file_of(number)
    if ALL[number].opcode in MISSING[resolver]:
        with pytest.raises(ValueError, match="Didn't find op"):
            litert(data, given, resolver)
        return
    ours, theirs = Interpreter(data, jit=jit).call(*given), litert(data, given, resolver)
    for y, expected, out in zip(ours, theirs, ALL[number].outputs, strict=True):
        check(y, expected, ALL[number].bound(resolver, y), out.kind)


@pytest.mark.parametrize("number", range(len(ALL)), ids=[name(c) for c in ALL])
def test_a_run_that_is_not_checked_again_gives_the_same(number: int) -> None:
    data, given = file_of(number)
    interpreter = Interpreter(data)
    runs = [interpreter.call(*given) for _ in range(3)]
    if any(plan.programs for plan in interpreter.plans):
        for first, *others in zip(*runs, strict=True):
            for other in others:
                np.testing.assert_array_equal(other, first, strict=True)


WIDE = {"float16": "float64", "float32": "float64", "complex64": "complex128"}
PLAIN = [n for n, c in enumerate(ALL) if not c.stored and all(o.scale is None for o in c.outputs)]


@pytest.mark.parametrize("number", PLAIN, ids=[name(ALL[n]) for n in PLAIN])
def test_in_float64_every_float_is_a_double(number: int) -> None:
    data, given = file_of(number)
    floats = {str(v.dtype) for v in (*ALL[number].values, *Interpreter(data, jit=False).call(*given))} & set(WIDE)
    if ALL[number].opcode == "BITCAST" and floats:
        with pytest.raises(ModelError, match="looks at the bits of floats"):
            Interpreter(data, precision="float64")
        return
    results = zip(Interpreter(data).call(*given), Interpreter(data, precision="float64").call(*given), strict=True)
    for y, wide in results:
        assert str(wide.dtype) == WIDE.get(str(y.dtype), str(y.dtype))
        # 0, 0.1, ... to 10: how many that makes, depends on how 0.1 is rounded.
        assert wide.shape == y.shape or ALL[number].opcode == "RANGE"


# Operators that mean something in a file of several only: each has its tests there.
ELSEWHERE = {"ASSIGN_VARIABLE", "CALL", "CALL_ONCE", "IF", "READ_VARIABLE", "VAR_HANDLE", "WHILE"}  # test_control.py
ELSEWHERE |= {"HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE"}  # test_tables.py
ELSEWHERE |= {"DENSIFY"}  # test_sparse.py


def test_every_operator_of_the_table_has_a_case() -> None:
    assert {c.opcode for c in ALL} | ELSEWHERE == set(TABLE) | set(QUANTIZED)
    quantised = {c.opcode for c in ALL if any(o.scale is not None for o in (*c.outputs, *c.stored))}
    assert quantised | ELSEWHERE == set(QUANTIZED) | ELSEWHERE


def with_nan() -> Iterator[tuple[Case, str]]:
    x = normal(1, 4, 4, 2)
    x[0, 1, 1] = np.nan
    for opcode in ("MAXIMUM", "MINIMUM"):
        yield from ((case(opcode, x, weights(2)), r) for r in RESOLVERS)
    for opcode in ("REDUCE_MAX", "REDUCE_MIN"):
        yield from ((case(opcode, x, fixed([1])), r) for r in RESOLVERS)
    pool = case("MAX_POOL_2D", x, padding=SAME, stride_h=1, stride_w=1, filter_height=2, filter_width=2)
    yield from ((pool, r) for r in RESOLVERS)
    yield from ((case("FAKE_QUANT", x, min=-1.0, max=1.0, num_bits=8), r) for r in RESOLVERS)
    yield from ((case(opcode, np.abs(x)), "default") for opcode in ("EXP", "LOG"))
    mean = case("AVERAGE_POOL_2D", x, padding=SAME, stride_h=1, stride_w=1, filter_height=2, filter_width=2)
    deep = {"padding": SAME, "stride_d": 1, "stride_h": 1, "stride_w": 1}
    yield from ((made, "default") for made in (mean, case("CONV_3D", x[None], weights(1, 1, 1, 2, 3), **deep)))
    for opcode in ("STABLEHLO_MAXIMUM", "STABLEHLO_MINIMUM"):
        yield from ((case(opcode, np.zeros((1, 4, 4, 2), np.float32), x), r) for r in RESOLVERS)
    yield from ((case("UNIQUE", np.array([1, np.nan, 3, np.nan], np.float32), out=PAIR), r) for r in RESOLVERS)
    rows = np.array([1, np.nan, np.nan, 2], np.float32)
    for opcode in ("UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN"):
        yield from ((case(opcode, rows, fixed([0, 0, 1, 2]), fixed(3)), r) for r in RESOLVERS)


@pytest.mark.parametrize(("made", "resolver"), list(with_nan()), ids=lambda v: v if isinstance(v, str) else name(v))
def test_nan_is_never_lost_though_litert_loses_it(made, resolver):
    data, given = content(made)
    assert np.isnan(Interpreter(data).call(*given)[0]).sum() >= 2
    assert not np.isnan(
        litert(data, given, resolver)[0]
    ).any()  # if LiteRT mends this, NaN belongs into the cases above


def both(made: Case, resolver: str) -> tuple[Array, Array]:
    data, given = content(made)
    return Interpreter(data).call(*given)[0], litert(data, given, resolver)[0]


@pytest.mark.parametrize("opcode", ["ADD", "SUB", "MUL", "DIV", "ADD_N"])
def test_infinity_is_kept_though_litert_makes_it_finite(opcode):
    ours, theirs = both(case(opcode, np.array([-np.inf, 1], np.float32), np.array([2, 3], np.float32)), "reference")
    assert np.isneginf(ours[0])
    assert theirs[0] == np.finfo(np.float32).min
    assert ours[1] == theirs[1]


@pytest.mark.parametrize("opcode", ["SIN", "COS"])
def test_sines_are_at_most_1_though_litert_loses_its_way_far_from_0(opcode):
    ours, theirs = both(case(opcode, np.array([3e9, 1e7], np.float32)), "default")
    assert (np.abs(ours) <= 1).all()
    assert (np.abs(theirs) > 1).any()


def test_one_over_the_square_root_of_0_is_infinite_though_litert_says_nan():
    ours, theirs = both(case("RSQRT", np.zeros(3, np.float32)), "default")
    assert np.isposinf(ours).all()
    assert np.isnan(theirs).all()


@pytest.mark.parametrize(
    ("opcode", "x", "exact", "wrong"),
    [
        ("EXP", 88.5, 2.7230877e38, np.inf),
        ("LOG", 3e38, 88.59685, 88.37627),
        ("SQRT", 2e38, 1.4142135e19, 2.1214204e19),
        ("RSQRT", 2e38, 7.071068e-20, 1.0606602e-19),
    ],
)
def test_functions_hold_near_the_largest_number_though_xnnpack_loses_its_way(opcode, x, exact, wrong):
    ours, theirs = both(case(opcode, np.array([x], np.float32)), "default")
    np.testing.assert_allclose((ours[0], theirs[0]), (exact, wrong), rtol=1e-4)


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_an_ellipsis_may_stand_for_no_axis_though_litert_then_forgets_what_follows(resolver):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    part = case("STRIDED_SLICE", x, fixed([0, 0, 1]), fixed([2, 0, 2]), fixed([1, 1, 1]), ellipsis_mask=2)
    ours, theirs = both(part, resolver)
    np.testing.assert_array_equal(ours, x[0:2, ..., 1:2])
    np.testing.assert_array_equal(theirs, x)


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_powers_wrap_around_as_litert_s_do_for_one_exponent_alone(resolver):
    """For several it converts a double, which C++ leaves undefined where no int32 holds it."""
    for exponents, same in ([2], True), ([2, 2], False):
        ours, theirs = both(case("POW", np.array([46341, 50000], I32), np.array(exponents, I32)), resolver)
        assert ours.tolist() == [46341**2 - 2**32, 50000**2 - 2**32]
        assert (theirs == ours).all() == same


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_nan_is_never_the_largest_though_litert_takes_it_where_a_row_of_four_begins_with_it(resolver):
    ours, theirs = both(case("ARG_MAX", np.array([np.nan, 1, 3, 2], np.float32), fixed(0), kind="INT32", output_type=2),
                        resolver)  # fmt: skip
    assert (ours, theirs) == (2, 0)


def test_a_window_of_channels_is_symmetric_though_litert_leaves_out_the_last():
    x = np.array([1, 2, 4], np.float32).reshape(1, 1, 1, 3)
    made = case("LOCAL_RESPONSE_NORMALIZATION", x, radius=1, bias=0.0, alpha=1.0, beta=1.0)
    ours, theirs = both(made, "reference")
    np.testing.assert_allclose(x / ours, [[[[5, 21, 20]]]], rtol=1e-6)
    np.testing.assert_allclose((x / theirs)[..., 1:], [[[[5, 20]]]], rtol=1e-6)


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_one_column_is_transformed_though_litert_gives_real_sums_an_imaginary_part(resolver):
    ours, theirs = both(case("RFFT2D", normal(2, 1), fixed([2, 1]), kind="COMPLEX64"), resolver)
    assert (ours.imag == 0).all()
    assert (theirs.imag != 0).any()


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_a_box_without_area_is_chosen_once_though_litert_chooses_it_until_there_is_no_room(resolver):
    boxes, scores = np.array([[0, 0, 0, 1], [5, 5, 6, 6]], np.float32), np.array([0.9, 0.8], np.float32)
    limits = fixed(2), fixed(0.5, np.float32), fixed(0, np.float32)
    data, given = content(case("NON_MAX_SUPPRESSION_V4", boxes, scores, *limits, out=[Out("INT32")] * 2))
    np.testing.assert_array_equal(Interpreter(data).call(*given)[0], [0, 1])
    np.testing.assert_array_equal(litert(data, given, resolver)[0], [0, 0])


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize(
    "made",
    [*refused.cases(), *deconvolutions.refused(), *random.refused(), *recurrent.refused()],
    ids=name,
)
def test_what_litert_refuses_is_refused(made, resolver):
    if made.opcode in MISSING[resolver]:
        pytest.skip("LiteRT's resolver does not have it")
    data, given = content(made, shape=(1,))
    with pytest.raises((RuntimeError, ValueError)):
        litert(data, given, resolver)
    with pytest.raises(ModelError):
        Interpreter(data).call(*given)
