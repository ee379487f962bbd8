"""Which operator of one graph is which of another: by the names of what they make, else by their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from tflite_transfer.reference.tflite.graph import Operator, Subgraph

_STORES = ("QUANTIZE", "DEQUANTIZE")  # they change how numbers are stored, and nothing else


@dataclass(frozen=True)
class Matching:
    """A's operators and tensors, with those of B that they correspond to; and what has no counterpart.

    ``in_a``: B's tensors with those of A, of which several of B's may be the same one, stored otherwise.
    """

    operators: Mapping[int, int]
    tensors: Mapping[int, int]
    in_a: Mapping[int, int]
    unmatched: tuple[str, ...] = ()


def matched(a: Subgraph, b: Subgraph) -> Matching:
    """A file against another one, or itself."""
    if a is b:
        tensors = {i: i for i in range(len(a.tensors))}
        return Matching({n: n for n in range(len(a.operators))}, tensors, tensors)
    operators = _operators(a, b)
    pairs = list(zip(a.inputs, b.inputs, strict=False))
    for one, other in operators.items():
        for side in ("inputs", "outputs"):
            pairs += zip(getattr(a.operators[one], side), getattr(b.operators[other], side), strict=False)
    tensors = {}
    for i, j in pairs:
        if i >= 0 and j >= 0:
            tensors.setdefault(i, j)
    again = {i for o in b.operators if o.opcode in _STORES for i in o.outputs}
    in_a = {j: i for i, j in tensors.items()}
    for i, j in pairs:
        if i >= 0 and j in again:
            in_a.setdefault(j, i)
    return Matching(operators, tensors, in_a, tuple(_unmatched(a, b, operators)))


def _operators(a: Subgraph, b: Subgraph) -> dict[int, int]:
    """One by one where both have the same operators; else the longest common stretches of both, in order."""
    numbers = [[n for n, o in enumerate(g.operators) if o.opcode not in _STORES] for g in (a, b)]
    if [a.operators[n].name for n in numbers[0]] == [b.operators[n].name for n in numbers[1]]:
        return dict(zip(*numbers, strict=True))
    shared = _own_names(a) & _own_names(b)
    words = [[_word(g, g.operators[n], shared) for n in ns] for g, ns in zip((a, b), numbers, strict=True)]
    blocks = SequenceMatcher(None, *words, autojunk=False).get_matching_blocks()
    return {numbers[0][m.a + k]: numbers[1][m.b + k] for m in blocks for k in range(m.size)}


def _word(graph: Subgraph, operator: Operator, shared: set[str]) -> tuple[object, ...]:
    """What two operators have in common that do the same."""
    made = [graph.tensors[i] for i in operator.outputs]
    if made and made[0].name in shared:
        return operator.name, made[0].name
    return operator.name, *(t.shape for t in made)


def _own_names(graph: Subgraph) -> set[str]:
    """The names of the tensors that operators make, but for those that several have."""
    counts = Counter(graph.tensors[i].name for o in graph.operators for i in o.outputs)
    return {name for name, count in counts.items() if count == 1 and name}


def _unmatched(a: Subgraph, b: Subgraph, found: Mapping[int, int]) -> Iterator[str]:
    for side, graph, known in (("A", a, set(found)), ("B", b, set(found.values()))):
        for n, o in enumerate(graph.operators):
            if n not in known and o.opcode not in _STORES:
                made = ", ".join(graph.tensors[i].name for i in o.outputs) or "nothing"
                yield f"{side} alone has operator {n} ({o.name}) -> {made}"
