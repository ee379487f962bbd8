"""Biases that a converter dropped because they were 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks.constants import LAYERS, layer_of, values_of
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
        if operator.opcode not in _MAY_LACK:
            continue
        (place,), bias = LAYERS[operator.opcode]
        assert bias is not None  # of those that may lack one
        matrix = operator.inputs[place]
        has_one = any(i >= 0 for i in operator.inputs[bias:])
        if has_one or matrix not in values or graph.tensors[matrix].type != "FLOAT32":
            continue
        units = len(values[matrix])
        if not _is_added(graph, operator, units, values):
            layer = layer_of(n, matrix, values)
            if layer not in zeros:
                zeros[layer] = graph.constant(f"{graph.tensors[matrix].name}/bias", np.zeros(units, np.float32))
            version = max(operator.version, _VERSION.get(operator.opcode, 1))
            inputs = (*operator.inputs[:bias], zeros[layer])
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
