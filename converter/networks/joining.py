"""One function behind another."""

from __future__ import annotations

from dataclasses import replace

from tflite_transfer.converter.networks.network import Function
from tflite_transfer.reference.tflite.graph import Operator


def joined(first: Function, second: Function) -> Function:
    """``second(first(x))``: its variables are those of both. Where they share names, the second one's stay."""
    graph = first.graph.copy()
    start = len(graph.tensors)
    graph.tensors += second.graph.tensors

    def moved(number: int) -> int:
        return number if number < 0 else first.output if number == second.x else start + number

    graph.operators += [_moved(o, moved) for o in second.graph.operators]
    graph.inputs = {"x": first.x} | {name: moved(i) for name, i in second.graph.inputs.items() if i != second.x}
    return replace(
        second,
        graph=graph,
        x=first.x,
        variables=dict(first.variables) | {name: moved(i) for name, i in second.variables.items()},
        output=moved(second.output),
        updates={name: moved(i) for name, i in second.updates.items()},
        penalty=None if second.penalty is None else moved(second.penalty),
    )


def _moved(operator: Operator, moved: object) -> Operator:
    assert callable(moved)
    inputs, outputs = (tuple(map(moved, side)) for side in (operator.inputs, operator.outputs))
    return replace(operator, inputs=inputs, outputs=outputs)
