"""One corrupted graph for each rule of the verifier; each test says what it tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.parity.test_control import branches, counter, loop, unary
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import Model, Operator, Signature, Subgraph, read, write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.verify import verify


def operator(model: Model, opcode: str) -> tuple[int, int, Operator]:
    """Where the first operator of that name stands: sub-graph, number, itself."""
    found = ((g, n, o) for g, graph in enumerate(model.subgraphs) for n, o in enumerate(graph.operators))
    return next((g, n, o) for g, n, o in found if o.opcode == opcode)


def changed(data: bytes, opcode: str, change: Callable[[Subgraph, Operator], Operator]) -> Model:
    model = read(data)
    g, n, o = operator(model, opcode)
    operators = list(model.subgraphs[g].operators)
    operators[n] = change(model.subgraphs[g], o)
    graphs = list(model.subgraphs)
    graphs[g] = replace(graphs[g], operators=tuple(operators))
    return replace(model, subgraphs=tuple(graphs))


def with_option(data: bytes, opcode: str, **options: int) -> Model:
    return changed(data, opcode, lambda _, o: replace(o, options={**o.options, **options}))


def two_operators(order: Callable[..., tuple[Operator, ...]]) -> Model:
    """x -> NEG -> a -> ABS -> y."""
    g = GraphBuilder()
    g.output("y", g.op("ABS", [g.op("NEG", [g.input("x", (3,))], "a", (3,))], "y", (3,)))
    model = g.model("run")
    return replace(model, subgraphs=(replace(model.main, operators=order(*model.main.operators)),))


def one_operator(graph_of: Callable[[Subgraph, Operator], Operator]) -> Model:
    g = unary("NEG")
    g.constant("c", np.ones(3, np.float32))
    return changed(write(g.model("run")), "NEG", graph_of)


def signed(*signatures: Signature) -> Model:
    return replace(unary("NEG").model("run"), signatures=signatures)


HOSTILE = {
    # sub-graphs
    "a loop whose body is a sub-graph that is not there": (
        with_option(loop(), "WHILE", body_subgraph_index=3),
        "runs sub-graph 3, and there are 3",
    ),
    "a branch whose sub-graph has a negative number": (
        with_option(branches(), "IF", else_subgraph_index=-1),
        "runs sub-graph -1",
    ),
    "a loop whose body is the graph that it stands in": (
        with_option(loop(), "WHILE", body_subgraph_index=0),
        "sub-graph 0 runs itself",
    ),
    "a first run that calls its own sub-graph": (
        with_option(counter(), "CALL_ONCE", init_subgraph_index=0),
        "gives 0 values to sub-graph 0",
    ),
    "a branch that gives its sub-graph one value too few": (
        changed(branches(), "IF", lambda _, o: replace(o, inputs=o.inputs[:1])),
        "gives 0 values to sub-graph 1",
    ),
    "a loop with fewer results than its body": (
        changed(loop(), "WHILE", lambda _, o: replace(o, outputs=o.outputs[:2])),
        "gives 3 values to sub-graph 2 for 2",
    ),
    "a loop whose condition takes another number of values": (
        with_option(loop(), "WHILE", cond_subgraph_index=0, body_subgraph_index=2),
        "gives 3 values to sub-graph 0 for 1",
    ),
    # who writes and who reads
    "an operator that writes into the graph's input": (
        one_operator(lambda _, o: replace(o, outputs=o.inputs)),
        "writes 'x', which is an input",
    ),
    "an operator that writes into a constant": (
        one_operator(lambda g, o: replace(o, outputs=(g.index("c") or 0,))),
        "writes 'c', which is a constant",
    ),
    "an operator that reads its own output": (
        one_operator(lambda _, o: replace(o, inputs=o.outputs)),
        "reads 'y' before anything writes it",
    ),
    "an operator before the one that makes its input": (
        two_operators(lambda first, second: (second, first)),
        r"sub-graph 0, operator 0 \(ABS\) reads 'a' before anything writes it",
    ),
    "a graph whose output nothing writes": (
        two_operators(lambda first, _: (first,)),
        "sub-graph 0 has the output 'y', which nothing writes",
    ),
    "two operators that write one tensor": (
        two_operators(lambda first, second: (first, second, second)),
        "writes 'y', which is written already",
    ),
    # signatures
    "a signature twice": (signed(*[Signature("run", {"x": 0}, {"y": 1})] * 2), "signature 'run' is there 2 times"),
    "a signature whose argument is an output": (
        signed(Signature("run", {"x": 1}, {"y": 1})),
        "'run' names 'x' tensor 1, which is not an input of its sub-graph",
    ),
    "a signature whose result is an input": (
        signed(Signature("run", {"x": 0}, {"y": 0})),
        "'run' names 'y' tensor 0, which is not an output of its sub-graph",
    ),
}


def check_refused(model: Model, message: str) -> None:
    """Before anything runs, as a graph and as a file."""
    with pytest.raises(ModelError, match=message):
        verify(model)
    with pytest.raises(ModelError, match=message):
        Interpreter(write(model))


@pytest.mark.parametrize("tried", HOSTILE)
def test_a_hostile_graph_is_refused(tried: str) -> None:
    check_refused(*HOSTILE[tried])


@pytest.mark.parametrize("data", [branches(), loop(), counter()])
def test_sound_graphs_are_let_through(data: bytes) -> None:
    verify(read(data))


def test_sub_graphs_that_call_one_another_are_refused() -> None:
    """Neither runs itself, but both together would never end."""
    g = unary("NEG")
    g.operators[0] = Operator("CALL", (0,), (1,), {"subgraph": 1}, "CallOptions")
    graphs = [replace(g.model("run").main, name=str(n)) for n in range(3)]
    for number, called in ((0, 1), (1, 2), (2, 1)):
        call = replace(graphs[number].operators[0], options={"subgraph": called})
        graphs[number] = replace(graphs[number], operators=(call,))
    with pytest.raises(ModelError, match="sub-graph 1 runs itself"):
        verify(Model(tuple(graphs)))


@pytest.mark.parametrize("forward", [True, False])
def test_a_chain_of_many_sub_graphs_is_refused(forward: bool) -> None:
    """Deeper than Python's own stack, from the first sub-graph on or from the last."""
    g = unary("NEG")
    graphs = []
    for number in range(5000):
        call = Operator("CALL", (0,), (1,), {"subgraph": number + (1 if forward else -1)}, "CallOptions")
        operators = (call,) if number != (4999 if forward else 0) else tuple(g.operators)
        graphs.append(replace(g.model("run").main, operators=operators))
    with pytest.raises(ModelError, match="its sub-graphs run one another over 50 deep"):
        verify(Model(tuple(graphs)))
