"""A file's training step in float64: of five files or of one, as functions of the values that training moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.gradients.wiring import Wiring
from tflite_transfer.diagnostics.training import Batch
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Model, Signature, Tensor
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.splice import prune
from tflite_transfer.reference.tflite.trainable import Trainable


class Stepped(NamedTuple):
    """The loss and the gradients before a step, and all values after it."""

    loss: float
    gradients: Tree
    after: Tree


class TrainingStep(Protocol):
    """What a file does in one step. ``parameters`` have a gradient; ``state`` is what their update needs besides."""

    @property
    def source(self) -> str:
        """The file's name."""
        ...

    @property
    def knows_rate(self) -> bool:
        """Are the gradients found in front of the learning rate? If not, they are so many times too large."""
        ...

    @property
    def parameters(self) -> tuple[str, ...]:
        """In the file's order."""
        ...

    @property
    def unknown(self) -> tuple[str, ...]:
        """Those that learn without a gradient that could be looked at."""
        ...

    @property
    def state(self) -> tuple[str, ...]:
        """In the file's order."""
        ...

    @property
    def arguments(self) -> tuple[Tensor, Tensor]:
        """Those of x and y."""
        ...

    def first(self) -> dict[str, Array]:
        """Every value as the file has it at first."""
        ...

    def loss(self, values: Tree, batch: Batch) -> float:
        """The loss alone."""
        ...

    def step(self, values: Tree, batch: Batch) -> Stepped:
        """A whole step from these values."""
        ...


def _oracle(model: Model) -> Interpreter:
    return Interpreter(model, precision="float64")


def _wide(values: Tree) -> dict[str, Array]:
    return {n: np.asarray(v, np.float64) if v.dtype.kind == "f" else v for n, v in values.items()}


@dataclass(frozen=True)
class FiveFiles:
    """train_head and optimizer."""

    bundle: Bundle

    @property
    def source(self) -> str:
        return "train_head.tflite"

    @property
    def knows_rate(self) -> bool:
        return True

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.bundle.parameters)

    @property
    def unknown(self) -> tuple[str, ...]:
        return ()

    @property
    def state(self) -> tuple[str, ...]:
        return tuple(self.bundle.slots)

    @property
    def arguments(self) -> tuple[Tensor, Tensor]:
        graph = self.bundle.models["train_head"].main
        return graph.tensors[graph.inputs[0]], graph.tensors[graph.inputs[1]]

    def first(self) -> dict[str, Array]:
        values = Interpreter(self.bundle.models["initialize"]).call(np.float32(0))
        slots = {name: np.zeros(shape) for name, shape in self.bundle.slots.items()}
        return _wide({**dict(zip(self.parameters, values, strict=True)), **slots})

    def loss(self, values: Tree, batch: Batch) -> float:
        return float(self._loss.call(*batch, *(values[p] for p in self.parameters))[0])

    def step(self, values: Tree, batch: Batch) -> Stepped:
        params = [values[p] for p in self.parameters]
        loss, *grads = self._train_head.call(*batch, *params)
        after = self._optimizer.call(*params, *grads, *(values[s] for s in self.state))
        names = (*self.parameters, *self.state)
        return Stepped(
            float(loss), dict(zip(self.parameters, grads, strict=True)), dict(zip(names, after, strict=True))
        )

    @cached_property
    def _loss(self) -> Interpreter:
        model = self.bundle.models["train_head"]
        graph, _ = prune(model.main, model.main.outputs[:1])
        return _oracle(replace(model, subgraphs=(graph,), signatures=()))

    @cached_property
    def _train_head(self) -> Interpreter:
        return _oracle(self.bundle.models["train_head"])

    @cached_property
    def _optimizer(self) -> Interpreter:
        return _oracle(self.bundle.models["optimizer"])


@dataclass(frozen=True)
class TrainSignature:
    """The train signature of a training model in one file, which its variables' values are put into."""

    file: OneFile

    @property
    def source(self) -> str:
        return self.file.model.source

    @property
    def knows_rate(self) -> bool:
        """Is it a variable: a number that does not begin at 0, as a count of steps does?"""
        first = self.first()
        return any(not np.shape(first[n]) and first[n] != 0 for n in self.state if n in first)

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.wiring.gradients)

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(n for n in self.wiring.learning if n not in self.wiring.gradients)

    @property
    def state(self) -> tuple[str, ...]:
        """The optimizer variables that the parameters' new values depend on; a learning rate is one."""
        wiring = self.wiring
        used = wiring.variables(*(wiring.assigned[p] for p in self.parameters)) & wiring.optimizer
        return tuple(n for n in dict.fromkeys(wiring.handles.values()) if n in used)

    @property
    def arguments(self) -> tuple[Tensor, Tensor]:
        signature, roles = self.file.signature("train"), self.file.roles
        tensors, inputs = self.wiring.graph.tensors, signature.inputs
        return tensors[inputs[roles.train.argument]], tensors[inputs[roles.labels]]

    @cached_property
    def wiring(self) -> Wiring:
        """Of the train signature's graph."""
        signature, roles = self.file.signature("train"), self.file.roles
        graph = self.file.model.subgraphs[signature.subgraph]
        return Wiring(graph, signature.inputs[roles.labels], signature.outputs[roles.train.result])

    def first(self) -> dict[str, Array]:
        return {**self.unset, **self._oracle.variables}

    @cached_property
    def unset(self) -> Mapping[str, Array]:
        """Zeros for the variables that training reads, and nothing in the file gives a first value."""
        graph, there = self.wiring.graph, self._oracle.variables
        read = ((o.inputs[0], o.outputs[0]) for o in graph.operators if o.opcode == "READ_VARIABLE")
        values = ((self.wiring.handles.get(h, ""), self._oracle.model.subgraphs[-1].tensors[t]) for h, t in read)
        return {name: np.zeros(t.shape, t.dtype) for name, t in values if name not in there}

    def loss(self, values: Tree, batch: Batch) -> float:
        return float(self._run("loss", values, batch)["loss"])

    def step(self, values: Tree, batch: Batch) -> Stepped:
        found = self._run("step", values, batch)
        gradients = {p: found[f"gradient/{p}"] for p in self.parameters}
        return Stepped(float(found["loss"]), gradients, dict(self._oracle.variables))

    def _run(self, key: str, values: Tree, batch: Batch) -> dict[str, Array]:
        roles, it = self.file.roles, self._oracle
        it.forget()  # random streams begin anew: the same masks each time
        it.variables.update(values)
        return it.run(key, **{roles.train.argument: batch.x, roles.labels: batch.y})

    @cached_property
    def _oracle(self) -> Interpreter:
        """The file with two signatures more: the loss alone, and the step with its gradients as results."""
        model, wiring, train = self.file.model, self.wiring, self.file.signature("train")
        if not wiring.gradients:
            raise ModelError(f"{model.source} has no variable that train moves along a gradient of its loss.")
        alone, number = prune(wiring.graph, [wiring.loss])
        results = {"loss": wiring.loss} | {f"gradient/{p}": i for p, i in wiring.gradients.items()}
        whole = replace(wiring.graph, outputs=tuple(dict.fromkeys([*wiring.graph.outputs, *results.values()])))
        count = len(model.subgraphs)
        inputs = {n: number[i] for n, i in train.inputs.items()}
        signatures = (
            Signature("loss", inputs, {"loss": alone.outputs[0]}, count),
            Signature("step", train.inputs, results, count + 1),
        )
        return _oracle(replace(model, subgraphs=(*model.subgraphs, alone, whole), signatures=signatures))


def training_step(model: Trainable) -> TrainingStep:
    """The step of either kind of file."""
    if isinstance(model, Bundle):
        return FiveFiles(model)
    assert isinstance(model, OneFile)  # there are no others
    return TrainSignature(model)
