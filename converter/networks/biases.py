"""Biases that a converter dropped because they were 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks.constants import LAYERS, is_even, values_of
from tflite_transfer.reference.tflite.graph import Array, Operator

_MAY_LACK = ("FULLY_CONNECTED", "TRANSPOSE_CONV")  # CONV_2D and DEPTHWISE_CONV_2D always have one
_VERSION = {"TRANSPOSE_CONV": 3}  # the first with a bias
_SAME_NUMBERS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def add_biases(graph: Graph) -> None:
    """Give a bias of zeros to each layer that has none, and none behind it; one, however often the layer is applied.

    Of a sum of two layers each gets its own. Zeros that were dropped elsewhere, such as a LayerNormalization's first
    beta, leave nothing to see; from Keras' own files they train.
    """
    values, zeros = values_of(graph), dict[int, int]()
    for n, operator in enumerate(graph.operators):
        (matrix,), bias = LAYERS[operator.opcode] if operator.opcode in _MAY_LACK else ((-1,), None)
        if bias is None or operator.inputs[matrix] not in values or any(i >= 0 for i in operator.inputs[bias:]):
            continue
        stored = operator.inputs[matrix]
        tensor, value = graph.tensors[stored], values[stored]
        if tensor.type == "FLOAT32" and not _is_added(graph, operator, len(value), values):
            identity = -n - 1 if is_even(value) else stored
            if identity not in zeros:
                zeros[identity] = graph.constant(f"{tensor.name}/bias", np.zeros(value.shape[0], np.float32))
            version = max(operator.version, _VERSION.get(operator.opcode, 1))
            inputs = (*operator.inputs[:bias], zeros[identity])
            graph.operators[n] = replace(operator, inputs=inputs, version=version)


def _is_added(graph: Graph, operator: Operator, units: int, values: Mapping[int, Array]) -> bool:
    """Does an ADD bring the bias? So converters write dense layers over more than rows, and cells' sums of two."""
    while not operator.options.get("fused_activation_function"):
        (result,) = operator.outputs
        takers = [o for o in graph.operators if result in o.inputs]
        if len(takers) != 1 or takers[0].opcode not in (*_SAME_NUMBERS, "ADD"):
            return False
        (operator,) = takers
        if operator.opcode == "ADD":
            (other,) = set(operator.inputs) - {result} or {result}
            if other in values:
                return values[other].size == units
    return False
