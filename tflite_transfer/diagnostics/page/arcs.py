"""A graph as one column of operators, with an arc for every tensor that skips some: it works for any graph.

An arc diagram (Wattenberg, 2002): operators in the order in which they run, each on a line of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from tflite_transfer.reference.tflite.graph import Subgraph

PITCH = 20  # from one line to the next
LEFT = 64.0  # where the column stands; arcs are to its left
FURTHEST = 58.0  # that an arc reaches


@dataclass(frozen=True)
class Node:
    """An operator at a height."""

    number: int
    y: int
    op: str
    name: str  # of its first output


@dataclass(frozen=True)
class Drawing:
    """The column and its arcs, each the path of an SVG."""

    nodes: tuple[Node, ...]
    arcs: tuple[str, ...]

    @property
    def height(self) -> int:
        """Of all."""
        return PITCH * (len(self.nodes) + 1)


def drawn(graph: Subgraph) -> Drawing:
    """A sub-graph; the arcs of far ones lie outside of those of near ones."""
    made = {t: n for n, o in enumerate(graph.operators) for t in o.outputs}
    edges = sorted({(made[t], n) for n, o in enumerate(graph.operators) for t in o.inputs if made.get(t, n) < n})
    nodes = (
        Node(n, PITCH * (n + 1), o.name, graph.tensors[o.outputs[0]].name if o.outputs else "")
        for n, o in enumerate(graph.operators)
    )
    return Drawing(tuple(nodes), tuple(_arc(PITCH * (a + 1), PITCH * (b + 1), b - a) for a, b in edges))


def _arc(above: int, below: int, length: int) -> str:
    if length == 1:
        return f"M{LEFT:g} {above}V{below}"
    reach = LEFT - min(FURTHEST, 6.0 + 6.0 * (length - 1) ** 0.5)
    return f"M{LEFT:g} {above}C{reach:g} {above} {reach:g} {below} {LEFT:g} {below}"
