"""Cutting and pruning a model that was read: whatever stays is carried over as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tflite_transfer.reference.tflite.graph import Operator, Subgraph


def prune(graph: Subgraph, outputs: Sequence[int]) -> tuple[Subgraph, Mapping[int, int]]:
    """The part of a graph that ``outputs`` need, and the new number of each tensor that stays.

    All inputs stay. An operator that writes nothing which is needed goes, with the tensors that only it used.
    """
    needed = set(outputs)
    operators = []
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs, operator.outputs, operator.extra.get("intermediates", ()))
            operators.append(operator)
    stay = sorted({*needed, *graph.inputs} - {-1})
    number = {old: new for new, old in enumerate(stay)} | {-1: -1}
    kept = tuple(renumbered(o, number) for o in reversed(operators))
    pruned = replace(
        graph,
        tensors=tuple(graph.tensors[i] for i in stay),
        operators=kept,
        inputs=tuple(number[i] for i in graph.inputs),
        outputs=tuple(number[i] for i in outputs),
    )
    return pruned, number


def rename(graph: Subgraph, names: Mapping[int, str]) -> Subgraph:
    """The graph with other names for some tensors; whatever had such a name before gets a stroke behind it."""
    taken = set(names.values())
    tensors = [
        replace(t, name=names[i]) if i in names else replace(t, name=t.name + "'") if t.name in taken else t
        for i, t in enumerate(graph.tensors)
    ]
    return replace(graph, tensors=tuple(tensors))


def renumbered(operator: Operator, number: Mapping[int, int]) -> Operator:
    """The operator on the same tensors, under their new numbers; -1 must stand for itself."""
    extra = dict(operator.extra)
    if "intermediates" in extra:
        extra["intermediates"] = [number[int(i)] for i in extra["intermediates"]]
    inputs, outputs = (tuple(number[i] for i in side) for side in (operator.inputs, operator.outputs))
    return replace(operator, inputs=inputs, outputs=outputs, extra=extra)
