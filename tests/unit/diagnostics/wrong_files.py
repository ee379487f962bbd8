"""Training files with a fault: healthy ones with an operator more, another constant, other wires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.cases import head_bundle
from tests.small_networks import head
from tflite_transfer.converter.expressions import Expression, Graph, count, matmul
from tflite_transfer.converter.networks.from_tflite import network_of
from tflite_transfer.converter.training.file import TrainingFile
from tflite_transfer.converter.training.losses import LOSSES, Loss
from tflite_transfer.converter.training.optimizers import SGD, KerasAdam
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.bundle import Bundle, bundle, load_bundle
from tflite_transfer.reference.tflite.graph import Model
from tflite_transfer.reference.tflite.one_file import OneFile, one_file

CROSS_ENTROPY = LOSSES["categorical_crossentropy"]
GOLDEN = Path(__file__).parents[2] / "golden"
FEATURES, CLASSES = 6, 3
Change = Callable[[Graph, list[Expression]], None]


def five(role: str, change: Change, optimizer: Any = None, l2: float | None = None) -> Bundle:
    """Five files whose batch is free; ``change`` edits the results of one of them: loss, ws, bs, or ws, bs, slots."""
    return _edited(head_bundle(FEATURES, CLASSES, optimizer or SGD(0.1), l2), role, change)


def golden(name: str, role: str, change: Change) -> Bundle:
    """The same of a golden file of the original converter, whose batch is fixed."""
    return _edited(load_bundle(GOLDEN / name), role, change)


def _edited(files: Bundle, role: str, change: Change) -> Bundle:
    return bundle({**files.contents, role: write(_changed(files.models[role], change))})


def _changed(model: Model, change: Change) -> Model:
    graph = Graph(model.main)
    graph.inputs = {str(n): i for n, i in enumerate(model.main.inputs)}
    results = [graph[i] for i in model.main.outputs]
    change(graph, results)
    for n, value in enumerate(results):
        graph.result(str(n), value)
    return graph.model("run")


def one(optimizer: Any = None, loss: Loss = CROSS_ENTROPY, source: bytes | None = None) -> OneFile:
    """A training model in one file, by an optimizer and a loss that need not be right."""
    network = network_of(read(source or head(FEATURES)))
    return one_file(write(TrainingFile(network, loss, optimizer or SGD(0.1)).model()))


def result(n: int, made: Callable[[Expression], Expression]) -> Change:
    """Another result n, made of the right one."""

    def change(graph: Graph, results: list[Expression]) -> None:
        results[n] = made(results[n])

    return change


def examples(gradient: Expression) -> Expression:
    """How many examples train_head was given: the rows of its labels."""
    g = gradient.graph
    return count(g[g.inputs["1"]], [0])


def corner(gradient: Expression) -> Expression:
    """0.01 in the last row's first column, else 0."""
    value = np.zeros(gradient.shape, np.float32)
    value[-1, 0] = 0.01
    return gradient.graph.literal(value)


def kept(n: int, argument: int) -> Change:
    """Result n is an argument, as it came in."""

    def change(graph: Graph, results: list[Expression]) -> None:
        results[n] = graph[graph.inputs[str(argument)]]

    return change


def before_last(n: int) -> Change:
    """Result n without its last operator, an ADD: its first operand."""

    def change(graph: Graph, results: list[Expression]) -> None:
        writer = next(o for o in graph.operators if results[n].number in o.outputs)
        assert writer.opcode == "ADD"
        results[n] = graph[writer.inputs[0]]

    return change


def constant(value: float, new: float) -> Change:
    """Another number for a constant of the file."""

    def change(graph: Graph, _: list[Expression]) -> None:
        found = [
            i for i, t in enumerate(graph.tensors) if t.data is not None and np.array_equal(t.data, np.float32(value))
        ]
        assert len(found) == 1
        graph.tensors[found[0]] = replace(graph.tensors[found[0]], data=np.array(new, np.float32))

    return change


def squares(*names: str) -> bytes:
    """(B, 3) -> (B, 3), by one square matrix after another."""
    g, rng = Graph(), np.random.default_rng(0)
    y = g.argument("input", (-1, 3))
    for name in names:
        y = matmul(y, g.literal(rng.normal(size=(3, 3)).astype(np.float32)).named(name))
    g.result("y", y)
    return write(g.model("net"))


def even(source: bytes) -> OneFile:
    """A training model whose weights are drawn from 0 to 1."""
    network, rng = network_of(read(source)), np.random.default_rng(0)
    drawn = {n: replace(w, value=rng.random(w.value.shape, np.float32)) for n, w in network.weights.items()}
    return one_file(write(TrainingFile(replace(network, weights=drawn), CROSS_ENTROPY, SGD(0.1)).model()))


def forgetful(key: str) -> OneFile:
    """A training model whose save, or initialize, leaves the optimizer's slots out.

    ``CALL_ONCE``: initialize, and so does what initialises the file by itself.
    """
    model = one(KerasAdam()).model
    if key == "initialize":  # in a sub-graph of its own
        first = next(s for s in model.signatures if s.key == key)
        moved = tuple(replace(s, subgraph=len(model.subgraphs)) if s is first else s for s in model.signatures)
        model = replace(model, subgraphs=(*model.subgraphs, model.subgraphs[first.subgraph]), signatures=moved)
    key = "initialize" if key == "CALL_ONCE" else key
    signature = next(s for s in model.signatures if s.key == key)
    graph = model.subgraphs[signature.subgraph]
    handles = {o.outputs[0]: o.options["shared_name"] for o in graph.operators if o.opcode == "VAR_HANDLE"}
    left = {i for i, name in handles.items() if name[:2] in ("m_", "v_") or name == "step"}
    operators = tuple(o for o in graph.operators if o.opcode == "VAR_HANDLE" or left.isdisjoint(o.inputs))
    outputs = {n: i for n, i in signature.outputs.items() if any(i in o.outputs for o in operators)}
    cut = replace(graph, operators=operators, outputs=tuple(outputs.values()))
    subgraphs = tuple(cut if n == signature.subgraph else g for n, g in enumerate(model.subgraphs))
    signatures = tuple(replace(s, outputs=outputs) if s is signature else s for s in model.signatures)
    return one_file(write(replace(model, subgraphs=subgraphs, signatures=signatures)))
