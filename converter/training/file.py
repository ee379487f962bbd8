"""The training model in one file: sub-graphs over shared variables, one a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tflite_transfer.converter.expressions import Expression, Graph, logistic, softmax
from tflite_transfer.converter.networks.joining import joined
from tflite_transfer.converter.networks.network import Function, Network
from tflite_transfer.converter.networks.rewriting import pruned
from tflite_transfer.converter.networks.selection import distinct
from tflite_transfer.converter.training import checkpoints
from tflite_transfer.converter.training.losses import Loss
from tflite_transfer.converter.training.optimizers import Optimizer
from tflite_transfer.converter.training.sharing import keep_shared
from tflite_transfer.converter.training.step import differentiated, scores
from tflite_transfer.converter.training.variables import Storage, assign, constants
from tflite_transfer.reference.tflite.builder import TYPES
from tflite_transfer.reference.tflite.graph import Array, Model, Signature, Subgraph
from tflite_transfer.reference.tflite.verify import verify

RATE = "learning_rate"
_ACTIVATIONS = {"SOFTMAX": softmax, "LOGISTIC": logistic}


@dataclass(frozen=True)
class TrainingFile:
    """A network, what it learns by, and the signatures over them. The first sub-graph, the default, infers.

    Parameters
    ----------
    base : a frozen function in front of the network, from a feature to a bottleneck, that has signatures of its own
    checkpoints : ``save`` and ``restore`` take the path of a TensorFlow checkpoint, by kernels of TensorFlow's; what
        otherwise has these names is called ``variables`` and ``assign``
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    base: Function | None = None
    checkpoints: bool = False

    def model(self) -> Model:
        """The whole file, verified: what could not be opened is not written."""
        graphs = self._graphs()
        for graph in graphs.values():
            keep_shared(graph)
        signatures = (
            Signature(key, dict(g.inputs), dict(g.outputs), number) for number, (key, g) in enumerate(graphs.items())
        )
        model = Model(tuple(_subgraph(g, key) for key, g in graphs.items()), tuple(signatures))
        verify(model)
        return model

    @property
    def _keys(self) -> tuple[str, ...]:
        """The signatures in the file's order."""
        state = ("variables", "assign") if self.checkpoints else ("save", "restore")
        extra = ("load", "classify") if self.base is not None else ()
        return ("infer", "train", *state, "initialize", "set_learning_rate", *extra)

    def _graphs(self) -> dict[str, Graph]:
        infer, train, read, restore, initialize, rate = self._keys[:6]
        graphs = {
            infer: self._infer(), train: self._train(), read: self._save(), restore: self._restore(),
            initialize: self._initialize(), rate: self._set_rate(),
        }  # fmt: skip
        if self.base is not None:
            load = self.base.graph.copy()
            load.inputs, load.outputs = {"feature": self.base.x}, {"bottleneck": self.base.output}
            graphs |= {"load": load, "classify": self._inferring(self.network.infer, "bottleneck")}
        if self.checkpoints:
            graphs |= checkpoints.signatures(self._storage)
        return graphs

    @property
    def _parameters(self) -> dict[str, tuple[int, ...]]:
        return {name: self.network.weights[name].value.shape for name in self.network.trainable}

    @cached_property
    def _slots(self) -> dict[str, str]:
        """The optimizer's slots, and what they are called in the file: ``v_proj/kernel`` may be a weight's name too."""
        slots, weights = list(self.optimizer.slots(self._parameters)), list(self.network.weights)
        return dict(zip(slots, distinct(slots, [*weights, RATE]), strict=True))

    @cached_property
    def _storage(self) -> Storage:
        """Every variable's first value: weights, slots, and the learning rate."""
        shapes = self.optimizer.slots(self._parameters)
        found = {name: w.value for name, w in self.network.weights.items()}
        found |= {name: np.zeros(shapes[slot], np.float32) for slot, name in self._slots.items()}
        found[RATE] = np.array(self.optimizer.learning_rate, np.float32)
        return Storage(found, self._keys.index("initialize"))

    def _infer(self) -> Graph:
        """``x -> output``, and ``logits`` where the loss takes them; with a base ``feature -> ...``."""
        if self.base is None:
            return self._inferring(self.network.infer, "x")
        return self._inferring(joined(self.base, self.network.infer), "feature")

    def _inferring(self, function: Function, argument: str) -> Graph:
        graph = function.graph.copy()
        logits, output = scores(graph, function.output, self.loss), graph[function.output]
        if self.loss.activation is not None:
            if logits.number == output.number:
                output = _ACTIVATIONS[self.loss.activation](logits)
            graph.result("logits", logits.named("logits"))
        self._storage.behind(graph, function.variables)
        graph.result("output", output.named("output"))
        graph.inputs = {argument: function.x}
        graph.rename(function.x, argument)
        return graph

    def _train(self) -> Graph:
        """``x, y -> loss``, and every variable moved by one step; with a base ``bottleneck, label -> loss``."""
        function, trainable, values = self.network.train, self.network.trainable, self._storage.values
        made = differentiated(function, trainable, self.loss)
        graph, slots = made.graph, self._slots
        state = {name: graph.argument(name, values[name].shape) for name in (*slots.values(), RATE)}
        weights = {name: graph[function.variables[name]] for name in trainable}
        with graph.scope("update"):
            before = {slot: state[name] for slot, name in slots.items()}
            new, moved = self.optimizer.step(weights, made.grads, before, state[RATE])
        variables = {**function.variables, **{name: e.number for name, e in state.items()}}
        moved = {slots[slot]: e for slot, e in moved.items()}
        updates = {**function.updates, **{name: e.number for name, e in {**new, **moved}.items()}}
        step = pruned(Function(graph, function.x, variables, made.loss.number, updates))
        handles = self._storage.behind(step.graph, step.variables)
        assign(step.graph, handles, {name: step.graph[i] for name, i in step.updates.items()})
        step.graph.output("loss", step.output)
        x, y = ("x", "y") if self.base is None else ("bottleneck", "label")
        step.graph.inputs = {x: step.x, y: step.graph.inputs["y"]}
        return step.graph

    def _save(self) -> Graph:
        """``-> every variable by name``."""
        graph = Graph()
        for name, handle in self._storage.opened(graph).items():
            graph.result(name, self._storage.read(graph, handle, name))
        return graph

    def _restore(self) -> Graph:
        """``every variable by name ->``."""
        graph = Graph()
        handles = self._storage.opened(graph)
        assign(graph, handles, _arguments(graph, self._storage.values))
        return graph

    def _initialize(self) -> Graph:
        """``->``: every variable's first value, as at the first use."""
        graph = Graph()
        assign(graph, self._storage.handles(graph), dict(constants(graph, self._storage.values)))
        return graph

    def _set_rate(self) -> Graph:
        """``value ->``: the learning rate from now on."""
        graph = Graph()
        handles = self._storage.opened(graph)
        assign(graph, handles, {RATE: graph.argument("value", ())})
        return graph


def _arguments(graph: Graph, values: Mapping[str, Array]) -> dict[str, Expression]:
    return {name: graph.argument(name, v.shape, TYPES[v.dtype]) for name, v in values.items()}


def _subgraph(graph: Graph, name: str) -> Subgraph:
    return Subgraph(
        tuple(graph.tensors), tuple(graph.operators), tuple(graph.inputs.values()), tuple(graph.outputs.values()), name
    )
