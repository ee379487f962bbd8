"""Which function computes an operator, and with which options."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from tflite_transfer.reference.constants import NARROW
from tflite_transfer.reference.kernels.table import FAST, FAST_QUANTIZED
from tflite_transfer.reference.ops.elementwise import ACTIVATIONS
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite.enums import ACTIVATIONS as ACTIVATION_NAMES
from tflite_transfer.reference.tflite.enums import PADDINGS
from tflite_transfer.reference.tflite.graph import Operator, Subgraph, Tensor

Kernel = Callable[..., Any]

# The activations that only keep a value within bounds: a fast kernel may take them as ``bounds``.
_BOUNDS = {"RELU": (0.0, math.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


def kernel_of(graph: Subgraph, operator: Operator, *, jit: bool = False) -> Kernel:
    """The function; with ``jit`` a compiled one, if there is any. Raises KeyError.

    Two of the tables take 60 ms to import, and most files need neither.
    """
    if operator.opcode == "CUSTOM":
        from tflite_transfer.reference.flex.table import FLEX

        return FLEX[operator.name]
    if is_quantised(graph, operator):
        from tflite_transfer.reference.ops.quantized.table import QUANTIZED

        fast, plain = FAST_QUANTIZED, QUANTIZED
    else:
        fast, plain = FAST, TABLE
    return (fast.get(operator.opcode) if jit else None) or plain[operator.opcode]


def is_quantised(graph: Subgraph, operator: Operator) -> bool:
    """Does it compute on stored integers? Constants alone do not tell: float operators take them widened."""
    used = (graph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0)
    return any(t.data is None and is_narrow(t) for t in used)


def is_hybrid(graph: Subgraph, operator: Operator) -> bool:
    """Does it compute with floats, so that constants come as what they stand for? CAST looks at what is stored."""
    floats = any(graph.tensors[i].type.startswith("FLOAT") for i in operator.outputs)
    return floats and operator.opcode != "CAST" and not is_quantised(graph, operator)


def is_narrow(tensor: Tensor) -> bool:
    """Does it hold stored integers that stand for real numbers?"""
    return tensor.type in NARROW and tensor.quantization is not None and tensor.quantization.scale.size > 0


def options_of(graph: Subgraph, operator: Operator, kernel: Kernel, place: tuple[int, int]) -> dict[str, Any]:
    """The options that the function takes.

    Beside those of the schema a function may take ``inputs``, ``outputs`` and ``intermediates``, the tensors'
    descriptions; ``place``, the numbers of sub-graph and operator; and the fused activation as ``bounds``, by its name
    as ``activation``, or as the file has it, where it belongs into the operator's middle.
    """
    accepted, tensors = parameters(kernel), graph.tensors
    offered: dict[str, Any] = {
        **(attributes(operator) if operator.opcode == "CUSTOM" else operator.options),
        "inputs": tuple(tensors[i] if i >= 0 else None for i in operator.inputs),
        "outputs": tuple(tensors[i] for i in operator.outputs),
        "intermediates": tuple(tensors[i] if i >= 0 else None for i in operator.extra.get("intermediates", ())),
        "place": place,
        "activation": activation_name(operator),
    }
    if "padding" in operator.options:  # a TensorFlow node names it already
        offered["padding"] = PADDINGS[operator.options["padding"]]
    if activation_name(operator) in _BOUNDS:
        offered["bounds"] = _BOUNDS[activation_name(operator)]
    return {k: v for k, v in offered.items() if k in accepted}


def attributes(operator: Operator) -> dict[str, Any]:
    """The attributes of the TensorFlow node in a Flex operator. Raises ValueError."""
    from tflite_transfer.reference.flex.node import node_attributes

    return node_attributes(bytes(operator.extra.get("custom_options", b"")))


def activation_of(operator: Operator, options: Mapping[str, Any]) -> Kernel | None:
    """What the interpreter must apply to the result: None where there is none, or the function does it."""
    if options.keys() & {"bounds", "activation", "fused_activation_function"}:
        return None
    return ACTIVATIONS.get(activation_name(operator))


@cache
def parameters(kernel: Kernel) -> frozenset[str]:
    """The names of all that a function takes."""
    return frozenset(inspect.signature(kernel).parameters)


def activation_name(operator: Operator) -> str:
    """The fused activation's name; its number where it has none."""
    number = operator.options.get("fused_activation_function", 0)
    return ACTIVATION_NAMES[number] if 0 <= number < len(ACTIVATION_NAMES) else str(number)
