"""What the interpreter promises beside the numbers: whose memory a result is, turns of threads, traces, widening."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.parity.test_control import X, counter, model, unary
from tflite_transfer.reference import Budget, Interpreter
from tflite_transfer.reference.ops.limit import ALLOWED
from tflite_transfer.reference.tflite import Quantization
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import BudgetError, ModelError, ShapeError

F32 = np.float32


def branch_to_a_constant() -> bytes:
    """IF whose first branch gives what it folded from a constant."""
    g, one = GraphBuilder(), GraphBuilder()
    flag, x, y = g.input("flag", (1,), "BOOL"), g.input("x", (3,)), g.tensor("y", (3,))
    g.operator("IF", [flag, x], [y], then_subgraph_index=1, else_subgraph_index=2)
    g.output("y", y)
    one.input("x", (3,))
    one.output("c", one.op("NEG", [one.constant("k", np.ones(3, F32))], "c", (3,)))
    return model(g, one, unary("NEG"))


def test_a_result_is_not_the_file_s_constant() -> None:
    interpreter = Interpreter(branch_to_a_constant())
    given = {"flag": np.array([True]), "x": X}
    interpreter.run("run", **given)["y"][:] = 99
    np.testing.assert_array_equal(interpreter.run("run", **given)["y"], [-1, -1, -1])


def test_a_variable_is_neither_the_caller_s_array_nor_a_result() -> None:
    g = GraphBuilder()
    handle = g.op("VAR_HANDLE", [], "handle", (), "RESOURCE", container="", shared_name="kept")
    x = g.input("x", (3,))
    g.operator("ASSIGN_VARIABLE", [handle, x], [])
    g.output("y", g.op("RESHAPE", [g.op("READ_VARIABLE", [handle], "read", (3,))], "y", (3,), new_shape=[3]))
    interpreter, given = Interpreter(model(g)), X.copy()
    result = interpreter.run("run", x=given)["y"]
    given[:], result[:] = 7, 8
    np.testing.assert_array_equal(interpreter.variables["kept"], X)


def stored(kind: str, **options: Any) -> GraphBuilder:
    """An operator on an int8 constant with a scale."""
    g = GraphBuilder()
    quantization = Quantization(np.array([0.1], F32), np.array([1]))
    c = g.tensor("c", (3,), "INT8", data=np.array([1, 2, 4], np.int8), quantization=quantization)
    g.output("y", g.op(kind, [c], "y", (3,), **options))
    return g


def test_cast_looks_at_what_is_stored() -> None:
    """As in LiteRT; DEQUANTIZE looks at what it stands for."""
    np.testing.assert_array_equal(Interpreter(stored("CAST").model("run")).run()["y"], [1, 2, 4])
    np.testing.assert_allclose(Interpreter(stored("DEQUANTIZE").model("run")).run()["y"], [0, 0.1, 0.3], rtol=1e-6)


def test_the_oracle_refuses_graphs_of_quantised_numbers() -> None:
    """Their rounding is what they compute: widened, they would be other models."""
    g = GraphBuilder()
    steps = Quantization(np.array([0.1], F32), np.array([1]))
    x, y = (g.tensor(name, (3,), "INT8", quantization=steps) for name in "xy")
    g.inputs["x"] = x
    g.operator("RELU", [x], [y])
    g.output("y", y)
    Interpreter(model(g))
    with pytest.raises(
        ModelError, match=r"computes on quantised numbers \(RELU\): in float64 it would be another model"
    ):
        Interpreter(model(g), precision="float64")


def test_constants_are_widened_in_double_for_the_oracle() -> None:
    y = Interpreter(stored("DEQUANTIZE").model("run"), precision="float64").run()["y"]
    np.testing.assert_array_equal(y, np.array([0, 1, 3]) * np.float64(F32(0.1)))


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**32 + 5])
def test_integers_that_do_not_fit_are_refused(value: int) -> None:
    g = GraphBuilder()
    g.output("y", g.op("NEG", [g.input("x", (1,), "INT32")], "y", (1,), "INT32"))
    with pytest.raises(ShapeError, match=f"x must be int32, but holds {value} to {value}"):
        Interpreter(g.model("run")).run(x=[value])


def test_rows_of_several_lengths_are_no_array() -> None:
    with pytest.raises(ShapeError, match="x must be an array of float32"):
        Interpreter(unary("NEG").model("run")).run(x=[[1], [2, 3]])


def test_a_trace_tells_what_ran_before_a_failure() -> None:
    g = GraphBuilder()
    x = g.input("x", (3,))
    y = g.op("NEG", [x], "x", (3,))  # of the same name as its input
    g.output("z", g.op("GATHER", [y, g.input("at", (1,), "INT32")], "z", (1,)))
    told = Interpreter(g.model("run")).trace("run", x=X, at=[9])
    first = next(told)
    assert (first.op, list(first.inputs), list(first.outputs)) == ("NEG", ["x"], ["x"])
    with pytest.raises(ModelError, match=r"operator 1 \(GATHER\)"):
        next(told)


def test_tensors_of_one_name_are_told_apart() -> None:
    g = GraphBuilder()
    a, b = g.input("a", (3,)), g.tensor("a", (3,))
    g.inputs["b"] = b
    g.output("y", g.op("SUB", [a, b], "y", (3,)))
    (told,) = Interpreter(g.model("run")).trace("run", a=X, b=2 * X)
    assert list(told.inputs) == ["a#0", "a#1"]


@pytest.mark.usefixtures("often")
def test_threads_take_turns_at_what_is_kept() -> None:
    interpreter = Interpreter(counter())
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: interpreter.run("run", x=np.ones(3, F32)), range(300)))
    np.testing.assert_array_equal(interpreter.variables["total"], [310, 310, 310])


def test_a_small_part_does_not_keep_a_large_array() -> None:
    """Twenty arrays of 4 MB, of which one number each is kept, in 16 MB."""
    g = GraphBuilder()
    y, numbers = g.input("x", (2**20,)), []
    begin, one = g.constant("b", np.array([5], np.int32)), g.constant("s", np.array([1], np.int32))
    for n in range(20):
        y = g.op("NEG", [y], f"y{n}", (2**20,))
        numbers.append(g.op("SLICE", [y, begin, one], f"s{n}", (1,)))
    g.output("all", g.op("PACK", numbers, "all", (20, 1), values_count=20))
    interpreter = Interpreter(g.model("run"), budget=Budget(bytes=2**24))
    assert interpreter.run(x=np.ones(2**20, F32))["all"].shape == (20, 1)


def test_variables_count_to_the_budget() -> None:
    g = GraphBuilder()
    x = g.input("x", (2**18,))
    for n in range(20):
        handle = g.op("VAR_HANDLE", [], f"h{n}", (), "RESOURCE", container="", shared_name=f"v{n}")
        g.operator("ASSIGN_VARIABLE", [handle, x], [])
    g.output("y", g.op("NEG", [x], "y", (2**18,)))
    with pytest.raises(BudgetError, match="bytes of its budget"):
        Interpreter(g.model("run"), budget=Budget(bytes=2**23)).run(x=np.ones(2**18, F32))
    assert ALLOWED.get(None) is None  # what the next run, with a budget of its own, finds


def test_one_operator_does_not_go_on_beyond_its_seconds() -> None:
    """20,000 boxes, none of which excludes another: a minute of one operator."""
    g = GraphBuilder()
    boxes = g.input("boxes", (20_000, 4))
    scores = g.input("scores", (20_000,))
    rest = [g.constant(str(n), v) for n, v in enumerate((np.int32(20_000), F32(2), F32(-1)))]
    kept, count = g.tensor("kept", (20_000,), "INT32"), g.tensor("count", (), "INT32")
    g.operator("NON_MAX_SUPPRESSION_V4", [boxes, scores, *rest], [kept, count])
    g.output("kept", kept)
    g.output("count", count)
    given = {"boxes": np.random.default_rng(0).random((20_000, 4), F32), "scores": np.ones(20_000, F32)}
    with pytest.raises(BudgetError, match="an operator goes on beyond the run's budget of seconds"):
        Interpreter(g.model("run"), budget=Budget(seconds=0.3)).run(**given)
