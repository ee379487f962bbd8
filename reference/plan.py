"""A graph made ready to run: each operator bound to its function, or all that is missing named at once."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from tflite_transfer.reference.constants import NARROW
from tflite_transfer.reference.ops.elementwise import ACTIVATIONS
from tflite_transfer.reference.ops.table import TABLE, Kernel
from tflite_transfer.reference.tflite.enums import ACTIVATIONS as ACTIVATION_NAMES
from tflite_transfer.reference.tflite.enums import PADDINGS, TENSOR_TYPES
from tflite_transfer.reference.tflite.errors import ModelError, UnsupportedOpError
from tflite_transfer.reference.tflite.graph import DTYPES, Array, Model, Operator, Subgraph

# Options that say how a quantised kernel computes: they change nothing in float arithmetic.
_NO_EFFECT = frozenset({"asymmetric_quantize_inputs", "quantized_bias_type", "pot_scale_int16", "weights_format"})

# The activations that only keep a value within bounds: a fast kernel may take them as ``bounds``.
_BOUNDS = {"RELU": (0.0, math.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


@dataclass(frozen=True)
class Step:
    """One operator, bound. ``release`` are the tensors that nothing after it needs."""

    number: int
    operator: Operator
    kernel: Kernel
    options: Mapping[str, Any]
    activation: Kernel | None
    release: tuple[int, ...]


def bind(model: Model, graph: Subgraph, fast: Mapping[str, Kernel]) -> list[Step]:
    """Every operator with its function; ``fast`` goes before the plain table. Raises UnsupportedOpError."""
    missing = sorted(set(missing_operators(graph)))
    if missing:
        raise UnsupportedOpError(
            f"{model.source} needs {len(missing)} operator(s) that the NumPy backend does not have: "
            f"{', '.join(missing)}. Run it with the TFLite backend (--backend tflite), "
            "or add them to reference/ops/table.py.",
            missing,
        )
    last_use = {t: n for n, o in enumerate(graph.operators) for t in (*o.inputs, *o.outputs)}
    keep = {*graph.inputs, *graph.outputs, *(i for i, t in enumerate(graph.tensors) if t.data is not None), -1}
    steps: list[Step] = []
    for n, operator in enumerate(graph.operators):
        kernel = fast.get(operator.opcode, TABLE[operator.opcode])
        release = tuple(t for t, last in last_use.items() if last == n and t not in keep)
        _check_wiring(model.source, n, operator)
        options, activation = _options(operator), _activation(operator)
        if operator.opcode == "CAST":  # TensorFlow writes it without options, and LiteRT looks at the tensor alone
            options["out_data_type"] = TENSOR_TYPES.index(graph.tensors[operator.outputs[0]].type)
        if _activation_name(operator) in _BOUNDS and "bounds" in _parameters(kernel):
            options["bounds"], activation = _BOUNDS[_activation_name(operator)], None
        steps.append(Step(n, operator, kernel, options, activation, release))
    return steps


def prepared(step: Step, constants: Mapping[int, Array]) -> Step:
    """``step`` with its second input, if constant, in the layout that its kernel wants: made once, not at each run."""
    prepare = getattr(step.kernel, "prepare", None)
    value = constants.get(step.operator.inputs[1]) if prepare is not None else None
    if prepare is None or value is None or value.dtype != np.float32 or value.ndim < 2 or value.size == 0:
        return step
    return replace(step, kernel=partial(step.kernel, packed=prepare(value)))


def _check_wiring(source: str, number: int, operator: Operator) -> None:
    """Refuse an operator that lacks an input which its function needs, or that has not one output."""
    needed = _needed(TABLE[operator.opcode]) or max(len(operator.inputs), 1)
    given = sum(i >= 0 for i in operator.inputs[:needed])
    if given < needed or len(operator.outputs) != 1:
        raise ModelError(
            f"{source} is damaged: operator {number} ({operator.name}) has {given} of the {needed} inputs that it "
            f"needs, and {len(operator.outputs)} of 1 output."
        )


@cache
def _needed(kernel: Kernel) -> int:
    """How many inputs a function cannot do without; 0 where it takes any number."""
    parameters = inspect.signature(kernel).parameters.values()
    return sum(p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty for p in parameters)


def missing_operators(graph: Subgraph) -> Iterator[str]:
    """What stops this graph from running, by operator."""
    for i in (*graph.inputs, *graph.outputs):
        if graph.tensors[i].type not in DTYPES:
            yield f"input or output of type {graph.tensors[i].type.lower()}"
    for operator in graph.operators:
        if operator.opcode not in TABLE:
            yield operator.name
            continue
        for i in (*operator.inputs, *operator.outputs):
            tensor = graph.tensors[i] if i >= 0 else None
            if tensor and (tensor.type not in DTYPES or tensor.extra.get("sparsity")):
                yield f"{operator.name} on {tensor.type.lower()}"
            elif tensor and tensor.type in NARROW and tensor.quantization and tensor.data is None:
                yield f"{operator.name} on quantised {tensor.type.lower()}"
        accepted = _parameters(TABLE[operator.opcode])
        for name, value in operator.options.items():
            if name not in accepted and name not in (*_NO_EFFECT, "fused_activation_function") and value:
                yield f"{operator.name} with {name}={value}"
        if operator.options.get("padding", 0) not in range(len(PADDINGS)):
            yield f"{operator.name} with padding={operator.options['padding']}"
        if _activation_name(operator) not in ("NONE", *ACTIVATIONS):
            yield f"{operator.name} with activation {_activation_name(operator)}"


@cache
def _parameters(kernel: Kernel) -> frozenset[str]:
    return frozenset(inspect.signature(kernel).parameters)


def _options(operator: Operator) -> dict[str, Any]:
    accepted = _parameters(TABLE[operator.opcode])
    options = {k: v for k, v in operator.options.items() if k in accepted}
    if "padding" in options:
        options["padding"] = PADDINGS[options["padding"]]
    return options


def _activation_name(operator: Operator) -> str:
    number = operator.options.get("fused_activation_function", 0)
    return ACTIVATION_NAMES[number] if 0 <= number < len(ACTIVATION_NAMES) else str(number)


def _activation(operator: Operator) -> Kernel | None:
    return ACTIVATIONS.get(_activation_name(operator))
