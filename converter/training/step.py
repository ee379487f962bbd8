"""From a network and a loss to the loss's gradient for each weight, in one graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tflite_transfer.converter.expressions import Expression, Graph, reshape_like, zeros_like
from tflite_transfer.converter.gradients import pull_back
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.converter.training.losses import Loss
from tflite_transfer.converter.training.optimizers import Tree
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Operator

_PROBABILITIES = ("SOFTMAX", "LOGISTIC")


@dataclass(frozen=True)
class Differentiated:
    """A network's graph with the loss and its gradients behind it."""

    graph: Graph
    loss: Expression
    grads: Tree


def differentiated(function: Function, wanted: Iterable[str], loss: Loss) -> Differentiated:
    """``x, y, variables -> loss, gradients`` for the wanted variables; y is a new input of the graph.

    Raises UnsupportedOpError for operators without a gradient, OptionError for a loss that does not fit.
    """
    graph = function.graph.copy()
    prediction = scores(graph, function.output, loss)
    shape = prediction.shape[:-1] if loss.sparse else prediction.shape
    y = graph.argument("y", shape, "INT32" if loss.sparse else "FLOAT32")
    with graph.scope("loss"):
        value, gradient = loss.formula(prediction, y)
        seeds = {prediction.number: gradient}
        if function.penalty is not None:
            value = value + graph[function.penalty]
            seeds[function.penalty] = graph.literal(1.0)
    numbers = {name: function.variables[name] for name in wanted}
    found = pull_back(graph, seeds, numbers.values())
    grads = {name: found[i] if i in found else zeros_like(graph[i]) for name, i in numbers.items()}
    return Differentiated(graph, value.named("loss"), _named(grads))


def _named(grads: dict[str, Expression]) -> Tree:
    """Each gradient by its weight's name; two that are the same tensor keep the first one's."""
    seen: Collection[int] = set()
    for name, value in grads.items():
        if value.number not in seen:
            value.named(f"gradient/{name}")
        seen = {*seen, value.number}
    return grads


def scores(graph: Graph, output: int, loss: Loss) -> Expression:
    """What the loss is computed from: the input of the output's activation where the loss takes logits.

    Raises OptionError where the network ends in another activation than the loss has.
    """
    last = _writer(graph, output)
    while last is not None and last.opcode == "RESHAPE":
        last = _writer(graph, last.inputs[0])
    opcode = last.opcode if last is not None else ""
    if loss.activation is None or opcode not in _PROBABILITIES:
        return graph[output]
    if opcode != loss.activation or last is None:
        raise OptionError(f"the loss takes {loss.activation} of logits, and the network ends in {opcode}.")
    return reshape_like(graph[last.inputs[0]], graph[output])


def _writer(graph: Graph, number: int) -> Operator | None:
    return next((o for o in graph.operators if number in o.outputs), None)
