"""The step of a training model in one file, whose variables the values are put into."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.gradients.steps import Stepped, oracle
from tflite_transfer.diagnostics.gradients.wiring import Wiring, wiring_of
from tflite_transfer.diagnostics.ours import tensors_of
from tflite_transfer.diagnostics.training import Batch
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Signature, Subgraph, Tensor
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.splice import prune
from tflite_transfer.reference.tflite.verify import called_subgraphs


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
    def written(self) -> tuple[str, ...]:
        return tuple(n for n in self.state if n in self.wiring.assigned)

    @property
    def arguments(self) -> tuple[Tensor, Tensor]:
        signature, roles = self.file.signature("train"), self.file.roles
        tensors, inputs = self.wiring.graph.tensors, signature.inputs
        return tensors[inputs[roles.train.argument]], tensors[inputs[roles.labels]]

    @cached_property
    def wiring(self) -> Wiring:
        """Of the train signature's graph."""
        return wiring_of(self.file)

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

    def candidates(self, parameter: str, values: Tree, batch: Batch) -> dict[int, Array]:
        """By a trace of the step."""
        shape, wanted = values[parameter].shape, tuple(self.wiring.candidates(parameter))
        number = self._oracle.signatures["step"].subgraph
        trace = self._oracle.trace("step", **self._given(values, batch))
        found = tensors_of(trace, number, self._oracle.plans[number])
        return {i: found[i].reshape(shape) for i in wanted if i in found and found[i].size == math.prod(shape)}

    def _run(self, key: str, values: Tree, batch: Batch) -> dict[str, Array]:
        return self._oracle.run(key, **self._given(values, batch))

    def _given(self, values: Tree, batch: Batch) -> dict[str, Array]:
        """The arguments, with the variables set, and with random streams that begin anew: the same masks each time."""
        roles = self.file.roles
        self._oracle.forget()
        self._oracle.variables.update(values)
        return {roles.train.argument: batch.x, roles.labels: batch.y}

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
        graphs = _only((*model.subgraphs, alone, whole), [count, count + 1])
        return oracle(replace(model, subgraphs=graphs, signatures=signatures))


def _only(graphs: Sequence[Subgraph], wanted: Sequence[int]) -> tuple[Subgraph, ...]:
    """The sub-graphs that the wanted ones run, with the others empty: a base of stored integers has no float64."""
    kept, left = set[int](), list(wanted)
    while left:
        number = left.pop()
        if number not in kept:
            kept.add(number)
            left.extend(called for o in graphs[number].operators for called in called_subgraphs(o))
    return tuple(g if n in kept else Subgraph((), (), (), (), g.name) for n, g in enumerate(graphs))
