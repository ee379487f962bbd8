"""The training model in one file: sub-graphs over shared variables, one a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tflite_transfer.converter.expressions import Graph, logistic, softmax
from tflite_transfer.converter.networks.network import Function, Network
from tflite_transfer.converter.networks.rewriting import pruned
from tflite_transfer.converter.training.losses import Loss
from tflite_transfer.converter.training.optimizers import Optimizer
from tflite_transfer.converter.training.step import differentiated, scores
from tflite_transfer.converter.training.variables import Storage, assign, constants
from tflite_transfer.reference.tflite.graph import Array, Model, Signature, Subgraph

RATE = "learning_rate"
SIGNATURES = ("infer", "train", "save", "restore", "initialize", "set_learning_rate")


@dataclass(frozen=True)
class TrainingFile:
    """A network, what it learns by, and the signatures over them. The first sub-graph, the default, infers."""

    network: Network
    loss: Loss
    optimizer: Optimizer

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what trains, by name."""
        return {name: self.network.weights[name].value.shape for name in self.network.trainable}

    def values(self) -> dict[str, Array]:
        """Every variable's first value: weights, slots, and the learning rate."""
        found = {name: w.value for name, w in self.network.weights.items()}
        found |= {name: np.zeros(shape, np.float32) for name, shape in self.optimizer.slots(self.parameters).items()}
        return found | {RATE: np.array(self.optimizer.learning_rate, np.float32)}

    def model(self, metadata: Mapping[str, bytes] | None = None, description: str = "") -> Model:
        """The whole file."""
        storage = Storage(self.values(), SIGNATURES.index("initialize"))
        graphs = {
            "infer": self._infer(storage), "train": self._train(storage), "save": _save(storage),
            "restore": _restore(storage), "initialize": _initialize(storage), "set_learning_rate": _set_rate(storage),
        }  # fmt: skip
        signatures = (
            Signature(key, dict(graphs[key].inputs), dict(graphs[key].outputs), number)
            for number, key in enumerate(SIGNATURES)
        )
        subgraphs = (_subgraph(graphs[key], key) for key in SIGNATURES)
        return Model(tuple(subgraphs), tuple(signatures), dict(metadata or {}), description)

    def _infer(self, storage: Storage) -> Graph:
        """``x -> output``, and ``logits`` where the loss takes them."""
        function = self.network.infer
        graph = function.graph.copy()
        logits, output = scores(graph, function.output, self.loss), graph[function.output]
        if self.loss.activation is not None:
            if logits.number == output.number:
                output = _ACTIVATIONS[self.loss.activation](logits)
            graph.result("logits", logits)
        storage.behind(graph, function.variables)
        graph.result("output", output)
        return graph

    def _train(self, storage: Storage) -> Graph:
        """``x, y -> loss``, and every variable moved by one step."""
        function, trainable = self.network.train, self.network.trainable
        made = differentiated(function, trainable, self.loss)
        graph = made.graph
        slots = self.optimizer.slots(self.parameters)
        state = {name: graph.argument(name, storage.values[name].shape) for name in (*slots, RATE)}
        weights = {name: graph[function.variables[name]] for name in trainable}
        with graph.scope("update"):
            new, moved = self.optimizer.step(weights, made.grads, {s: state[s] for s in slots}, state[RATE])
        variables = {**function.variables, **{name: e.number for name, e in state.items()}}
        updates = {**function.updates, **{name: e.number for name, e in {**new, **moved}.items()}}
        step = pruned(Function(graph, function.x, variables, made.loss.number, updates))
        handles = storage.behind(step.graph, step.variables)
        assign(step.graph, handles, {name: step.graph[i] for name, i in step.updates.items()})
        step.graph.output("loss", step.output)
        return step.graph


_ACTIVATIONS = {"SOFTMAX": softmax, "LOGISTIC": logistic}


def _save(storage: Storage) -> Graph:
    """``-> every variable by name``."""
    graph = Graph()
    handles = storage.opened(graph)
    for name, handle in handles.items():
        graph.result(name, storage.read(graph, handle, name))
    return graph


def _restore(storage: Storage) -> Graph:
    """``every variable by name ->``."""
    graph = Graph()
    handles = storage.opened(graph)
    given = {
        name: graph.argument(name, v.shape, graph.literal(v.dtype.type(0)).kind) for name, v in storage.values.items()
    }
    assign(graph, handles, given)
    return graph


def _initialize(storage: Storage) -> Graph:
    """``->``: every variable's first value, as at the first use."""
    graph = Graph()
    assign(graph, storage.handles(graph), dict(constants(graph, storage.values)))
    return graph


def _set_rate(storage: Storage) -> Graph:
    """``value ->``: the learning rate from now on."""
    graph = Graph()
    handles = storage.opened(graph)
    assign(graph, handles, {RATE: graph.argument("value", ())})
    return graph


def _subgraph(graph: Graph, name: str) -> Subgraph:
    return Subgraph(
        tuple(graph.tensors), tuple(graph.operators), tuple(graph.inputs.values()), tuple(graph.outputs.values()), name
    )
