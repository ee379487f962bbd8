"""What stops a graph from running here: operators, types and options that no function takes."""

from __future__ import annotations

from collections.abc import Iterator

from tflite_transfer.reference.binding import activation_name, attributes, is_narrow, kernel_of, parameters
from tflite_transfer.reference.ops.elementwise import ACTIVATIONS
from tflite_transfer.reference.ops.table import HOLDERS, INT4_MOVES, TABLE
from tflite_transfer.reference.tflite.graph import DTYPES, Operator, Subgraph, Tensor

_CUSTOM = 1  # QuantizationDetails: what another program wrote for itself

# Options that say how a hybrid kernel quantises its inputs, or repeat what the shapes say.
_NO_EFFECT = frozenset({"asymmetric_quantize_inputs", "quantized_bias_type", "pot_scale_int16"})

# Attributes of a TensorFlow node that the tensors say too, or that choose among kernels.
_NODE_NO_EFFECT = frozenset({"N", "T", "Tlabels", "U", "dt", "dtype", "preferred_shard", "use_cudnn_on_gpu"})


def missing_operators(graph: Subgraph) -> Iterator[str]:
    """All of it, by operator. Raises ValueError for a TensorFlow node that cannot be read."""
    for i in (*graph.inputs, *graph.outputs):
        if graph.tensors[i].type not in (*DTYPES, *HOLDERS.keys() - {"INT4"}):
            yield f"input or output of type {graph.tensors[i].type.lower()}"
    for operator in graph.operators:
        yield from missing_of(graph, operator)


def missing_of(graph: Subgraph, operator: Operator) -> Iterator[str]:
    """What is missing of one operator; nothing if it can run."""
    try:
        kernel = kernel_of(graph, operator)
    except KeyError:
        known = operator.opcode in TABLE
        yield f"{operator.name} on quantised {_narrow_type(graph, operator)}" if known else operator.name
        return
    yield from _types(graph, operator)
    accepted, options = parameters(kernel), operator.options
    if operator.opcode == "CUSTOM":
        options = {k: v for k, v in attributes(operator).items() if k not in _NODE_NO_EFFECT and not k.startswith("_")}
    for name, value in options.items():
        if name not in accepted and name not in (*_NO_EFFECT, "fused_activation_function") and value:
            yield f"{operator.name} with {name}={value}"
    inner = ("TANH",) if "fused_activation_function" in accepted else ()  # of a recurrent cell
    if activation_name(operator) not in ("NONE", *ACTIVATIONS, *inner):
        yield f"{operator.name} with activation {activation_name(operator)}"


def _types(graph: Subgraph, operator: Operator) -> Iterator[str]:
    for i in (*operator.inputs, *operator.outputs):
        tensor = graph.tensors[i] if i >= 0 else None
        if tensor is None:
            continue
        way = _way(tensor)
        readable = not way or (way == "sparse" and tensor.data is not None and tensor.type in DTYPES)
        if not readable or not _held(operator, tensor, made=i in operator.outputs):
            yield " ".join(filter(None, (operator.name, "on", way, tensor.type.lower())))
    if operator.opcode == "DENSIFY" and any(_way(graph.tensors[i]) != "sparse" for i in operator.inputs if i >= 0):
        yield "DENSIFY on what is not sparse"


def _held(operator: Operator, tensor: Tensor, *, made: bool) -> bool:
    """May the operator take, or give, a tensor of that type?"""
    if tensor.type == "INT4" and made:
        return operator.opcode in INT4_MOVES
    if tensor.type == "STRING" and operator.opcode == "CUSTOM":
        from tflite_transfer.reference.flex.table import TEXTS

        return operator.name in TEXTS
    return tensor.type in DTYPES or operator.opcode in HOLDERS.get(tensor.type, ())


def _way(tensor: Tensor) -> str:
    """How its numbers are stored, if not one after the other, with scales for all or for each channel."""
    blockwise = tensor.quantization is not None and tensor.quantization.extra.get("details_type", 0) > _CUSTOM
    return "sparse" if tensor.extra.get("sparsity") is not None else "blockwise" if blockwise else ""


def _narrow_type(graph: Subgraph, operator: Operator) -> str:
    used = (graph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0)
    return next(t.type.lower() for t in used if t.data is None and is_narrow(t))
