"""Reverse mode: the gradient of a graph, written as operators behind it.

For y = f(x) in the graph and a cotangent dy, the gradient of the loss for y, a rule writes that for x: the transposed
Jacobian of f, times dy. Going through the operators from the last to the first, each tensor's cotangents are summed up
before its own operator's turn. Griewank and Walther, Evaluating Derivatives (2008), chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import reduce

from tflite_transfer.converter.expressions import Expression, Graph, expand
from tflite_transfer.converter.gradients.activation import before_activation
from tflite_transfer.converter.gradients.missing import check_rules
from tflite_transfer.converter.gradients.rule import Call, Later
from tflite_transfer.converter.gradients.table import OF_ONE, RULES
from tflite_transfer.reference.tflite.enums import ACTIVATIONS
from tflite_transfer.reference.tflite.graph import Operator


def pull_back(graph: Graph, seeds: Mapping[int, Expression], wanted: Iterable[int]) -> dict[int, Expression]:
    """The gradient for each wanted tensor, by number, given that for the ``seeds``.

    A wanted tensor that no seed depends on is not there. Raises UnsupportedOpError, naming every operator without a
    rule on the way.
    """
    wanted = tuple(wanted)
    operators = tuple(graph.operators)
    moved = depending(graph, operators, wanted)
    check_rules(graph, operators, moved, seeds)
    found = {number: [seed] for number, seed in seeds.items()}
    for operator in reversed(operators):
        if found.keys() & set(operator.outputs) and moved & set(operator.inputs):
            _through(graph, operator, moved, found)
    return {number: _gathered(graph, number, found) for number in wanted if number in found}


def depending(graph: Graph, operators: Iterable[Operator], wanted: Collection[int]) -> set[int]:
    """The float tensors that move with the wanted ones."""
    moved = set(wanted)
    for operator in operators:
        if moved.intersection(operator.inputs):
            moved.update(i for i in operator.outputs if graph.tensors[i].type == "FLOAT32")
    return moved


def _through(graph: Graph, operator: Operator, moved: set[int], found: dict[int, list[Expression]]) -> None:
    """From an operator's results to those of its operands that move."""
    with graph.scope(f"gradient/{graph.tensors[operator.outputs[0]].name}"):
        wide = operator.opcode not in OF_ONE
        given = [_gathered(graph, i, found, wide=wide) if i in found else None for i in operator.outputs]
        if given[0] is not None:
            given[0] = before_activation(_activation(operator), graph[operator.outputs[0]], given[0])
        rule = RULES[operator.opcode]
        later = rule(Call(graph, operator), *given)
        for number, pull in _operands(operator, later):
            if number in moved:
                found.setdefault(number, []).append(pull())


def _operands(operator: Operator, later: Iterable[Later]) -> Iterable[tuple[int, Callable[[], Expression]]]:
    return ((i, pull) for i, pull in zip(operator.inputs, later, strict=False) if pull is not None)


def _gathered(graph: Graph, number: int, found: dict[int, list[Expression]], *, wide: bool = True) -> Expression:
    """The sum of a tensor's cotangents, in the tensor's shape, or if not ``wide`` in one that is broadcast to it."""
    whole = reduce(lambda a, b: a + b, found[number])
    found[number] = [expand(whole, graph[number]) if wide else whole]
    return found[number][0]


def _activation(operator: Operator) -> str:
    return ACTIVATIONS[operator.options.get("fused_activation_function", 0)]
