"""Putting together what training took apart: matrices as layers, scales and shifts as part of the layer before.

Training takes dense layers and 1 x 1 convolutions as products of matrices (``networks.training_form``), and batch norms
and biases as operators of their own. In use the layers as such are what accelerators and quantisers know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.converter.networks.rewriting import pruned
from tflite_transfer.reference.tflite.builder import options_table
from tflite_transfer.reference.tflite.graph import Array, Operator

_CHANNELS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}  # the axis of the weights that counts outputs


def fused(function: Function) -> Function:
    """The function with products as layers, and what only scales or shifts a layer's outputs within the layer."""
    work = _Fusing(function)
    for number in range(len(work.operators)):
        work.fuse(number)
    graph = work.graph
    graph.operators = [o for o in work.operators if o is not None]
    return pruned(replace(function, graph=graph))


class _Fusing:
    """Operators from first to last; one that goes leaves None, and its reader writes its result."""

    def __init__(self, function: Function) -> None:
        self.graph: Graph = function.graph.copy()
        self.operators: list[Operator | None] = list(self.graph.operators)
        self.uses = Counter(i for o in self.graph.operators for i in o.inputs)
        self.uses[function.output] += 1
        self.writer = {i: n for n, o in enumerate(self.graph.operators) for i in o.outputs}

    def fuse(self, number: int) -> None:
        operator = self.operators[number]
        assert operator is not None  # only operators before this one have gone
        if operator.opcode == "BATCH_MATMUL":
            self._product(number, operator)
        elif operator.opcode in ("ADD", "SUB", "MUL"):
            self._affine(number, operator)
        elif operator.opcode in ("RELU", "RELU6", "RELU_N1_TO_1"):
            self._activation(number, operator)
        elif operator.opcode == "RESHAPE":
            self._convolution(number, operator)

    def value(self, number: int) -> Array | None:
        """A float32 constant's value."""
        tensor = self.graph.tensors[number] if number >= 0 else None
        return tensor.data if tensor is not None and tensor.type == "FLOAT32" else None

    def before(self, number: int, *opcodes: str) -> Operator | None:
        """What writes a tensor for this one reader, if it is one of these operators without an activation."""
        writer = self.operators[self.writer[number]] if number in self.writer else None
        alone = writer is not None and self.uses[number] == 1 and writer.opcode in opcodes
        return writer if alone and not writer.options.get("fused_activation_function") else None  # type: ignore[union-attr]

    def _product(self, number: int, operator: Operator) -> None:
        """``x W`` -> FULLY_CONNECTED."""
        x, weights = operator.inputs
        value = self.value(weights)
        if value is None or value.ndim != 2 or operator.options.get("adj_x"):
            return
        rows = value if operator.options.get("adj_y") else np.ascontiguousarray(value.T)
        name = self.graph.tensors[weights].name
        dims = len(self.graph.tensors[x].shape) > 2
        inputs = (
            x,
            self.graph.constant(name, rows),
            self.graph.constant(f"{name}/bias", np.zeros(len(rows), np.float32)),
        )
        self._put(number, _layer("FULLY_CONNECTED", inputs, operator.outputs, keep_num_dims=dims))

    def _affine(self, number: int, operator: Operator) -> None:
        """``layer(x) s`` and ``layer(x) + t`` -> the layer with other weights."""
        a, b = operator.inputs
        if self.value(a) is not None and operator.opcode != "SUB":
            a, b = b, a
        factor, layer = self.value(b), self.before(a, *_CHANNELS)
        weights = None if layer is None else self.value(layer.inputs[1])
        if layer is None or weights is None or factor is None:
            return
        axis = _CHANNELS[layer.opcode]
        outputs = weights.shape[axis]
        if factor.size not in (1, outputs) or factor.shape[-1:] not in ((), (1,), (outputs,)):
            return
        vector = np.broadcast_to(factor.reshape(-1), (outputs,))
        given = self.value(layer.inputs[2]) if len(layer.inputs) > 2 else None
        bias = np.zeros(outputs, np.float32) if given is None else given
        if operator.opcode == "MUL":
            scale = vector.reshape([-1 if i == axis else 1 for i in range(weights.ndim)])
            weights, bias = weights * scale, bias * vector
        else:
            bias = bias + vector if operator.opcode == "ADD" else bias - vector
        self._layer_again(number, operator, layer, a, weights, bias)

    def _layer_again(
        self, number: int, operator: Operator, layer: Operator, between: int, weights: Array, bias: Array
    ) -> None:
        graph = self.graph
        name = graph.tensors[layer.inputs[1]].name
        known = weights is graph.tensors[layer.inputs[1]].data
        new = layer.inputs[1] if known else graph.constant(name, weights)
        inputs = (layer.inputs[0], new, graph.constant(f"{name}/bias", bias))
        activation = operator.options.get("fused_activation_function", 0)
        options = {**layer.options, "fused_activation_function": activation}
        self._gone(between)
        self._put(number, replace(layer, inputs=inputs, outputs=operator.outputs, options=options))

    def _activation(self, number: int, operator: Operator) -> None:
        """``relu(layer(x))`` -> the layer with that activation."""
        layer = self.before(operator.inputs[0], *_CHANNELS)
        if layer is not None:
            code = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[operator.opcode]
            options = {**layer.options, "fused_activation_function": code}
            self._gone(operator.inputs[0])
            self._put(number, replace(layer, outputs=operator.outputs, options=options))

    def _convolution(self, number: int, operator: Operator) -> None:
        """A dense layer over the pixels of an image, (B, H, W, I) -> (B, H, W, O) -> a 1 x 1 convolution."""
        rows = operator.inputs[0]
        dense = self.operators[self.writer[rows]] if rows in self.writer else None
        if dense is None or dense.opcode != "FULLY_CONNECTED" or self.uses[rows] != 1:
            return
        flat = self.before(dense.inputs[0], "RESHAPE")
        weights = self.value(dense.inputs[1])
        if flat is None or weights is None:
            return
        image, result = (self.graph.tensors[i].free_shape for i in (flat.inputs[0], operator.outputs[0]))
        if len(image) != 4 or image[:3] != result[:3] or (image[3], result[-1]) != weights.shape[::-1]:
            return
        name = self.graph.tensors[dense.inputs[1]].name
        filters = self.graph.constant(name, weights.reshape(len(weights), 1, 1, -1))
        self._gone(rows)
        self._gone(dense.inputs[0])
        self._put(
            number,
            _layer(
                "CONV_2D", (flat.inputs[0], filters, *dense.inputs[2:]), operator.outputs, padding=1, stride_h=1,
                stride_w=1, dilation_h_factor=1, dilation_w_factor=1,
                fused_activation_function=dense.options.get("fused_activation_function", 0),
            ),
        )  # fmt: skip

    def _gone(self, result: int) -> None:
        self.operators[self.writer[result]] = None

    def _put(self, number: int, operator: Operator) -> None:
        self.operators[number] = operator


def _layer(opcode: str, inputs: tuple[int, ...], outputs: tuple[int, ...], **options: int) -> Operator:
    return Operator(opcode, inputs, outputs, options, options_table(opcode))
