"""Stored integers where LiteRT refuses, and where it is wrong, beside the cases of ``cases/quantized_*.py``."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity.cases import quantized_recurrent
from tests.parity.cases.packed import int4
from tests.parity.cases.quantized import I8, I16, I32, I64, U8, bias, filters, out, stored
from tests.parity.cases.recurrent import TANH
from tests.parity.operators import RESOLVERS, Array, Case, Given, case, content, fixed, halves, litert, name
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import Quantization, write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError

WINDOW = {"padding": 0, "stride_h": 1, "stride_w": 1}
IMAGE, WIDE = stored(I8, 1, 4, 4, 2), stored(I16, 1, 4, 4, 2, scale=0.001)
W = filters(I8, 3, 2, 2, 2, axis=0)
DEPTHWISE = filters(I8, 1, 2, 2, 2, axis=3)
X, BYTES, LONG = stored(I8, 3, 4), stored(U8, 3, 4, zero=128), stored(I16, 3, 4)


def as_float(given: Given) -> Given:
    return Given(given.value.astype(np.float32), given.in_file)


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize(
    "made",
    [
        case("CONV_2D", IMAGE, W, bias(IMAGE, W, 3, I64), out=out(I8, 0.1), **WINDOW),
        case("CONV_2D", IMAGE, W, as_float(bias(IMAGE, W, 3)), out=out(I8, 0.1), **WINDOW),
        case("CONV_2D", IMAGE, W, bias(IMAGE, W, 3), out=out(I16, 0.1), **WINDOW),
        case("CONV_2D", IMAGE, filters(I8, 3, 2, 2, 2, axis=3), bias(IMAGE, DEPTHWISE, 2), out=out(I8, 1), **WINDOW),
        case("CONV_2D", WIDE, W, bias(WIDE, W, 3, I64), out=out(I16, 0.1, 5), **WINDOW),
        case("DEPTHWISE_CONV_2D", WIDE, DEPTHWISE, bias(WIDE, DEPTHWISE, 2, I32), out=out(I16, 0.1), **WINDOW),
        case("FULLY_CONNECTED", X, filters(U8, 2, 4, axis=0), out=out(I8, 0.1)),
        case("BATCH_MATMUL", LONG, stored(I16, 4, 2, zero=3), out=out(I16, 0.1)),
        case("ADD", X, BYTES, out=out(I8, 0.1)),
        case("ADD", LONG, stored(I16, 3, 4, zero=2), out=out(I16, 0.1)),
        case("ADD", *(stored(I16, 3, 4, scale=2.0**-n) for n in (8, 9)), out=out(I16, 2.0**-7)),
        case("SUB", *(stored(I16, 3, 4, scale=2.0**-n) for n in (8, 9)), out=out(I16, 2.0**-9)),
        case("MUL", LONG, stored(I16, 3, 4, zero=2), out=out(I16, 0.1)),
        case("DIV", BYTES, stored(U8, 3, 4, zero=stored(U8, 3, 4).value[0, 0]), out=out(U8, 0.1)),
        case("CONCATENATION", X, stored(I8, 3, 4, scale=0.06), out=out(I8, 0.05), axis=0),
        case("CONCATENATION", LONG, stored(I16, 3, 4, zero=1), out=out(I16, 0.05), axis=0),
        case("MEAN", stored(I16, 3, 4, zero=1), fixed([0]), out=out(I16, 0.05)),
        case("PADV2", X, fixed([[1, 1], [0, 0]]), Given(np.array(9, I8), True, np.float32(0.06), 0), out=out(I8, 0.05)),
        case("SOFTMAX", X, out=out(I8, 1 / 255, -128), beta=1.0),
        case("SOFTMAX", X, out=out(I8, 1 / 256, 0), beta=1.0),
        case("LOG_SOFTMAX", X, out=out(I8, 1 / 16, 0)),
        case("TANH", LONG, out=out(I16, 1 / 16384)),
        case("L2_NORMALIZATION", X, out=out(I8, 1 / 127)),
        case("RSQRT", X, out=out(I8, 0.1)),
        case("RELU_N1_TO_1", LONG, out=out(I16, 0.05)),
        case("HARD_SWISH", LONG, out=out(I16, 0.05)),
        case("HARD_SWISH", X, out=out(I8, 0.05 / 256)),
        case("ABS", BYTES, out=out(U8, 0.05, 128)),
        case("NEG", BYTES, out=out(U8, 0.05, 128)),
        case("QUANTIZE", stored(I16, 3, 4, zero=1), out=out(I16, 0.05)),
        case("TRANSPOSE_CONV", fixed([1, 7, 8, 3]), W, IMAGE, out=out(I8, 0.1), padding=0, stride_h=1, stride_w=1),
        case("FILL", fixed([2]), Given(np.array(9, I8), scale=np.float32(0.05), zero=0), out=out(I8, 0.06)),
        case("SPACE_TO_BATCH_ND", IMAGE, fixed([2, 2]), fixed([[0, 0], [0, 0]]), out=out(I8, 0.06)),
        case("REDUCE_PROD", BYTES, fixed([0]), out=out(U8, 0.05, 128)),
        case("REDUCE_PROD", stored(I16, 3, 4, zero=1), fixed([0]), out=out(I16, 0.05)),
        case("FULLY_CONNECTED", X, stored(I16, 2, 4), out=out(I8, 0.1)),
        case("CONV_2D", WIDE, stored(I16, 3, 2, 2, 2), out=out(I16, 0.1), **WINDOW),
        case("BATCH_MATMUL", X, int4(4, 5), out=out(I8, 0.1)),
        case("TRANSPOSE_CONV", fixed([1, 4, 4, 4]), int4(4, 2, 2, 2), IMAGE, out=out(I8, 0.1), **WINDOW),
        case("ABS", int4(4), kind="FLOAT32"),
        *quantized_recurrent.refused(),
    ],
    ids=name,
)
def test_what_litert_refuses_is_refused(made, resolver):
    data, given = content(made, shape=(1,))
    with pytest.raises(ModelError):
        Interpreter(data).call(*given)
    with pytest.raises(RuntimeError):
        litert(data, given, resolver)


@pytest.mark.parametrize(
    "made",
    [
        case("FULLY_CONNECTED", X, filters(I8, 2, 4), bias(X, filters(I8, 2, 4, scale=9), 2), out=out(I8, 0.1)),
        case("LOGISTIC", X, out=out(I8, 1 / 255, -128)),
        case("REDUCE_MAX", X, fixed([0]), out=out(I8, 0.06)),
        case("REDUCE_MIN", X, fixed([0]), out=out(I8, 0.05, 1)),
    ],
    ids=name,
)
def test_what_litert_s_reference_alone_refuses_is_refused(made):
    """XNNPACK has kernels for these; ours are those that LiteRT defines."""
    data, given = content(made, shape=(1,))
    with pytest.raises(ModelError):
        Interpreter(data).call(*given)
    with pytest.raises(RuntimeError):
        litert(data, given, "reference")


@pytest.mark.parametrize("kind", [I8, I16])
def test_litert_s_reference_sum_reads_every_type_as_bytes(kind):
    """If this changes, the rule DEFAULT_ALONE of ``cases/quantized_sums.py`` can go."""
    x = stored(kind, 3, 4, scale=0.05)
    data, given = content(case("SUM", x, fixed([0]), out=out(kind, 0.1)))
    exact = np.clip(np.round(x.value.astype(int).sum(axis=0) * 0.5), np.iinfo(kind).min, np.iinfo(kind).max)
    assert np.abs(Interpreter(data).call(*given)[0] - exact).max() <= 1
    assert np.abs(litert(data, given, "default")[0] - exact).max() <= 1
    assert np.abs(litert(data, given, "reference")[0] - exact).max() > 1


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_a_quotient_of_less_than_half_a_step_is_0_though_litert_shifts_it_by_32_bits(resolver):
    a, b = (Given(np.array([n], I8), scale=np.float32(1), zero=0) for n in (12, -64))
    data, given = content(case("DIV", a, b, out=out(I8, 1.0)))
    assert Interpreter(data).call(*given)[0] == 0
    assert litert(data, given, resolver)[0] == -128


BEYOND = np.array([np.nan, np.inf, -np.inf, 1e12, -1e12, 3e9, -3e9], np.float32)


@pytest.mark.parametrize(("kind", "zero"), [(I8, -5), (I8, 3), (U8, 131), (I16, 0)])
def test_what_no_integer_holds_becomes_a_bound_as_in_xnnpack(kind, zero):
    """LiteRT's reference kernel makes the least int32 of it, whose sum with a zero point may overflow."""
    data, given = content(case("QUANTIZE", BEYOND, out=out(kind, 1.0, zero)))
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    ours = Interpreter(data).call(*given)[0]
    assert ours.tolist() == [high, high, low, high, low, high, low]
    assert (kind != I16) == (litert(data, given, "default")[0] == ours).all()
    assert len(set(litert(data, given, "reference")[0].tolist())) == 1


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_int16_is_compared_as_stored_and_refused_where_that_is_wrong(resolver):
    a, b = stored(I16, 50, scale=0.05), stored(I16, 50, scale=0.03, seed=1)
    data, given = content(case("LESS", a, b, kind="BOOL"), shape=(50,))
    assert (litert(data, given, resolver)[0] == (a.value < b.value)).all()
    with pytest.raises(ModelError, match="one scale"):
        Interpreter(data).call(*given)


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_neg_is_of_what_is_stored_and_refused_where_that_is_wrong(resolver):
    x = stored(I8, 50, scale=0.05, zero=3)
    data, given = content(case("NEG", x, out=out(I8, 0.05, 3)), shape=(50,))
    assert (litert(data, given, resolver)[0] == -x.value).all()
    with pytest.raises(ModelError, match="zero points of 0"):
        Interpreter(data).call(*given)


def both(made: Case, resolver: str) -> tuple[Array, Array]:
    data, given = content(made)
    return Interpreter(data).call(*given)[0], litert(data, given, resolver)[0]


ON, OFF = Given(np.array(127, I8), True, np.float32(1 / 255), -128), Given(np.array(0, I8), True, np.float32(4e-9), 0)
NUMBERS = Given(np.array([[8, 110], [-101, -88]], I8), scale=np.float32(0.05), zero=7)


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize(
    ("made", "real", "theirs"),
    [
        (case("SCATTER_ND", fixed([[3], [0]]), NUMBERS, fixed([4, 2]), out=out(I8, 0.05, 7)), 7, 0),
        (case("MATRIX_DIAG", NUMBERS, out=out(I8, 0.05, 7)), 7, 0),
        (case("ONE_HOT", fixed([1]), fixed(3), ON, OFF, out=out(I8, 1 / 255, -128)), -128, 0),
        (case("SPARSE_TO_DENSE", fixed([1]), fixed([3]), ON, OFF, out=out(I8, 1 / 255, -128)), -128, 0),
    ],
    ids=lambda v: name(v) if isinstance(v, Case) else str(v),
)
def test_what_is_made_is_the_real_number_0_though_litert_makes_the_stored_one(made, real, theirs, resolver):
    """TensorFlow 2.21 writes such files: a zero point, or, for ``off``, a scale of 4e-9."""
    ours, found = both(made, resolver)
    assert (ours[found == theirs] == real).all()
    assert (found == theirs).sum() >= 2
    np.testing.assert_array_equal(ours[found != theirs], found[found != theirs])


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_numbers_at_one_place_add_up_and_stop_at_the_end_though_litert_goes_round(resolver):
    x = Given(np.array([100, 100], I8), scale=np.float32(0.05), zero=0)
    ours, theirs = both(case("SCATTER_ND", fixed([[1], [1]]), x, fixed([2]), out=out(I8, 0.05)), resolver)
    assert ours.tolist() == [0, 127]
    assert theirs.tolist() == [0, 200 - 256]


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_peepholes_look_at_their_own_cell_though_litert_counts_outputs(resolver):
    """Three outputs of four cells: with weights of 0 for what LiteRT misplaces, the two agree."""
    o = {
        "fused_activation_function": TANH,
        "out": out(I8, 0.01),
        "intermediates": quantized_recurrent.between(0.008, 0),
    }
    kept = [quantized_recurrent.state(I8, 1, 3, scale=0.01), quantized_recurrent.state(I16, 1, 4, scale=2.0**-11)]
    x, cell = stored(I8, 1, 6, 5, scale=0.02), quantized_recurrent.cell(5, 4, 3, peephole=True)
    for last, agree in ((30000, False), (0, True)):
        for n in (8, 9, 10):
            cell[n] = Given(np.array([9000, -20000, 7000, last], I16), True, np.float32(3e-5), 0)
        ours, theirs = both(case("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *cell, *kept, **o), resolver)
        assert np.array_equal(ours, theirs) == agree


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_rows_of_an_odd_number_of_int4_are_read_whole_though_litert_begins_at_bytes(resolver):
    table = int4(4, 5)
    ours, theirs = both(case("EMBEDDING_LOOKUP", fixed([2, 1]), table, kind="FLOAT32"), resolver)
    np.testing.assert_array_equal(ours, table.value[[2, 1]] * np.float32(0.05))
    np.testing.assert_array_equal(theirs[0], ours[0])
    assert (theirs[1] != ours[1]).any()


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_int4_filters_of_int16_images_are_unpacked_though_litert_takes_the_bytes(resolver):
    w = int4(1, 3, 2, 2)
    made = case("DEPTHWISE_CONV_2D", WIDE, w, bias(WIDE, w, 2, I64), out=out(I16, 0.001), **WINDOW)
    as_bytes = case("DEPTHWISE_CONV_2D", WIDE, w._replace(halves=False), *made.inputs[2:], out=made.outputs, **WINDOW)
    ours, theirs = both(made, resolver)
    np.testing.assert_array_equal(ours, both(as_bytes, resolver)[1])
    assert (ours != theirs).any()


def moved(opcode: str, shape: tuple[int, ...], *more: Array, **options: int) -> tuple[bytes, Array]:
    """A file that moves a constant of INT4, (4, 6), and widens the result; and the constant."""
    values, g = int4(4, 6).value, GraphBuilder()
    stands = Quantization(np.array([0.5], np.float32), np.zeros(1, I64))
    w = g.tensor("w", values.shape, "INT4", data=halves(values), quantization=stands)
    inputs = [w, w] if opcode == "CONCATENATION" else [w]
    y = g.tensor("y", shape, "INT4", quantization=stands)
    g.operator(opcode, [*inputs, *(g.constant(str(n), m) for n, m in enumerate(more))], [y], **options)
    g.output("z", g.op("DEQUANTIZE", [y], "z", shape))
    return write(g.model("run")), values / np.float32(2)


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize(
    ("opcode", "shape", "more", "options"),
    [
        ("GATHER", (3, 6), ([2, 0, 2],), {}),
        ("SLICE", (2, 3), ([1, 1], [2, 3]), {}),
        ("TRANSPOSE", (6, 4), ([1, 0],), {}),
        ("RESHAPE", (3, 8), ([3, 8],), {}),
        ("EXPAND_DIMS", (1, 4, 6), (0,), {}),
        ("SQUEEZE", (4, 6), (), {}),
        ("CONCATENATION", (4, 12), (), {"axis": 1}),
    ],
)
def test_int4_is_moved_as_in_litert(opcode, shape, more, options, resolver):
    data, _ = moved(opcode, shape, *(np.array(m, I32) for m in more), **options)
    ours = Interpreter(data).call()[0]
    assert len(np.unique(ours)) > 3
    np.testing.assert_array_equal(ours, litert(data, [], resolver)[0])


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_columns_of_int4_are_gathered_though_litert_gathers_bytes(resolver):
    data, values = moved("GATHER", (4, 3), np.array([2, 0, 3], I32), axis=1)
    np.testing.assert_array_equal(Interpreter(data).call()[0], values[:, [2, 0, 3]])
    assert (litert(data, [], resolver)[0] != values[:, [2, 0, 3]]).any()
