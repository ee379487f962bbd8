"""A model as the kernels take it: every constant of INT4 in bytes, every sparse one with its zeros."""

from __future__ import annotations

import math
from dataclasses import replace

from tflite_transfer.reference.budget import Room
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import DTYPES, Model, Subgraph, Tensor
from tflite_transfer.reference.tflite.nibbles import one_a_byte
from tflite_transfer.reference.tflite.sparsity import dense


def unpacked(model: Model, room: Room) -> Model:
    """The same graphs, within a room of bytes. What DENSIFY gives is read from its constant. Raises ModelError."""
    return replace(model, subgraphs=tuple(_unpacked_graph(g, room, model.source) for g in model.subgraphs))


def _unpacked_graph(graph: Subgraph, room: Room, source: str) -> Subgraph:
    known = {o.outputs[0]: o.inputs[0] for o in graph.operators if o.opcode == "DENSIFY" and o.inputs and o.outputs}
    operators = tuple(replace(o, inputs=tuple(known.get(i, i) for i in o.inputs)) for o in graph.operators)
    return replace(graph, tensors=tuple(_unpacked(t, room, source) for t in graph.tensors), operators=operators)


def _unpacked(tensor: Tensor, room: Room, source: str) -> Tensor:
    sparsity = tensor.extra.get("sparsity")
    if tensor.type != "INT4" and (sparsity is None or tensor.data is None):
        return tensor
    rest = {k: v for k, v in tensor.extra.items() if k != "sparsity"}
    kind = "INT8" if tensor.type == "INT4" else tensor.type
    if tensor.data is None:
        return replace(tensor, type=kind)
    try:
        room.take(math.prod(tensor.shape) * DTYPES[kind].itemsize)
        if sparsity is None:
            data = one_a_byte(tensor.data, tensor.shape)
        else:
            data = dense(tensor.data.view(DTYPES[kind]), tensor.shape, sparsity)
    except (ValueError, LookupError, MemoryError) as e:
        raise ModelError(f"{source} is damaged: the constant {tensor.name!r} cannot be read: {e}.") from e
    return replace(tensor, type=kind, data=data, extra=rest)
