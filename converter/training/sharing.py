"""Memory that LiteRT shares between tensors, and where it forgets that one of them is still needed.

Without delegates its planner lets ADD, SUB, MUL, DIV and SOFTMAX write over an operand that nothing else takes, and
RESHAPE and its kind show the operand's memory in another shape. Before memory is written over it counts who takes
that operand, and who takes the first tensor that the memory was for, but not who takes those between the two: of
``a = x y; b = a + c; d = reshape(b); e = d + f`` it puts e where b is, also if a later operator takes b. Residual
blocks of MobileNetV2 train wrongly by it (LiteRT 2.3, https://github.com/google-ai-edge/LiteRT/issues/8889).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.reference.tflite.graph import Operator

_VIEWS = frozenset({"BITCAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_OVER = {"ADD": 2, "DIV": 2, "MUL": 2, "SOFTMAX": 1, "SUB": 2}  # how many operands they may write over


def keep_shared(graph: Graph) -> None:
    """Let LiteRT see a second use, its SHAPE, of each tensor that it would write over too early."""
    plan, operators = _Plan(graph), graph.operators
    graph.operators = []
    for number, operator in enumerate(operators):
        graph.operators.append(operator)
        for kept in plan.too_early(number, operator):
            tensor = graph.tensors[kept]
            graph.op("SHAPE", [kept], f"{tensor.name}/kept", (len(tensor.shape),), "INT32", out_type=2)


class _Plan:
    """LiteRT's planner, for any number of examples: what might have one size is taken to have it."""

    def __init__(self, graph: Graph) -> None:
        self.tensors = graph.tensors
        self.ends = {*graph.inputs.values(), *graph.outputs.values()}
        self.uses = Counter(i for o in graph.operators for i in o.inputs)
        self.last = {i: number for number, o in enumerate(graph.operators) for i in o.inputs}
        self.first: dict[int, int] = {}  # tensor -> the one that the memory was for
        self.sharing: dict[int, set[int]] = {}  # that one -> all that are in its memory

    def too_early(self, number: int, operator: Operator) -> Iterator[int]:
        """The operands that would be written over while they, or what they share memory with, are still needed."""
        over = _OVER.get(operator.opcode, 0)
        if not operator.outputs or operator.outputs[0] in self.ends:
            return
        for operand in operator.inputs[: over or operator.opcode in _VIEWS]:
            first = self.first.get(operand, operand)
            if over and not self._may_write(operand, first, operator.outputs[0]):
                continue
            together = self.sharing.setdefault(first, {first})
            if over and any(self.last.get(t, -1) > number for t in together):
                yield operand
                continue
            self.first[operator.outputs[0]] = first
            together.add(operator.outputs[0])
            return

    def _may_write(self, operand: int, first: int, result: int) -> bool:
        """Does LiteRT think so?"""
        sizes = self.tensors[operand].free_shape, self.tensors[result].free_shape
        fits = any(-1 in s for s in sizes) or math.prod(sizes[0]) == math.prod(sizes[1])
        given = operand in self.ends or self.tensors[operand].data is not None
        return fits and not given and self.uses[operand] == self.uses[first] == 1
