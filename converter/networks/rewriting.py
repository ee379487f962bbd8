"""Copying a function operator by operator, some of them replaced by others that do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tflite_transfer.converter.expressions import Expression, Graph
from tflite_transfer.converter.gradients.rule import Call
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.reference.tflite.graph import Operator, Subgraph
from tflite_transfer.reference.tflite.splice import prune

# What stands for an operator's first result; None if it stays. The call's results tell shapes; nothing writes them yet.
Replacement = Callable[[Call], Expression | None]


def rewritten(function: Function, rules: Mapping[str, Replacement]) -> Function:
    """The function with replacements by operator name, and without what nothing needs any more."""
    copy = _Copy(function.graph, rules)
    return pruned(copy.renumbered(function, copy.graph))


def pruned(function: Function) -> Function:
    """The function without operators whose results nothing needs, and their tensors."""
    graph = function.graph
    results = {function.output, *function.updates.values()} | ({function.penalty} - {None})
    whole = Subgraph(tuple(graph.tensors), tuple(graph.operators), tuple(graph.inputs.values()), ())
    kept, number = prune(whole, sorted(i for i in results if i is not None))
    new = Graph(kept, batch=graph.batch)
    new.inputs = {name: number[i] for name, i in graph.inputs.items()}
    return _renumbered(function, new, number.__getitem__)


class _Copy:
    """A graph that is being copied: ``place`` is where each tensor has come to."""

    def __init__(self, old: Graph, rules: Mapping[str, Replacement]) -> None:
        self.old, self.graph = old, Graph(batch=old.batch)
        self.place: dict[int, int] = {-1: -1}
        self.graph.inputs = {name: self.moved(i) for name, i in old.inputs.items()}
        for operator in old.operators:
            self._copy(operator, rules.get(operator.name))

    def moved(self, number: int) -> int:
        if number not in self.place:
            self.graph.tensors.append(self.old.tensors[number])
            self.place[number] = len(self.graph.tensors) - 1
        return self.place[number]

    def _copy(self, operator: Operator, rule: Replacement | None) -> None:
        inputs, outputs = (tuple(map(self.moved, side)) for side in (operator.inputs, operator.outputs))
        new, known = replace(operator, inputs=inputs, outputs=outputs), len(self.graph.tensors)
        found = rule(Call(self.graph, new)) if rule is not None else None
        if found is None:
            self.graph.operators.append(new)
            return
        if found.number >= known:  # it was written for this, and takes the name
            self.graph.rename(found.number, self.old.tensors[operator.outputs[0]].name)
        self.place[operator.outputs[0]] = found.number

    def renumbered(self, function: Function, graph: Graph) -> Function:
        return _renumbered(function, graph, self.moved)


def _renumbered(function: Function, graph: Graph, new: Callable[[int], int]) -> Function:
    return replace(
        function,
        graph=graph,
        x=new(function.x),
        variables={name: new(i) for name, i in function.variables.items()},
        output=new(function.output),
        updates={name: new(i) for name, i in function.updates.items()},
        penalty=None if function.penalty is None else new(function.penalty),
    )
