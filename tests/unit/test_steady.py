"""Runs that are not checked again, because one with the same shapes was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tflite_transfer.reference import steady
from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Model

Array = Any


def network(*, shaped_by_values: bool = False) -> Model:
    """``relu(x w + 1)``, its shape taken and given back; or as many rows of it as ``n`` says."""
    g = GraphBuilder()
    x = g.input("x", (-1, 3))
    w = g.constant("w", np.arange(12, dtype=np.float32).reshape(3, 4) - 5)
    y = g.op("BATCH_MATMUL", [x, w], "product", (-1, 4), adj_x=False, adj_y=False)
    one = g.constant("one", np.float32(1))
    y = g.op("ADD", [y, one], "sum", (-1, 4), fused_activation_function=1)
    size = g.input("size", (2,), "INT32") if shaped_by_values else g.op("SHAPE", [y], "size", (2,), "INT32")
    g.output("y", g.op("RESHAPE", [y, size], "y", (-1, -1)))
    return g.model("steady")


def programs(interpreter: Interpreter) -> int:
    return len(interpreter.plans[0].programs)


def expected(x: Array) -> Array:
    return np.maximum(x @ (np.arange(12, dtype=np.float32).reshape(3, 4) - 5) + 1, 0)


def test_runs_after_the_first_give_the_same_for_other_values_and_shapes() -> None:
    interpreter, rng = Interpreter(network()), np.random.default_rng(0)
    for rows in (2, 2, 5, 2, 5, 5):
        x = rng.integers(-9, 9, (rows, 3)).astype(np.float32)
        np.testing.assert_array_equal(interpreter.call(x)[0], expected(x))
    assert programs(interpreter) == 2


def test_a_program_is_what_runs_then(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter, x = Interpreter(network()), np.ones((2, 3), np.float32)
    interpreter.call(x)
    told: list[str] = []
    monkeypatch.setattr("tflite_transfer.reference.run.repeat", lambda *a: (told.append("repeat"), steady.repeat(*a)))
    interpreter.call(x)
    assert told == ["repeat"]
    assert [step.op for step in interpreter.trace(x=x)] == ["BATCH_MATMUL", "ADD", "SHAPE", "RESHAPE"]
    assert told == ["repeat"]  # what is traced is checked


def test_a_graph_whose_shapes_follow_from_values_is_checked_each_time() -> None:
    interpreter = Interpreter(network(shaped_by_values=True))
    x = np.ones((2, 3), np.float32)
    for size in ([2, 4], [4, 2], [8, 1]):
        assert interpreter.call(x, np.array(size, np.int32))[0].shape == tuple(size)
    assert programs(interpreter) == 0
    with pytest.raises(ModelError, match=r"operator 2 \(RESHAPE\) cannot run"):
        interpreter.call(x, np.array([3, 3], np.int32))


def test_a_budget_of_seconds_is_looked_at_in_each_run() -> None:
    interpreter = Interpreter(network(), budget=Budget(seconds=60))
    interpreter.call(np.ones((2, 3), np.float32))
    assert programs(interpreter) == 0


def test_another_shape_must_fit_the_budget_too() -> None:
    interpreter = Interpreter(network(), budget=Budget(bytes=2000))
    for _ in range(2):
        interpreter.call(np.ones((2, 3), np.float32))
        with pytest.raises(ModelError, match=r"\(1000, 4\) would be made"):
            interpreter.call(np.ones((1000, 3), np.float32))
    assert programs(interpreter) == 1


def test_programs_are_few() -> None:
    interpreter = Interpreter(network())
    for rows in range(1, 2 * steady.MOST):
        x = np.ones((rows, 3), np.float32)
        np.testing.assert_array_equal(interpreter.call(x)[0], expected(x))
    assert programs(interpreter) == steady.MOST


def test_a_failure_names_the_operator() -> None:
    """Rows are gathered by values, in both runs: the first finds all, the second does not."""
    g = GraphBuilder()
    rows = g.input("rows", (2,), "INT32")
    table = g.constant("table", np.arange(6, dtype=np.float32).reshape(3, 2))
    g.output("y", g.op("GATHER", [table, rows], "y", (2, 2), axis=0, batch_dims=0))
    interpreter = Interpreter(g.model("gather"))
    interpreter.call(np.array([0, 2], np.int32))
    assert programs(interpreter) == 1
    with pytest.raises(ModelError, match=r"operator 0 \(GATHER\) cannot run on shapes \[\(3, 2\), \(2,\)\]"):
        interpreter.call(np.array([0, 3], np.int32))


def test_what_follows_from_shapes_alone_is_computed_once() -> None:
    interpreter = Interpreter(network())
    for rows in (2, 2, 5):
        interpreter.call(np.ones((rows, 3), np.float32))
    size = interpreter.graph.operators[2].outputs[0]
    for rows, program in zip((2, 5), interpreter.plans[0].programs.values(), strict=True):
        assert [call.step.operator.name for call in program.calls] == ["BATCH_MATMUL", "ADD", "RESHAPE"]
        np.testing.assert_array_equal(program.values[size], [rows, 4])


def test_a_result_that_follows_from_shapes_is_the_callers_own() -> None:
    g = GraphBuilder()
    x = g.input("x", (-1, 3))
    g.output("size", g.op("SHAPE", [x], "size", (2,), "INT32"))
    interpreter, x = Interpreter(g.model("shape")), np.ones((2, 3), np.float32)
    for _ in range(3):
        (size,) = interpreter.call(x)
        np.testing.assert_array_equal(size, [2, 3])
        size[:] = -1


def test_results_take_the_place_of_what_is_not_needed_any_more() -> None:
    """``y = -(x x) + x``, where the product's memory is the result's; ``x`` itself is the caller's."""
    g = GraphBuilder()
    x = g.input("x", (-1, 3))
    square = g.op("MUL", [x, x], "square", (-1, 3))
    negative = g.op("NEG", [square], "negative", (-1, 3))
    g.output("y", g.op("ADD", [negative, x], "y", (-1, 3)))
    interpreter, x = Interpreter(g.model("chain")), np.arange(6, dtype=np.float32).reshape(2, 3)
    first, second = interpreter.call(x)[0], interpreter.call(x)[0]
    np.testing.assert_array_equal(second, x - x * x)
    np.testing.assert_array_equal(first, second)
    (program,) = interpreter.plans[0].programs.values()
    assert [call.inputs[len(call.step.inputs) :] for call in program.calls] == [(), (square,), (negative,)]
    assert not np.shares_memory(first, second)


def random_network(rng: Any) -> Model:
    """Operators at random, over results, a constant, the input and a variable, some of them views of one another."""
    g = GraphBuilder()
    kept = g.op("VAR_HANDLE", [], "handle", (), "RESOURCE", container="", shared_name="kept")
    known = [g.input("x", (4, 4)), g.constant("c", rng.normal(size=(4, 4)).astype(np.float32))]
    known.append(g.op("READ_VARIABLE", [kept], "read", (4, 4)))
    flat, square = g.constant("flat", np.array([16], np.int32)), g.constant("square", np.array([4, 4], np.int32))
    for n in range(12):
        a, b = (known[i] for i in rng.integers(0, len(known), 2))
        opcode = str(rng.choice(["ADD", "SUB", "MUL", "NEG", "TANH", "BATCH_MATMUL", "RESHAPE", "SOFTMAX", "assign"]))
        if opcode == "assign":
            g.operator("ASSIGN_VARIABLE", [kept, a], [])
        elif opcode == "RESHAPE":
            row = g.op("RESHAPE", [a, flat], f"row{n}", (16,))
            known.append(g.op("RESHAPE", [row, square], f"t{n}", (4, 4)))
        else:
            more = {"fused_activation_function": int(rng.integers(0, 2))} if opcode in ("ADD", "SUB", "MUL") else {}
            more |= {"adj_x": False, "adj_y": True} if opcode == "BATCH_MATMUL" else {}
            more |= {"beta": 1.0} if opcode == "SOFTMAX" else {}
            two = opcode in ("ADD", "SUB", "MUL", "BATCH_MATMUL")
            known.append(g.op(opcode, [a, b] if two else [a], f"t{n}", (4, 4), **more))
    for n, i in enumerate(dict.fromkeys(rng.choice(known[3:], 2))):
        g.output(f"y{n}", int(i))
    return g.model("random")


@pytest.mark.parametrize("seed", range(150))
def test_repeated_runs_are_checked_runs(seed: int) -> None:
    """The same bits; and neither the input nor a result that was given away changes."""
    rng = np.random.default_rng(seed)
    model = random_network(rng)
    steady, checked = Interpreter(model), Interpreter(model, budget=Budget(seconds=60))
    start = rng.normal(size=(4, 4)).astype(np.float32)
    for interpreter in (steady, checked):
        interpreter.variables["kept"] = start
    given: list[tuple[Array, Array]] = []
    for _ in range(4):
        x = rng.normal(size=(4, 4)).astype(np.float32)
        kept = x.copy()
        for found, expected in zip(steady.call(x), checked.call(x), strict=True):
            np.testing.assert_array_equal(found, expected)
            given.append((found, found.copy()))
        for now, then in [*given, (x, kept)]:
            np.testing.assert_array_equal(now, then)
        x[:] = np.nan  # it is the caller's
        np.testing.assert_array_equal(steady.variables["kept"], checked.variables["kept"])
    assert programs(steady) == 1
    assert programs(checked) == 0


def test_variables_of_another_shape_are_another_run() -> None:
    g = GraphBuilder()
    x = g.input("x", (-1,))
    kept = g.op("VAR_HANDLE", [], "handle", (), "RESOURCE", container="", shared_name="kept")
    g.operator("ASSIGN_VARIABLE", [kept, x], [])
    y = g.op("READ_VARIABLE", [kept], "read", (-1,))
    g.output("y", g.op("NEG", [y], "y", (-1,)))
    interpreter = Interpreter(g.model("variable"))
    for size in (2, 3, 2, 2, 3, 3):
        x = np.arange(size, dtype=np.float32)
        np.testing.assert_array_equal(interpreter.call(x)[0], -x)
        np.testing.assert_array_equal(interpreter.variables["kept"], x)
    assert programs(interpreter) > 2
