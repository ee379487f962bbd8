"""A model whose every float is a double: the oracle that tells which of two float32 results is nearer the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_transfer.reference.binding import is_narrow, is_quantised
from tflite_transfer.reference.constants import is_widened, widen
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Model, Subgraph, Tensor

_FLOATS = {"FLOAT16": "FLOAT64", "FLOAT32": "FLOAT64", "COMPLEX64": "COMPLEX128"}


def in_float64(model: Model) -> Model:
    """The same graph in float64; quantised constants become the doubles that they stand for. Raises ModelError."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            if is_quantised(graph, operator) and operator.opcode != "DENSIFY":
                raise ModelError(
                    f"{model.source} computes on quantised numbers ({operator.name}): in float64 it would be another "
                    "model. Compare it with the float model that it was made from."
                )
            if operator.opcode == "BITCAST" and any(
                graph.tensors[i].type in _FLOATS for i in (*operator.inputs, *operator.outputs)
            ):
                raise ModelError(f"{model.source} looks at the bits of floats (BITCAST), which are others in float64.")
    return replace(model, subgraphs=tuple(_widen_graph(g) for g in model.subgraphs))


def _widen_graph(graph: Subgraph) -> Subgraph:
    dense = {i for o in graph.operators if o.opcode == "DENSIFY" for i in o.outputs}
    return replace(graph, tensors=tuple(_widen_tensor(t, i in dense) for i, t in enumerate(graph.tensors)))


def _widen_tensor(tensor: Tensor, dense: bool) -> Tensor:
    """``dense``: DENSIFY gives it, and it is what that has a constant for."""
    if is_widened(tensor) and tensor.data is not None and tensor.quantization is not None:
        wide = widen(tensor.data, tensor.quantization, np.float64)
        return replace(tensor, type="FLOAT64", data=wide, quantization=None)
    if dense and is_narrow(tensor):
        return replace(tensor, type="FLOAT64", quantization=None)
    kind = _FLOATS.get(tensor.type)
    if kind is None:
        return tensor
    wide = replace(tensor, type=kind)
    return wide if tensor.data is None else replace(wide, data=tensor.data.astype(wide.dtype))
