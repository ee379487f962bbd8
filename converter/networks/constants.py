"""Which constants of a .tflite are weights, and making variables of them.

A weight is a constant that an operator multiplies with or adds: the filters of a convolution, its bias, the
rows of an embedding, the scale of a normalisation. A single number is none, and neither is what rescales the input
before the first layer. One in float16, which DEQUANTIZE widens, trains as a float32 copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks.network import Weight
from tflite_transfer.converter.networks.selection import ARGUMENTS, distinct
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array

# Operator -> where its matrix or filters stand, and its bias. Each is a layer.
LAYERS: dict[str, tuple[tuple[int, ...], int | None]] = {
    "BATCH_MATMUL": ((0, 1), None),
    "CONV_2D": ((1,), 2),
    "DEPTHWISE_CONV_2D": ((1,), 2),
    "EMBEDDING_LOOKUP": ((1,), None),
    "FULLY_CONNECTED": ((1,), 2),
    "GATHER": ((0,), None),
    "TRANSPOSE_CONV": ((1,), 3),
}
_AFTER: dict[str, tuple[int, ...]] = {  # of the layer before
    "ADD": (0, 1), "SUB": (0, 1), "MUL": (0, 1), "DIV": (1,), "PRELU": (1,)
}  # fmt: skip
_BIASES = ("ADD", "SUB")


@dataclass(frozen=True)
class Slot:
    """A weight's place: an operator's number, and which of its inputs.

    ``spot`` is the same where one layer is applied several times: its matrix, and how many weights came since.
    """

    operator: int
    input: int
    layer: int
    bias: bool
    spot: tuple[int, int]


@dataclass(frozen=True)
class Constant:
    """A weight that the file fixes: the tensor that operators take, and the places that take it."""

    tensor: int
    slots: tuple[Slot, ...]
    weight: Weight


def weights(graph: Graph) -> dict[str, Constant]:
    """All weights by name, in the order of the layers.

    A constant that several operators take is one weight, but not one whose numbers are all the same: of zero biases and
    of scales of 1 converters keep one for all layers. Of these each layer has its own, wherever it is applied.
    """
    values = values_of(graph)
    uses: dict[tuple[int, tuple[int, int] | None], list[Slot]] = {}
    for slot in _slots(graph, values):
        tensor = graph.operators[slot.operator].inputs[slot.input]
        uses.setdefault((tensor, slot.spot if _is_even(values[tensor]) else None), []).append(slot)
    names, found = [], []
    for (tensor, spot), places in uses.items():
        value, place = values[tensor], places[0]
        # What layers share, or no file names, is called after the layer.
        layer = graph.tensors[graph.operators[place.operator].outputs[0]].name
        names.append(f"{layer}/bias" if place.bias and spot else graph.tensors[tensor].name)
        found.append(Constant(tensor, tuple(places), Weight(value, place.layer, all(p.bias for p in places))))
    return dict(zip(distinct(names, ARGUMENTS), found, strict=True))


def layer_of(operator: int, matrix: int, values: Mapping[int, Array]) -> int:
    """A number that is the same wherever one layer is applied: its matrix's, or where that is even the operator's."""
    return -operator - 1 if _is_even(values[matrix]) else matrix


def _is_even(value: Array) -> bool:
    """Are all of its numbers the same? Then two layers may have one constant by chance."""
    return bool((value == value.flat[0]).all())


def values_of(graph: Graph) -> dict[int, Array]:
    """The constants by tensor, and what DEQUANTIZE makes of those in float16."""
    fixed = {i: t.data for i, t in enumerate(graph.tensors) if t.data is not None}
    halves = {
        o.outputs[0]: fixed[o.inputs[0]].astype(np.float32)
        for o in graph.operators
        if o.opcode == "DEQUANTIZE" and o.inputs[0] in fixed and graph.tensors[o.inputs[0]].type == "FLOAT16"
    }
    return fixed | halves


def _slots(graph: Graph, values: Mapping[int, Array]) -> Iterator[Slot]:
    """The places of all weights, layer by layer."""

    def is_weight(number: int) -> bool:
        tensor = graph.tensors[number]
        return number in values and values[number].size > 1 and (tensor.type == "FLOAT32" or is_narrow(tensor))

    layer, identity, place = -1, 0, count()
    for n, operator in enumerate(graph.operators):
        matrix, bias = LAYERS.get(operator.opcode, ((), None))
        found = [i for i in matrix if is_weight(operator.inputs[i])]
        if found:
            layer, place = layer + 1, count()
            identity = layer_of(n, operator.inputs[found[0]], values)
        yield from (Slot(n, i, layer, False, (identity, next(place))) for i in found)
        if found and bias is not None and bias < len(operator.inputs) and operator.inputs[bias] in values:
            yield Slot(n, bias, layer, True, (identity, next(place)))
        if layer >= 0:
            for i in _AFTER.get(operator.opcode, ()):
                if is_weight(operator.inputs[i]):
                    yield Slot(n, i, layer, operator.opcode in _BIASES, (identity, next(place)))


def check_floats(chosen: Mapping[str, Constant], source: str) -> None:
    """Refuse to train weights that are stored as integers. Raises ModelError."""
    stored = [f"{n} ({c.weight.value.dtype})" for n, c in chosen.items() if c.weight.value.dtype != np.float32]
    if stored:
        others = f" and {len(stored) - 5} more" if len(stored) > 5 else ""
        raise ModelError(
            f"{source} holds weights as integers, which do not train: {', '.join(stored[:5])}{others}. Convert the "
            "network without quantisation, or freeze these layers (--trainable)."
        )


def lift(graph: Graph, name: str, constant: Constant) -> int:
    """Make an input of a weight, in all places that take it; the new tensor's number."""
    graph.tensors.append(replace(graph.tensors[constant.tensor], name=name, data=None))
    new = graph.inputs[name] = len(graph.tensors) - 1
    for slot in constant.slots:
        operator = graph.operators[slot.operator]
        inputs = tuple(new if i == slot.input else t for i, t in enumerate(operator.inputs))
        graph.operators[slot.operator] = replace(operator, inputs=inputs)
    return new
