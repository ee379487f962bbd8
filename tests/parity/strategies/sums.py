"""Products of matrices, reductions, running sums, softmax."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.parity.cases.parts import BOOL, F32, I8, I16, I32, I64, U8
from tests.parity.operators import Case, case, fixed
from tests.parity.rules import RULES
from tests.parity.strategies.arrays import (
    ENDLESS,
    SPECIAL,
    WITH_NAN,
    Draw,
    arrays,
    axes,
    broadcast,
    indices,
    inputs,
    shapes,
)
from tests.parity.strategies.functions import ACTIVATIONS
from tests.parity.strategies.windows import products


@st.composite
def fully_connected(draw: Draw) -> Case:
    depth, outputs = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    values = draw(products((*draw(shapes(1, 3)), depth), (outputs, depth), outputs, special=WITH_NAN))
    options = {"keep_num_dims": draw(st.booleans()), "fused_activation_function": draw(ACTIVATIONS)}
    return case("FULLY_CONNECTED", *values, rule=RULES["FULLY_CONNECTED"], **options)


@st.composite
def batch_matmul(draw: Draw) -> Case:
    one, two = draw(broadcast(2, 3))
    i, j, k = (draw(st.integers(1, 6)) for _ in range(3))
    m, n = draw(st.booleans()), draw(st.booleans())
    a = draw(inputs((*one, *((j, i) if m else (i, j))), special=WITH_NAN))
    b = draw(inputs((*two, *((k, j) if n else (j, k)))))
    return case("BATCH_MATMUL", a, b, rule=RULES["BATCH_MATMUL"], adj_x=m, adj_y=n)


REDUCED = {
    "MEAN": (F32, I32, I64), "REDUCE_ALL": (BOOL,), "REDUCE_ANY": (BOOL,), "REDUCE_MAX": (F32, I8, U8, I16, I32, I64),
    "REDUCE_MIN": (F32, I8, U8, I16, I32, I64), "REDUCE_PROD": (F32, I8, U8, I16, I32, I64), "SUM": (F32, I32, I64),
}  # fmt: skip


@st.composite
def reductions(draw: Draw) -> Case:
    """REDUCE_MAX and REDUCE_MIN lose NaN: see test_operators.py."""
    opcode, shape = draw(st.sampled_from(sorted(REDUCED))), draw(shapes())
    dtype = draw(st.sampled_from(REDUCED[opcode]))
    over = draw(st.lists(axes(len(shape)), max_size=6)) if shape else []  # XNNPACK refuses axis -1 of a scalar
    x = draw(arrays(shape, dtype, special=ENDLESS if opcode in ("REDUCE_MAX", "REDUCE_MIN") else WITH_NAN))
    rule = RULES.get(opcode) if dtype == F32 else None
    return case(opcode, x, draw(indices(over, I32)), rule=rule, keep_dims=draw(st.booleans()))


@st.composite
def places(draw: Draw) -> Case:
    opcode, shape = draw(st.sampled_from(("ARG_MAX", "ARG_MIN"))), draw(shapes(1))
    dtype, long = draw(st.sampled_from((F32, I8, U8, I32, BOOL))), draw(st.booleans())
    x = draw(arrays(shape, dtype, special=ENDLESS, most=3))
    axis = fixed(draw(axes(len(shape))), draw(st.sampled_from((I32, I64))))
    kind = {"kind": "INT64", "output_type": 4} if long else {"kind": "INT32", "output_type": 2}
    return case(opcode, x.round() if dtype == F32 else x, axis, **kind)


@st.composite
def running_sums(draw: Draw) -> Case:
    shape = draw(shapes(1))
    x = draw(arrays(shape, draw(st.sampled_from((F32, I32, I64))), special=SPECIAL))
    along = draw(indices(draw(axes(len(shape))), I32))
    return case("CUMSUM", x, along, exclusive=draw(st.booleans()), reverse=draw(st.booleans()))


@st.composite
def softmaxes(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(("SOFTMAX", "LOG_SOFTMAX")))
    x = draw(arrays((*draw(shapes(0, 3)), draw(st.integers(1, 40))), special=SPECIAL))
    options = {"beta": draw(st.sampled_from((1.0, 0.5, 3.0)))} if opcode == "SOFTMAX" else {}
    return case(opcode, x, rule=RULES[opcode], **options)
