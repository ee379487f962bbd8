"""One operator of a graph, as a model of its own: with its constants, on inputs from anywhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tflite_transfer.diagnostics.sides import Read
from tflite_transfer.reference.binding import kernel_of, parameters
from tflite_transfer.reference.tflite.graph import Array, Model, Operator, Signature, Subgraph, Tensor
from tflite_transfer.reference.tflite.splice import prune
from tflite_transfer.reference.tflite.writer import write


@dataclass(frozen=True)
class Cut:
    """An operator as files of their own: A's, and B's if that is another; and what their inputs are given."""

    files: tuple[bytes, ...]
    inputs: tuple[Array, ...]
    engines: tuple[str, str]


def cut(graphs: Sequence[tuple[Subgraph, int, Read]], engines: tuple[str, str]) -> Cut:
    """Operator n of A's graph, and of B's if that is another, on what ``read`` gives for its inputs."""
    made = [single(graph, number, read, depends_on_nothing(graph)) for graph, number, read in graphs]
    return Cut(tuple(write(model) for model, _ in made), tuple(made[0][1]), engines)


def has_meaning_alone(graph: Subgraph, operator: Operator) -> bool:
    """Does it compute from its inputs alone: without other sub-graphs, variables, random numbers?"""
    return "run" not in parameters(kernel_of(graph, operator))


def depends_on_nothing(graph: Subgraph) -> frozenset[int]:
    """The tensors that no input and no variable reaches: constants, and what is computed of them."""
    known = {i for i, t in enumerate(graph.tensors) if t.data is not None} | {-1}
    for operator in graph.operators:
        if has_meaning_alone(graph, operator) and known.issuperset(operator.inputs):
            known.update(operator.outputs)
    return frozenset(known)


def single(graph: Subgraph, number: int, read: Read, fixed: Collection[int] = ()) -> tuple[Model, list[Array]]:
    """The model of operator ``number``, and what its inputs are given.

    Tensors in ``fixed`` become constants: XNNPACK takes weights only as such, though DEQUANTIZE may have made them.
    """
    operator = graph.operators[number]
    given: list[int] = []
    tensors = list(graph.tensors)
    for i in dict.fromkeys(operator.inputs):
        if i >= 0 and tensors[i].data is None and not tensors[i].is_variable:
            value = read(i)
            tensors[i] = _shaped(tensors[i], value)
            if i in fixed:
                tensors[i] = replace(tensors[i], data=value)
            else:
                given.append(i)
    alone = replace(
        graph, tensors=tuple(tensors), operators=(operator,), inputs=tuple(given), outputs=operator.outputs, name="main"
    )
    cut, new = prune(alone, operator.outputs)
    names = {f"x{n}": new[i] for n, i in enumerate(given)}, {f"y{n}": new[i] for n, i in enumerate(operator.outputs)}
    model = Model((cut,), (Signature("run", *names),), source=f"operator {number} ({operator.name})")
    return model, [read(i) for i in given]


def _shaped(tensor: Tensor, value: Array) -> Tensor:
    return replace(tensor, shape=value.shape, signature=None)
