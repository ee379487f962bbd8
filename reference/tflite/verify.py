"""Checks of a whole model that its bytes alone do not show, before anything of it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import DTYPES, Model, Operator, Subgraph, Tensor
from tflite_transfer.reference.tflite.operators import tensor_faults
from tflite_transfer.reference.tflite.options import option_faults
from tflite_transfer.reference.tflite.sparsity import checked
from tflite_transfer.reference.tflite.texts import unpacked

_STORED = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-(2**15), 2**15 - 1)}  # types of quantised numbers

# Operators for which LiteRT's process ends where 8 bits have no scale.
_SCALED = frozenset(
    """ADD EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL SQRT SQUARED_DIFFERENCE SUB""".split()  # noqa: SIM905
)

DEEPEST = 50  # sub-graphs that run one another: those of real models are 3 deep, and Python's stack has room for 100

# Options that name a sub-graph, and how many of its inputs and outputs follow from the operator's own.
_SUBGRAPHS = {
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
    "CALL_ONCE": ("init_subgraph_index",),
    "CALL": ("subgraph",),
    "STABLEHLO_COMPOSITE": ("decomposition_subgraph_index",), "STABLEHLO_REDUCE": ("body_subgraph_index",),
    "STABLEHLO_REDUCE_WINDOW": ("body_subgraph_index",), "STABLEHLO_SCATTER": ("update_computation_subgraph_index",),
    "STABLEHLO_SORT": ("comparator_subgraph_index",), "STABLEHLO_WHILE": ("cond_subgraph_index", "body_subgraph_index"),
}  # fmt: skip
_INSIDE = ("STABLEHLO_REDUCE", "STABLEHLO_REDUCE_WINDOW", "STABLEHLO_SCATTER", "STABLEHLO_SORT")  # run it on elements


def verify(model: Model) -> None:
    """Raise ModelError, which names the place, for a graph that cannot mean anything.

    Constants and scales are whole; each operator has the tensors and options that it must; each tensor has one writer
    at most, and inputs and constants have none; nothing is read before it is written; each operator's sub-graphs are
    there, take what it gives them, and none of them leads back to itself; signatures name a sub-graph's own tensors.
    """
    for number, graph in enumerate(model.subgraphs):
        for tensor in graph.tensors:
            _whole(model, f"sub-graph {number}, tensor {tensor.name!r}", tensor)
        written = _Written(graph)
        for n, operator in enumerate(graph.operators):
            place = f"sub-graph {number}, operator {n} ({operator.name})"
            for what in _faults(model, graph, operator, written):
                raise _damaged(model, place, what)
        for what in written.at_the_end():
            raise _damaged(model, f"sub-graph {number}", what)
    _no_recursion(model)
    _signatures(model)


def called_subgraphs(operator: Operator) -> Iterator[int]:
    """The numbers of the sub-graphs that an operator runs."""
    for option in _SUBGRAPHS.get(operator.opcode, ()):
        yield operator.options.get(option, 0)


def _faults(model: Model, graph: Subgraph, operator: Operator, written: _Written) -> Iterator[str]:
    yield from tensor_faults(graph.tensors, operator)
    yield from option_faults(graph.tensors, operator)
    yield from _unscaled(graph, operator)
    yield from written.by(operator)
    yield from _called(model, operator)


def _unscaled(graph: Subgraph, operator: Operator) -> Iterator[str]:
    for tensor in (graph.tensors[i] for i in operator.inputs if operator.opcode in _SCALED):
        quantization = tensor.quantization
        if tensor.type in ("INT8", "UINT8") and (quantization is None or quantization.scale.size == 0):
            yield f"takes {tensor.name!r}, which is {tensor.type} without a scale"


class _Written:
    """Which tensors of a sub-graph have a value, operator after operator."""

    def __init__(self, graph: Subgraph) -> None:
        self.graph = graph
        self.fixed = {i for i, t in enumerate(graph.tensors) if t.data is not None}
        self.written = set(graph.inputs)
        # A constant without elements has no data either; a variable tensor, an LSTM's state, holds zeros at first.
        empty = (i for i, t in enumerate(graph.tensors) if 0 in t.shape or t.is_variable)
        self.ready = {-1, *graph.inputs, *self.fixed, *empty}

    def by(self, operator: Operator) -> Iterator[str]:
        """What is wrong with what an operator reads and writes."""
        tensors = self.graph.tensors
        for i in operator.inputs:
            if i not in self.ready:
                yield f"reads {tensors[i].name!r} before anything writes it"
        for i in operator.outputs:
            if i in self.written or i in self.fixed:
                what = "a constant" if i in self.fixed else "an input" if i in self.graph.inputs else "written already"
                yield f"writes {tensors[i].name!r}, which is {what}"
            self.written.add(i)
        self.ready.update(operator.outputs)

    def at_the_end(self) -> Iterator[str]:
        """Which outputs have no value."""
        yield from (f"has the output {self.graph.tensors[i].name!r}, which nothing writes"
                    for i in self.graph.outputs if i not in self.ready)  # fmt: skip


def _whole(model: Model, place: str, tensor: Tensor) -> None:
    """The texts of a constant, the places of a sparse one's values, and the scales of a quantised tensor."""
    sparsity = tensor.extra.get("sparsity")
    if sparsity and tensor.data is not None and tensor.type in DTYPES:
        try:
            checked(tensor.data.nbytes // DTYPES[tensor.type].itemsize, tensor.shape, sparsity)
        except ValueError as e:
            raise _damaged(model, place, f"cannot be read: {e}") from e
    if tensor.type == "STRING" and tensor.data is not None:
        try:
            unpacked(tensor.data, tensor.shape)
        except ValueError as e:
            raise _damaged(model, place, f"is no array of texts: {e}") from e
    if tensor.quantization is not None and tensor.type in _STORED:
        scale, zero = tensor.quantization.scale, tensor.quantization.zero_point
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise _damaged(model, place, f"has a scale of {scale[~(np.isfinite(scale) & (scale > 0))][0]}")
        low, high = _STORED[tensor.type]
        if ((zero < low) | (zero > high)).any():
            raise _damaged(model, place, f"has zero points from {zero.min()} to {zero.max()}, beyond {tensor.type}")


def _called(model: Model, operator: Operator) -> Iterator[str]:
    """What is wrong with the sub-graphs that an operator runs."""
    for number in called_subgraphs(operator):
        if not 0 <= number < len(model.subgraphs):
            yield f"runs sub-graph {number}, and there are {len(model.subgraphs)}"
        elif operator.opcode not in _INSIDE:
            graph = model.subgraphs[number]
            inputs, outputs = len(operator.inputs), len(operator.outputs)
            if operator.opcode == "IF":
                inputs -= 1
            if operator.opcode.endswith("WHILE") and number == operator.options.get("cond_subgraph_index", 0):
                outputs = len(graph.outputs[:1])
            if (len(graph.inputs), len(graph.outputs)) != (inputs, outputs):
                yield (
                    f"gives {inputs} values to sub-graph {number} for {outputs}, which takes {len(graph.inputs)} "
                    f"and gives {len(graph.outputs)}"
                )


def _signatures(model: Model) -> None:
    for key, count in Counter(s.key for s in model.signatures).items():
        if count > 1:
            raise _damaged(model, f"signature {key!r}", f"is there {count} times")
    for signature in model.signatures:
        graph = model.subgraphs[signature.subgraph]
        for what, names, own in (
            ("an input", signature.inputs, set(graph.inputs)), ("an output", signature.outputs, set(graph.outputs))
        ):  # fmt: skip
            for name, i in names.items():
                if i not in own:
                    place = f"signature {signature.key!r}"
                    raise _damaged(model, place, f"names {name!r} tensor {i}, which is not {what} of its sub-graph")


def _no_recursion(model: Model) -> None:
    calls = [sorted({c for o in g.operators for c in called_subgraphs(o)}) for g in model.subgraphs]
    depth: dict[int, int] = {}  # of those that are finished
    for first in range(len(calls)):
        if first in depth:
            continue
        path = [(first, iter(calls[first]))]
        inside = {first}
        while path:
            number, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                inside.discard(number)
                depth[number] = 1 + max((depth[c] for c in calls[number]), default=0)
                if depth[number] > DEEPEST:
                    raise ModelError(f"{model.source} is damaged: its sub-graphs run one another over {DEEPEST} deep.")
            elif following in inside:
                raise ModelError(f"{model.source} is damaged: sub-graph {following} runs itself.")
            elif following not in depth:
                path.append((following, iter(calls[following])))
                inside.add(following)


def _damaged(model: Model, place: str, what: str) -> ModelError:
    return ModelError(f"{model.source} is damaged: {place} {what}.")
