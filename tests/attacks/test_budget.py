"""Runs that would not end, or take all memory, are stopped by their budget."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from tests.attacks.slow import cases
from tests.parity.operators import Case, content, name
from tests.parity.test_control import X, loop
from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.kernels.table import FAST, FAST_QUANTIZED
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import BudgetError, ModelError

ENDLESS = {"n": np.int32(0), "limit": np.int32(2**31 - 1), "x": X}


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (Budget(trips=100), r"took more than the 100 trips of its budget: Budget\(trips=\.\.\.\) sets another"),
        (Budget(operators=1000), "more than the 1,000 operators"),
        (Budget(seconds=0.2), "more than the 0.2 seconds"),
    ],
)
def test_a_loop_without_end_is_stopped(budget: Budget, message: str) -> None:
    interpreter = Interpreter(loop(), budget=budget)
    start = time.monotonic()
    with pytest.raises(BudgetError, match=message):
        interpreter.run("run", **ENDLESS)
    assert time.monotonic() - start < 20
    np.testing.assert_array_equal(interpreter.run("run", n=0, limit=3, x=X)["x_out"], 8 * X)  # each run has its own


def doubling(times: int, *, constant: bool) -> GraphBuilder:
    """y, y -> one twice as long, again and again: a few bytes of file for each."""
    g = GraphBuilder()
    x = g.input("x", (1024,))
    y = g.constant("c", np.ones(1024, np.float32)) if constant else x
    for n in range(times):
        y = g.op("CONCATENATION", [y, y], f"y{n}", (1,), axis=0)
    g.output("y", y)
    return g


@pytest.mark.parametrize("constant", [False, True])
def test_a_chain_that_doubles_is_stopped(constant: bool) -> None:
    """From constants too, which are computed when the file is opened."""
    tracemalloc.start()
    try:
        interpreter = Interpreter(doubling(30, constant=constant).model("run"), budget=Budget(bytes=2**26))
        with pytest.raises(ModelError):
            interpreter.run(x=np.ones(1024, np.float32))
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**26
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("opcode", ["MUL", "ADD", "MAXIMUM"])
def test_broadcasting_two_long_arrays_is_stopped(opcode: str) -> None:
    """120 kB of constants would make 900 MB."""
    g = GraphBuilder()
    column, row = (g.constant(str(s), np.ones(s, np.float32)) for s in ((15000, 1), (1, 15000)))
    g.output("y", g.op(opcode, [column, row], "y", (15000, 15000)))
    with pytest.raises(ModelError, match=r"an array of shape \(15000, 15000\) would be made"):
        Interpreter(g.model("run"), budget=Budget(bytes=2**26)).run()


def test_what_is_released_is_not_counted() -> None:
    """A chain of a hundred arrays of 1 MB runs in 4."""
    g = GraphBuilder()
    y = g.input("x", (2**18,))
    for n in range(100):
        y = g.op("NEG", [y], f"y{n}", (2**18,))
    g.output("y", y)
    Interpreter(g.model("run"), budget=Budget(bytes=2**22)).run(x=np.ones(2**18, np.float32))


SLOW = [
    (c, jit)
    for c in cases()
    for jit in ([False, True] if c.opcode in (FAST_QUANTIZED if c.stored else FAST) else [False])
]
SECONDS = 0.2


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("made", "jit"), SLOW, ids=lambda v: name(v) if isinstance(v, Case) else "jit" * v)
def test_one_operator_ends_within_a_second_of_its_budget(made: Case, jit: bool) -> None:
    """Counted on the CPU, since the clock runs for other processes too."""
    data, given = content(made, shape=(1,))
    interpreter = Interpreter(data, jit=jit, budget=Budget(seconds=SECONDS))
    start = time.process_time()
    with pytest.raises(BudgetError, match="seconds"):
        interpreter.call(*given)
    assert time.process_time() - start < SECONDS + 1


def test_sums_along_an_axis_of_no_elements_are_bounded() -> None:
    """An array of no bytes, whose sum has 4 GB."""
    g = GraphBuilder()
    sizes = g.input("sizes", (2,), "INT32")
    empty = g.op("FILL", [sizes, g.constant("one", np.float32(1))], "empty", (1, 0))
    g.output("y", g.op("SUM", [empty, g.constant("axis", np.array([1], np.int32))], "y", (1,), keep_dims=False))
    with pytest.raises(BudgetError, match=r"an operator on 1,073,741,824 values needs more than the .* bytes"):
        Interpreter(g.model("run")).run(sizes=[2**30, 0])
    assert Interpreter(g.model("run")).run(sizes=[3, 0])["y"].tolist() == [0, 0, 0]


def test_a_shape_of_a_million_numbers_is_refused() -> None:
    g = GraphBuilder()
    g.output("y", g.op("FILL", [g.input("sizes", (-1,), "INT32"), g.constant("one", np.float32(1))], "y", (1,)))
    with pytest.raises(ModelError, match="1000000 numbers stand where a shape or a list of axes is expected"):
        Interpreter(g.model("run")).run(sizes=np.ones(10**6, np.int32))


def test_what_is_packed_for_kernels_has_an_end() -> None:
    """A thousand convolutions by one filter, for each of which the kernel would keep 1 MB: 32 times the filter."""
    g = GraphBuilder()
    x, w = g.input("x", (1, 1, 1, 2**13)), g.constant("w", np.ones((1, 1, 1, 2**13), np.float32))
    window = {"padding": 0, "stride_h": 1, "stride_w": 1}
    for n in range(1000):
        g.output(str(n), g.op("CONV_2D", [x, w], str(n), (1, 1, 1, 1), **window))
    tracemalloc.start()
    try:
        Interpreter(g.model("run"))
        assert tracemalloc.get_traced_memory()[1] < 1.5 * 2**26
    finally:
        tracemalloc.stop()


def test_what_is_kept_between_runs_is_counted() -> None:
    """A hash table of 2^16 keys, and then another run."""
    g = GraphBuilder()
    table = g.op("HASHTABLE", [], "table", (), "RESOURCE", table_id=1, key_dtype=4, value_dtype=4)
    keys = g.input("keys", (-1,), "INT64")
    g.operator("HASHTABLE_IMPORT", [table, keys, keys], [])
    g.output("size", g.op("HASHTABLE_SIZE", [table], "size", (1,), "INT64"))
    interpreter = Interpreter(g.model("run"), budget=Budget(bytes=2**25))
    assert interpreter.run(keys=np.arange(2**16))["size"] == 2**16
    interpreter.budget = Budget(bytes=2**24)
    with pytest.raises(BudgetError, match="bytes of its budget"):
        interpreter.run(keys=np.arange(1))
