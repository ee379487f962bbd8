"""One function behind another."""

from __future__ import annotations

from dataclasses import replace

from tflite_transfer.converter.networks.network import Function


def joined(first: Function, second: Function) -> Function:
    """``second(first(x))``: its variables are those of both. Where they share names, the second one's stay."""
    graph = first.graph.copy()
    moved = graph.splice(second.graph.tensors, second.graph.operators, {second.x: first.output})
    graph.inputs = {"x": first.x} | {name: moved[i] for name, i in second.graph.inputs.items() if i != second.x}
    return replace(
        second,
        graph=graph,
        x=first.x,
        variables=dict(first.variables) | {name: moved[i] for name, i in second.variables.items()},
        output=moved[second.output],
        updates={name: moved[i] for name, i in second.updates.items()},
        penalty=None if second.penalty is None else moved[second.penalty],
    )
