"""A network's variables in a file: resource variables, which each sub-graph reaches by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tflite_transfer.converter.expressions import Expression, Graph
from tflite_transfer.reference.tflite.builder import TYPES
from tflite_transfer.reference.tflite.graph import Array, Operator


@dataclass(frozen=True)
class Storage:
    """The variables' first values by name, and the number of the sub-graph that assigns them."""

    values: Mapping[str, Array]
    initialize: int

    def opened(self, graph: Graph) -> dict[str, Expression]:
        """Handles of all variables; their first values are assigned once, whichever sub-graph runs first."""
        graph.operator("CALL_ONCE", [], [], init_subgraph_index=self.initialize)
        return self.handles(graph)

    def handles(self, graph: Graph) -> dict[str, Expression]:
        """Each variable's resource, by name."""
        return {name: self._handle(graph, name) for name in self.values}

    def _handle(self, graph: Graph, name: str) -> Expression:
        number = graph.tensor(f"{name}/handle", (), "RESOURCE")
        graph.operator("VAR_HANDLE", [], [number], container="", shared_name=name)
        return graph[number]

    def read(self, graph: Graph, handle: Expression, name: str) -> Expression:
        """A variable's value."""
        value = self.values[name]
        return graph[graph.op("READ_VARIABLE", [handle.number], name, value.shape, TYPES[value.dtype])]

    def behind(self, graph: Graph, variables: Mapping[str, int]) -> dict[str, Expression]:
        """Make values that are read of a graph's inputs, before all its operators; returns all handles.

        A variable that no operator takes is not read.
        """
        operators, graph.operators = graph.operators, []
        handles = self.opened(graph)
        taken = {i for o in operators for i in o.inputs}
        for name, number in variables.items():
            if number not in taken:
                continue
            graph.operators.append(Operator("READ_VARIABLE", (handles[name].number,), (number,)))
            graph.tensors[number] = replace(graph.tensors[number], name=name)
        graph.inputs = {k: i for k, i in graph.inputs.items() if i not in variables.values()}
        graph.operators += operators
        return handles


def assign(graph: Graph, handles: Mapping[str, Expression], new: Mapping[str, Expression]) -> None:
    """Assign variables by name, once all of the values are there."""
    for name, value in new.items():
        graph.operator("ASSIGN_VARIABLE", [handles[name].number, value.number], [])


def constants(graph: Graph, values: Mapping[str, Array]) -> Iterable[tuple[str, Expression]]:
    """First values as expressions: zeros are filled in where they take more than their shape does."""
    for name, value in values.items():
        if value.any() or value.ndim == 0:
            yield name, graph.literal(value)
        else:
            shape, zero = graph.literal(np.array(value.shape, np.int32)), graph.literal(value.dtype.type(0))
            yield name, graph.write("FILL", [shape, zero], value.shape, TYPES[value.dtype])
