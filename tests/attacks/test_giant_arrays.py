"""Operators whose options or constants ask for gigabytes or hours are refused, before anything of that size is made."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.attacks import giants, giants_stored
from tests.attacks.giants_stored import flex
from tests.parity.operators import Array, Case, content, name
from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.cost import cost_of, pieces_of
from tflite_transfer.reference.flex.table import FLEX
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.kernels.table import FAST, FAST_QUANTIZED
from tflite_transfer.reference.ops import pieces
from tflite_transfer.reference.ops.limit import ALLOWED, PADDED, Allowance, paddable, within_limit
from tflite_transfer.reference.ops.quantized.table import QUANTIZED
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.step import Step, execute
from tflite_transfer.reference.tflite import Operator
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError


@pytest.mark.parametrize(
    ("opcode", "constants", "options", "message"),
    [
        ("FILL", [np.array([2**28, 1], np.int32), np.float32(1)], {}, "an array of shape .* would be made"),
        ("PAD", [np.array([[0, 0], [0, 2**28], [0, 0], [0, 0]], np.int32)], {}, "an array of shape .* would be made"),
        ("RFFT2D", [np.array([2**15, 2**15], np.int32)], {}, "an array of shape .* would be made"),
        ("PRELU", [np.ones((2**14, 1, 1, 1), np.float32)], {}, "do not fit an input"),
        ("MAX_POOL_2D", [], {"filter_height": 2**28, "filter_width": 1}, "an array of shape .* would be made"),
        ("MAX_POOL_2D", [], {"filter_height": 2**18, "filter_width": 1}, "a kernel of 262144 x 1 pixels"),
        ("AVERAGE_POOL_2D", [], {"filter_height": 2**31 - 1, "filter_width": 1, "padding": 1}, "does not fit into 4"),
    ],
)
@pytest.mark.parametrize("jit", [False, True])
def test_what_an_operator_makes_is_bounded(opcode, constants, options, message, jit):
    g = GraphBuilder()
    numbers = [g.constant(str(n), value) for n, value in enumerate(constants)]
    x = g.input("x", (1, 4, 4, 3))
    window = {"stride_h": 1, "stride_w": 1, "padding": 0} | options if options else {}
    g.output("y", g.op(opcode, numbers if opcode == "FILL" else [x, *numbers], "y", (1, 4, 4, 3), **window))

    given = np.ones((1, 4, 4, 3), np.float32)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=rf"operator 0 \({opcode}\) cannot run on shapes .*: .*{message}"):
            Interpreter(g.model("giant"), jit=jit, budget=Budget(bytes=2**29)).run(x=given)
        assert tracemalloc.get_traced_memory()[1] < 3e7  # what may be padded has 16 MB
    finally:
        tracemalloc.stop()


def test_what_models_do_is_within_the_bounds():
    """A head of 62,720 features and 2,000 classes; 256 images of 112 x 112 x 96, padded for a 3 x 3 convolution."""
    assert within_limit((62_720, 2_000)) == (62_720, 2_000)
    assert paddable((256, 114, 114, 96), 256 * 112 * 112 * 96) == (256, 114, 114, 96)
    with pytest.raises(ValueError, match="the most is 1073741824 values"):
        within_limit((2**29, 3))
    with pytest.raises(ValueError, match="the most is 4194304 values"):
        paddable((PADDED + 1,), 1)


ALL = [*giants.cases(), *giants_stored.cases()]
GIANTS = [
    (c, jit) for c in ALL for jit in ([False, True] if c.opcode in (FAST_QUANTIZED if c.stored else FAST) else [False])
]
PIECE = 2**19  # bytes, instead of 4 MB: the arrays here have 1 MB
SLACK = PIECE + 2**17  # what Python takes


def peak(data: bytes, given: list[Array], budget: int, jit: bool) -> tuple[bool, int]:
    """Does a file run within so many bytes? And the most that it really took, its inputs aside."""
    tracemalloc.start()
    try:
        interpreter = Interpreter(data, jit=jit, budget=Budget(bytes=budget))
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        interpreter.call(*given)
        return True, tracemalloc.get_traced_memory()[1] - before
    except ModelError:
        return False, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# What makes nothing of its own, or stands in files of several operators only: see test_what_is_kept_... in test_budget.
ELSEWHERE = set(
    """
    ASSIGN_VARIABLE BROADCAST_ARGS CALL CALL_ONCE DENSIFY HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE IF
    RANK READ_VARIABLE SHAPE VAR_HANDLE WHILE FlexBroadcastGradientArgs FlexRestore FlexSave
    """.split()  # noqa: SIM905
)


def test_every_operator_is_measured() -> None:
    measured = {c.opcode for c, _ in GIANTS} | {name for name, _, _ in flex()} | ELSEWHERE
    assert measured == {*TABLE, *QUANTIZED, *FLEX}
    stored = {c.opcode for c, _ in GIANTS if c.stored or c.outputs[0].scale}
    assert stored >= {n for n, f in QUANTIZED.items() if f is not TABLE.get(n)} - {
        "ELU", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "NOT_EQUAL", "MINIMUM", "RELU_0_TO_1", "RELU_N1_TO_1",
    }  # fmt: skip


@pytest.mark.parametrize(("opcode", "arrays", "options"), list(flex()))
def test_what_tensorflow_s_kernels_take_stays_within_their_bytes(opcode, arrays, options, monkeypatch) -> None:
    monkeypatch.setattr(pieces, "ROOM", PIECE)
    cost, cut = cost_of(opcode, stored=False), pieces_of(opcode, stored=False)
    operator, results = Operator("CUSTOM", (), (), custom_code=opcode), FLEX[opcode](*arrays, **options)
    types = (None,) * (len(results) if isinstance(results, tuple) else 1)
    step = Step(0, operator, (), FLEX[opcode], options, None, types, (), cost, cut)
    allowed, ran = Allowance(2**18, cost=cost), False
    while not ran:
        allowed.bytes *= 2
        token = ALLOWED.set(allowed)
        tracemalloc.start()
        try:
            execute(step, arrays, "the model")
            ran = True
        except ModelError:
            assert allowed.bytes < 2**26
        finally:
            taken = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            ALLOWED.reset(token)
        assert taken <= allowed.bytes + SLACK, f"{taken:,} of {allowed.bytes:,}"


@pytest.mark.parametrize(("made", "jit"), GIANTS, ids=lambda v: name(v) if isinstance(v, Case) else "jit" * v)
def test_what_runs_stays_within_its_bytes(made: Case, jit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest budget, of powers of two, in which it runs; and those in which it is refused."""
    monkeypatch.setattr(pieces, "ROOM", PIECE)
    data, given = content(made, shape=(1,))
    Interpreter(data, jit=jit).call(*given)
    ran, budget = False, 2**18
    while not ran:
        budget *= 2
        ran, taken = peak(data, given, budget, jit)
        assert taken <= budget + SLACK, f"{taken:,} of {budget:,}"
    assert budget <= 2**27
