"""Functions of one number, of two that are broadcast, and choices between arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.parity.cases.compare import COMPARISONS
from tests.parity.cases.parts import BOOL, F16, F32, I8, I16, I32, I64, U8
from tests.parity.operators import Case, case
from tests.parity.rules import RULES
from tests.parity.strategies.arrays import Draw, arrays, broadcast, floats, given_or_fixed, kind, shapes
from tflite_transfer.reference.tflite.enums import TENSOR_TYPES

ONE = [
    "ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "NEG", "RELU",
    "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIGN", "SIN", "SQRT", "SQUARE", "TANH",
]  # fmt: skip
TWO = ["ADD", "DIV", "FLOOR_DIV", "FLOOR_MOD", "MAXIMUM", "MINIMUM", "MUL", "POW", "SQUARED_DIFFERENCE", "SUB"]
FUSED = ("ADD", "DIV", "MUL", "SUB")  # those with an activation
ACTIVATIONS = st.sampled_from((0, 1, 2, 3))
WITHOUT_NAN = ("EXP", "LOG", "MAXIMUM", "MINIMUM")  # which lose it: see test_operators.py


@st.composite
def of_one(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(ONE))
    x = draw(floats(draw(shapes(0, 5, 3)), allow_nan=opcode not in WITHOUT_NAN))
    options = {"LEAKY_RELU": {"alpha": 0.3}, "GELU": {"approximate": draw(st.booleans())}}
    return case(opcode, x, rule=RULES.get(opcode), **options.get(opcode, {}))


@st.composite
def of_two(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(TWO))
    a, b = (draw(floats(shape, allow_nan=opcode not in WITHOUT_NAN)) for shape in draw(broadcast(2)))
    if opcode == "FLOOR_DIV":
        b = np.where(b == 0, F32(1), b)
    options = {"fused_activation_function": draw(ACTIVATIONS)} if opcode in FUSED else {}
    return case(opcode, draw(given_or_fixed(a)), draw(given_or_fixed(b)), rule=RULES.get(opcode), **options)


@st.composite
def of_several(draw: Draw) -> Case:
    """Whose shapes have a rule of their own."""
    opcode, shape = draw(st.sampled_from(("ADD_N", "ATAN2", "PRELU"))), draw(shapes(0, 5, 3))
    if opcode == "PRELU":  # the slopes are broadcast to x, never x to them
        slopes = shape[draw(st.integers(0, len(shape))) :]
        slopes = tuple(n if draw(st.booleans()) else 1 for n in slopes)
        finite = floats(slopes, allow_nan=False, allow_infinity=False)  # XNNPACK multiplies -0 by them too
        return case(opcode, draw(floats(shape)), draw(given_or_fixed(draw(finite))))
    if opcode == "ATAN2":
        return case(opcode, draw(floats(shape)), draw(floats(shape)), rule=RULES[opcode])
    dtype, count = draw(st.sampled_from((F32, I32))), draw(st.integers(2, 4))
    finite = floats(shape, min_value=-(2.0**125), max_value=2.0**125)  # LiteRT makes numbers of infinite partial sums
    return case(opcode, *(draw(finite if dtype == F32 else arrays(shape, dtype)) for _ in range(count)))


SIGNED, UNSIGNED = (I8, I16, I32), (U8, np.uint16, np.uint32)
WHOLE = {
    "ADD": (I16, I32, I64), "BITWISE_XOR": (*SIGNED, *UNSIGNED), "DIV": (I32,), "FLOOR_DIV": SIGNED,
    "FLOOR_MOD": (*SIGNED, I64), "MAXIMUM": (I8, U8, I16, I32, I64), "MINIMUM": (I8, U8, I16, I32, I64),
    "MUL": (I16, I32, I64, np.uint32), "POW": (I32,), "RIGHT_SHIFT": (*SIGNED, *UNSIGNED), "SQUARED_DIFFERENCE": (I32,),
    "SUB": (I32, I64),
}  # fmt: skip


@st.composite
def of_whole_numbers(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(sorted(WHOLE)))
    dtype = draw(st.sampled_from(WHOLE[opcode]))
    one, two = draw(broadcast(2))
    a, b = draw(arrays(one, dtype)), draw(arrays(two, dtype))
    if opcode in ("DIV", "FLOOR_DIV", "FLOOR_MOD"):  # by 0 they refuse; the least number by -1 ends LiteRT: SIGFPE
        b = np.where((b == 0) | (b == -1), dtype(2), b)
    if opcode == "POW":  # what int32 does not hold is undefined in C
        a, b = a % 21 - 10, b % 10
    options = {"fused_activation_function": draw(ACTIVATIONS)} if opcode in FUSED else {}
    return case(opcode, draw(given_or_fixed(a)), draw(given_or_fixed(b)), **options)


@st.composite
def comparisons(draw: Draw) -> Case:
    opcode = draw(st.sampled_from((*COMPARISONS, "LOGICAL_AND", "LOGICAL_OR")))
    types = (BOOL,) if opcode.startswith("LOGICAL") else (F32, F16, I16, I32, I64)
    # int8 and uint8 are taken for quantised, as is int16 by NOT_EQUAL: LiteRT divides by their scale of 0 and ends.
    dtype = np.dtype(draw(st.sampled_from([t for t in types if (opcode, t) != ("NOT_EQUAL", I16)])))
    values = [draw(floats(s, dtype) if dtype.kind == "f" else arrays(s, dtype, most=3)) for s in draw(broadcast(2, 4))]
    return case(opcode, *(draw(given_or_fixed(x)) for x in values), kind="BOOL")


@st.composite
def choices(draw: Draw) -> Case:
    opcode, shape = draw(st.sampled_from(("SELECT", "SELECT_V2"))), draw(shapes(0, 5))
    dtype = draw(st.sampled_from((F32, F16, BOOL, I8, U8, I16, I32, I64)))
    rows = draw(st.sampled_from([(), shape[:1], shape])), shape, shape
    condition, one, two = rows if opcode == "SELECT" else draw(broadcast(3))
    x, y = (draw(given_or_fixed(draw(arrays(s, dtype)))) for s in (one, two))
    return case(opcode, draw(given_or_fixed(draw(arrays(condition, BOOL)))), x, y, kind=kind(x.value))


@st.composite
def casts(draw: Draw) -> Case:
    types = (F32, np.float64, F16, I8, U8, I16, np.uint16, I32, np.uint32, I64, BOOL)
    dtype, made = np.dtype(draw(st.sampled_from(types))), kind(np.zeros((), draw(st.sampled_from(types))))
    shape = draw(shapes(0, 3))
    x = draw(floats(shape, dtype) if dtype.kind == "f" else arrays(shape, dtype))
    return case("CAST", x, kind=made, out_data_type=TENSOR_TYPES.index(made))
