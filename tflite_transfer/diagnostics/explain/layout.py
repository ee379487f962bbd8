"""How a file lays a training step out: its loss, its gradients and its update, in five files or in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.gradients.wiring import Wiring
from tflite_transfer.diagnostics.sides import Source
from tflite_transfer.reference.memory import handles_of
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.graph import Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile


@dataclass(frozen=True, eq=False)
class Part:
    """A sub-graph in which each value of a variable is one tensor, however often it is read.

    ``same``: what such a tensor is called instead of each that the file has.
    """

    source: Source
    graph: Subgraph
    same: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where a step stands, by tensors. Parameters, gradients and slots are by the parameters' and slots' names.

    ``weights`` and ``gradients`` are tensors of ``step``: of each parameter that learns. ``before``, ``given`` and
    ``after`` are tensors of ``update``: parameters and slots, the gradients, and what parameters and slots become.
    """

    step: Part
    update: Part
    x: int
    y: int
    loss: int
    weights: Mapping[str, int]
    gradients: Mapping[str, int]
    before: Mapping[str, int]
    given: Mapping[str, int]
    after: Mapping[str, int]

    @cached_property
    def wiring(self) -> Wiring:
        """Of the step."""
        return Wiring(self.step.graph, self.y, self.loss)

    @cached_property
    def moved(self) -> set[str]:
        """The parameters that a step moves and the loss depends on: no counts, and no states of random streams."""
        float32 = (n for n, t in self.before.items() if self.update.graph.tensors[t].dtype.kind == "f")
        used = self.wiring.variables(self.loss) if self.step is self.update else set(self.weights)
        return set(self.weights) | {n for n in float32 if n in used and n in self.after}

    @cached_property
    def wiring_of_update(self) -> Wiring:
        """The same of the update."""
        return self.wiring if self.step is self.update else Wiring(self.update.graph, self.y, self.loss)


def layout_of(model: OneFile | Bundle, slots: Tree) -> Layout:
    """``slots`` hold a learning rate that is a variable, and a constant during one step."""
    return _of_one_file(model, slots) if isinstance(model, OneFile) else _of_bundle(model)


def _of_bundle(model: Bundle) -> Layout:
    """Parameters and slots are arguments and results, by their places in train_head and optimizer."""
    step, update = (_part(Source(model.contents[r], model.models[r])) for r in ("train_head", "optimizer"))
    names, n, given = tuple(model.parameters), len(model.parameters), update.graph.inputs
    state = (*names, *model.slots)
    return Layout(
        step, update, step.graph.inputs[0], step.graph.inputs[1], step.graph.outputs[0],
        dict(zip(names, step.graph.inputs[2:], strict=True)), dict(zip(names, step.graph.outputs[1:], strict=True)),
        dict(zip(state, (*given[:n], *given[2 * n :]), strict=True)),
        dict(zip(names, given[n : 2 * n], strict=True)), dict(zip(state, update.graph.outputs, strict=True)),
    )  # fmt: skip


def _of_one_file(model: OneFile, slots: Tree) -> Layout:
    """Parameters are variables: what is read of them, and what is assigned to them, are the places."""
    train = model.signature(model.roles.train.key)
    x, y = train.inputs[model.roles.train.argument], train.inputs[model.roles.labels]
    part = _part(Source(model.content, model.model, train.key), model.model.subgraphs[train.subgraph])
    loss = part.same.get(i := train.outputs[model.roles.train.result], i)
    wiring = Wiring(part.graph, y, loss)
    before = {name: part.same[i] for i, name in _reads(part.graph, wiring.handles)}
    after = {name: part.same.get(i, i) for name, i in wiring.assigned.items()}
    rates = {i: slots[name] for name, i in before.items() if name not in after and name in slots}
    part = replace(part, graph=_with_constants(part.graph, rates))
    weights = {name: before[name] for name in wiring.learning if name in before}
    return Layout(part, part, x, y, loss, weights, wiring.gradients, before, wiring.gradients, after)


def _reads(graph: Subgraph, handles: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """The first value of each variable, where it is read before it is assigned."""
    assigned = set[str]()
    for o in graph.operators:
        name = handles.get(o.inputs[0]) if o.inputs else None
        if o.opcode == "ASSIGN_VARIABLE" and name is not None:
            assigned.add(name)
        elif o.opcode == "READ_VARIABLE" and name is not None and name not in assigned:
            yield o.outputs[0], name


def _part(source: Source, graph: Subgraph | None = None) -> Part:
    graph = graph or source.model.main
    handles, now, same = handles_of(graph), dict[str, int](), dict[int, int]()
    operators = []
    for o in graph.operators:
        inputs = tuple(same.get(i, i) for i in o.inputs)
        name = handles.get(o.inputs[0]) if o.inputs else None
        if o.opcode == "ASSIGN_VARIABLE" and name is not None:
            now[name] = inputs[1]
        elif o.opcode == "READ_VARIABLE" and name is not None:
            same[o.outputs[0]] = now.setdefault(name, o.outputs[0])
        operators.append(replace(o, inputs=inputs))
    return Part(source, replace(graph, operators=tuple(operators)), same)


def _with_constants(graph: Subgraph, values: Mapping[int, Array]) -> Subgraph:
    tensors = [replace(t, data=np.asarray(values[i])) if i in values else t for i, t in enumerate(graph.tensors)]
    return replace(graph, tensors=tuple(tensors))
