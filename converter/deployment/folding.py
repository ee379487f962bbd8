"""Computing once what depends on no input."""

from __future__ import annotations

from dataclasses import replace

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.converter.networks.rewriting import pruned
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.graph import Array, Model, Operator, Subgraph

_KEPT = frozenset({"DEQUANTIZE", "DENSIFY", "FILL"})  # the file is smaller with them


def folded(function: Function) -> Function:
    """The function with constants in the place of operators that depend on constants alone."""
    graph = function.graph.copy()
    left = []
    for operator in graph.operators:
        known = all(i < 0 or graph.tensors[i].data is not None for i in operator.inputs)
        if not known or not operator.inputs or operator.name in _KEPT:
            left.append(operator)
            continue
        for number, value in zip(operator.outputs, _values(graph, operator), strict=True):
            graph.tensors[number] = replace(graph.tensors[number], data=value, shape=value.shape, signature=None)
    graph.operators = left
    return pruned(replace(function, graph=graph))


def _values(graph: Graph, operator: Operator) -> list[Array]:
    """An operator's results, of constants."""
    alone = Subgraph(tuple(graph.tensors), (operator,), (), operator.outputs)
    return Interpreter(Model((alone,)), jit=False).call()
