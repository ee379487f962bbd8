"""What stops a graph from being trained: operators without a gradient or a place in the file; what serves instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.gradients.rule import no_gradient, told
from tflite_transfer.converter.gradients.table import RULES
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.tflite.errors import UnsupportedOpError
from tflite_transfer.reference.tflite.graph import Operator, Tensor
from tflite_transfer.reference.tflite.verify import called_subgraphs

_INSTEAD = {
    "WHILE": "a recurrent layer with unroll=True",
    "IF": "a network without branches",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "a recurrent layer with unroll=True",
    "MIRROR_PAD": "padding with zeros",
    "REDUCE_PROD": "the exponential of a sum of logarithms",
    "GATHER_ND": "GATHER along the first axis, or slices",
    "TOPK_V2": "the largest value (REDUCE_MAX), or all of them",
    "FlexStatelessRandomNormalV2": "Dropout",
    "FlexErf": "GELU as a whole",
}


def check_alone(graph: Graph, source: str) -> None:
    """Raise UnsupportedOpError for operators that run other sub-graphs, or are no builtins: the file holds neither."""
    foreign = [o for o in graph.operators if o.opcode == "CUSTOM" or any(True for _ in called_subgraphs(o))]
    if foreign:
        raise UnsupportedOpError(
            f"a training file cannot hold {len(foreign)} operator(s) of {source}: "
            f"{'; '.join(_told(graph, o) for o in foreign)}. docs/layers.md lists what trains, in float32.",
            sorted({o.name for o in foreign}),
        )


def check_rules(graph: Graph, operators: Iterable[Operator], moved: Collection[int], seeds: Mapping[int, Any]) -> None:
    """Raise UnsupportedOpError, which names all operators that the gradient would have to go through and cannot."""
    missing = list(_missing(graph, operators, moved, seeds))
    if missing:
        raise no_gradient([_told(graph, o) for o in missing], [o.name for o in missing])


def _missing(
    graph: Graph, operators: Iterable[Operator], moved: Collection[int], seeds: Mapping[int, Any]
) -> Iterator[Operator]:
    needed, moved = set(seeds), set(moved)
    for operator in reversed(tuple(operators)):
        if moved & needed.intersection(operator.outputs) and moved.intersection(operator.inputs):
            needed.update(operator.inputs)
            if operator.opcode not in RULES or _stored(graph, operator) is not None:
                yield operator


def _stored(graph: Graph, operator: Operator) -> Tensor | None:
    """The weights that an operator takes as integers, if it does."""
    return next((graph.tensors[i] for i in operator.inputs if i >= 0 and is_narrow(graph.tensors[i])), None)


def _told(graph: Graph, operator: Operator) -> str:
    instead, stored = _INSTEAD.get(operator.name), _stored(graph, operator)
    if stored is not None:
        return f"{told(graph, operator)} with {stored.name!r} as {stored.type.lower()}"
    return told(graph, operator) + (f" (instead: {instead})" if instead else "")
