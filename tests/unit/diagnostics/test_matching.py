"""Which operator of one graph is which of another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_transfer.diagnostics.matching import matched
from tflite_transfer.diagnostics.single import depends_on_nothing, single
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.graph import Subgraph


def graph(*opcodes: str, prefix: str = "") -> Subgraph:
    g = GraphBuilder()
    y = g.input(f"{prefix}x", (1, 4))
    for n, opcode in enumerate(opcodes):
        y = g.op(opcode, [y], f"{prefix}y{n}", (1, 4))
    g.output("y", y)
    return g.model("run").main


def test_a_graph_matches_itself() -> None:
    one = graph("RELU", "ABS")
    found = matched(one, one)
    assert (found.operators, found.unmatched) == ({0: 0, 1: 1}, ())


def test_the_same_operators_match_whatever_their_tensors_are_called() -> None:
    found = matched(graph("RELU", "ABS", "EXP"), graph("RELU", "ABS", "EXP", prefix="other/"))
    assert (found.operators, found.unmatched) == ({0: 0, 1: 1, 2: 2}, ())
    assert found.tensors == {0: 0, 1: 1, 2: 2, 3: 3}


def test_how_numbers_are_stored_is_passed_over() -> None:
    found = matched(graph("RELU", "ABS"), graph("QUANTIZE", "RELU", "ABS", "DEQUANTIZE"))
    assert (found.operators, found.unmatched) == ({0: 1, 1: 2}, ())


def test_what_one_alone_has_is_told() -> None:
    found = matched(graph("RELU", "ABS", "EXP"), graph("RELU", "NEG", "ABS", "EXP", prefix="b"))
    assert found.operators == {0: 0, 1: 2, 2: 3}
    assert found.unmatched == ("B alone has operator 1 (NEG) -> by1",)


def test_names_tell_which_of_several_it_is() -> None:
    one = graph("EXP", "EXP", "NEG")
    other = graph("ABS", "EXP", "NEG")
    names = {1: "other", 2: "y0", 3: "y2"}
    tensors = tuple(replace(t, name=names.get(i, t.name)) for i, t in enumerate(other.tensors))
    found = matched(one, replace(other, tensors=tensors))
    assert found.operators == {0: 1, 2: 2}


def test_a_single_operator_takes_its_constants_along() -> None:
    g = GraphBuilder()
    x = g.input("x", (-1, 3))
    w = g.constant("w", np.eye(3, dtype=np.float16))
    wide = g.op("DEQUANTIZE", [w], "wide", (3, 3))
    y = g.op("FULLY_CONNECTED", [g.op("ABS", [x], "abs", (-1, 3)), wide, -1], "y", (-1, 3))
    g.output("y", y)
    main = g.model("run").main
    fixed = depends_on_nothing(main)
    assert {main.tensors[i].name for i in fixed if i >= 0} == {"w", "wide"}
    values = {main.index("abs"): np.full((5, 3), 2, np.float32), main.index("wide"): 3 * np.eye(3, dtype=np.float32)}
    model, given = single(main, 2, values.__getitem__, fixed)
    assert [v.shape for v in given] == [(5, 3)]
    assert [t.name for t in model.main.tensors if t.data is not None] == ["wide"]
    assert Interpreter(write(model)).call(*given)[0].tolist() == [[6, 6, 6]] * 5
