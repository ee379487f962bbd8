"""Training files with a fault in them: healthy ones with an operator more, another constant, another optimizer or loss.

Each says which fault must be named, where, and the number that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.cases import head_bundle
from tests.small_networks import head
from tflite_transfer.converter.expressions import (
    Expression,
    Graph,
    count,
    log,
    matmul,
    maximum,
    mean,
    minimum,
    reverse,
    softmax,
    sqrt,
    total,
    transpose,
    zeros_like,
)
from tflite_transfer.converter.networks.from_tflite import network_of
from tflite_transfer.converter.training.file import TrainingFile
from tflite_transfer.converter.training.losses import LOSSES, Loss
from tflite_transfer.converter.training.optimizers import SGD, Adam, KerasAdam, Optimizer, Tree
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.bundle import Bundle, bundle, load_bundle
from tflite_transfer.reference.tflite.graph import Model
from tflite_transfer.reference.tflite.one_file import OneFile, one_file
from tflite_transfer.reference.tflite.trainable import Trainable

CROSS_ENTROPY = LOSSES["categorical_crossentropy"]
GOLDEN = Path(__file__).parents[2] / "golden"
FEATURES, CLASSES = 6, 3
Change = Callable[[Graph, list[Expression]], None]


class Planted(NamedTuple):
    """A file, and what is to be found in it. ``number`` None: whatever it is."""

    id: str
    model: Callable[[], Trainable]
    name: str
    where: str
    number: float | None = None
    besides: tuple[str, ...] = ()  # what else is wrong with it


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


@dataclass(frozen=True)
class Faulty:
    """An optimizer with its gradients changed before a step, or its new weights and slots after it."""

    base: Optimizer
    before: Callable[[dict[str, Expression]], Tree] = dict
    after: Callable[[Tree, Tree], Tree] = lambda _, new: new
    type = "faulty"

    @property
    def learning_rate(self) -> float:
        return self.base.learning_rate

    def slots(self, parameters: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        return self.base.slots(parameters)

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        new, state = self.base.step(weights, self.before(dict(grads)), slots, rate)
        changed = self.after({**weights, **slots}, {**new, **state})
        return {p: changed[p] for p in weights}, {s: changed[s] for s in slots}


@dataclass(frozen=True)
class LateAdam(KerasAdam):
    """Adam that counts as it should, and corrects for a step that is ``late`` ones later."""

    late: float = 0.0

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        new, state = super().step(weights, grads, {**slots, "step": slots["step"] + self.late}, rate)
        return new, {**state, "step": slots["step"] + 1.0}


@dataclass(frozen=True)
class UncorrectedAdam(KerasAdam):
    """Adam that counts, and takes the means as they are."""

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        _, state = super().step(weights, grads, slots, rate)
        new = {p: w - state[f"m_{p}"] * rate / (sqrt(state[f"v_{p}"]) + 1e-7) for p, w in weights.items()}
        return new, state


def scaled(name: str, factor: float) -> Callable[[dict[str, Expression]], Tree]:
    """One gradient so many times as large."""
    return lambda grads: {**grads, name: grads[name] * factor}


def stays(*names: str) -> Callable[[Tree, Tree], Tree]:
    """Slots, or weights, that are written back as they were."""
    return lambda old, new: {**new, **{n: old[n] for n in new if any(fnmatch(n, pattern) for pattern in names)}}


def swapped(z: Expression, y: Expression) -> tuple[Expression, Expression]:
    """Keras' cross-entropy with the prediction as labels: ``mean -Σ p log y``, y kept from 0 and 1 by 1e-7."""
    p = softmax(z)
    log_y = log(minimum(maximum(y, 1e-7), 1 - 1e-7))
    each = -total(p * log_y, [-1])
    inner = total(p * log_y, [-1], keep=True)
    return mean(each, [0]), -(p * (log_y - inner)) / count(y, [0])


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


WS, BS = 1, 2  # train_head's results; the loss is result 0
ADAM, RATE = Adam(0.01), SGD(0.1)
PLANTED = [
    # upstream's: the head has another training batch than the converter
    Planted("1/B of 10", partial(golden, "upstream_sgd", "train_head", constant(0.2, 0.1)), "wrong batch", "ws", 0.5),
    Planted(
        "1/B of 10, L2", partial(golden, "upstream_sgd_l2", "train_head", constant(0.2, 0.1)), "wrong batch", "ws", 0.5
    ),
    Planted(
        "baked 20", partial(five, "train_head", result(WS, lambda g: g * examples(g) / 20.0)), "wrong batch", "ws", 0.15
    ),
    Planted("sum", partial(five, "train_head", result(BS, lambda g: g * examples(g))), "wrong batch", "bs", 3),
    Planted("factor", partial(five, "train_head", result(WS, lambda g: g * 2.0)), "gradient scaled", "ws", 2),
    Planted("sign", partial(five, "train_head", result(BS, lambda g: -g)), "gradient sign", "bs", -1),
    Planted("zero", partial(five, "train_head", result(WS, zeros_like)), "no gradient", "ws"),
    Planted("NaN", partial(five, "train_head", result(WS, lambda g: g / zeros_like(g))), "gradient not finite", "ws"),
    Planted(
        "no L2",
        partial(golden, "upstream_sgd_l2", "train_head", before_last(WS)),
        "L2 not in the gradient",
        "ws",
        -0.02,
    ),
    Planted(
        "half of L2",
        partial(golden, "upstream_sgd_l2", "train_head", constant(0.02, 0.01)),
        "L2 not in the gradient",
        "ws",
        -0.01,
    ),
    Planted(
        "L2 not in loss",
        partial(golden, "upstream_sgd_l2", "train_head", before_last(0)),
        "L2 not in the loss",
        "ws",
        0.02,
    ),
    Planted(
        "classes reversed", partial(five, "train_head", result(BS, lambda g: reverse(g, [0]))), "wrong gradient", "bs"
    ),
    Planted("one element", partial(five, "train_head", result(WS, lambda g: g + corner(g))), "wrong gradient", "ws"),
    Planted(
        "m stays", partial(golden, "upstream_adam", "optimizer", kept(2, 4)), "optimizer state does not move", "m_ws", 0
    ),
    Planted("v stays", partial(five, "optimizer", kept(5, 7), ADAM), "optimizer state does not move", "v_bs", 0),
    Planted(
        "step stays", partial(golden, "upstream_adam", "optimizer", kept(6, 8)), "step counter stands still", "step", 0
    ),
    Planted("step by 2", partial(five, "optimizer", result(6, lambda t: t + 1.0), ADAM), "step counter", "step", 2),
    Planted("bias stays", partial(five, "optimizer", kept(1, 1)), "parameter does not move", "bs", 0),
    Planted(
        "climbs",
        partial(one, Faulty(RATE, after=lambda old, new: {n: 2.0 * old[n] - w for n, w in new.items()})),
        "update climbs",
        "last/bias",
        1,
    ),
    Planted("1 step late", partial(one, LateAdam(late=1.0)), "step counter off by one", "hidden/weights", 1),
    Planted("1 step early", partial(one, LateAdam(late=-1.0)), "step counter off by one", "hidden/weights", -1),
    Planted("uncorrected", partial(one, UncorrectedAdam()), "no bias correction", "hidden/weights"),
    Planted(
        "all moments stay",
        partial(one, Faulty(KerasAdam(), after=stays("[mv]_*"))),
        "optimizer state does not move",
        "m_last/bias",
        0,
    ),
    Planted(
        "velocity stays",
        partial(one, Faulty(SGD(0.1, 0.9), after=stays("velocity_last/weights"))),
        "optimizer state does not move",
        "velocity_last/weights",
        0,
    ),
    Planted(
        "counter stays", partial(one, Faulty(KerasAdam(), after=stays("step"))), "step counter stands still", "step", 0
    ),
    Planted(
        "scaled inside",
        partial(one, Faulty(KerasAdam(), scaled("last/weights", 0.5))),
        "gradient scaled",
        "last/weights",
        0.5,
    ),
    Planted("sign inside", partial(one, Faulty(RATE, scaled("hidden/bias", -1.0))), "gradient sign", "hidden/bias", -1),
    Planted("swapped", partial(one, RATE, Loss(swapped, "SOFTMAX")), "swapped loss arguments", "loss", -np.log(1e-7)),
    Planted(
        "another's",
        partial(one, Faulty(RATE, lambda g: {**g, "a": g["b"], "b": g["a"]}), CROSS_ENTROPY, squares("a", "b")),
        "gradient of another",
        "a",
    ),
    Planted(
        "transposed",
        partial(one, Faulty(RATE, lambda g: {**g, "a": transpose(g["a"], (1, 0))}), CROSS_ENTROPY, squares("a")),
        "gradient transposed",
        "a",
    ),
    Planted("not saved", partial(forgetful, "save"), "optimizer state is not saved", "save", 9),
    Planted("not reset", partial(forgetful, "initialize"), "optimizer state is not reset", "initialize", 9),
    Planted(
        "not initialised",
        partial(forgetful, "CALL_ONCE"),
        "variable without a value",
        "m_hidden/bias",
        9,
        ("optimizer state is not reset",),
    ),
    Planted("even", partial(even, head(64, hidden=16)), "weights drawn from 0 to 1", "hidden/weights"),
]
