"""A head's graphs: initialize, train_head and inference, from a network of bottlenecks to logits.

B examples, S bottleneck without the batch, F = prod(S) features, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tflite_transfer.converter.expressions import Graph, matmul, reshape, softmax, square, total
from tflite_transfer.converter.networks.joining import joined
from tflite_transfer.converter.networks.network import Function, Network, Weight
from tflite_transfer.converter.networks.rewriting import pruned
from tflite_transfer.converter.training.losses import LOSSES
from tflite_transfer.converter.training.step import differentiated, scores

Shape = tuple[int, ...]
LOSS = LOSSES["categorical_crossentropy"]


@dataclass(frozen=True)
class Head:
    """A network whose trainable weights are inputs of each file, and its cross-entropy."""

    network: Network
    batch: int  # B, the size in the file's shapes; any other may be given
    told: Mapping[str, Any] = field(default_factory=dict)  # for the files' metadata

    @property
    def classes(self) -> int:
        """C."""
        function = self.network.infer
        return function.graph[function.output].shape[-1]

    @property
    def parameters(self) -> dict[str, Shape]:
        """What trains, in the files' order."""
        return {name: self.network.weights[name].value.shape for name in self.network.trainable}

    def describe(self) -> dict[str, Any]:
        """For the files' metadata."""
        return {"type": "network", "classes": self.classes, "batch": self.batch, **self.told}

    def initialize(self) -> Graph:
        """``zero () -> parameters``. The input is 0, and keeps the file of parameters that are 0 small."""
        g = Graph()
        zero = g.argument("zero", ())
        for name, shape in self.parameters.items():
            value = self.network.weights[name].value
            if value.any():
                found = g.literal(value) + zero
            else:
                sizes = g.literal(np.array(shape, np.int32)).named(f"{name}/shape")
                found = g.write("FILL", [sizes, zero], shape)
            g.result(name, found.named(name))
        return g

    def inference(self) -> Graph:
        """``bottleneck (1, S), parameters -> output (1, C)``, the probabilities."""
        function = self.network.infer
        g = function.graph.copy()
        logits = scores(g, function.output, LOSS)
        g.result(
            "output", (g[function.output] if logits.number != function.output else softmax(logits)).named("output")
        )
        return self._in_order(g, function, ["x"])

    def train_head(self) -> Graph:
        """``bottleneck (B, S), labels (B, C), parameters -> loss (), a gradient each``.

        The formulas are those of ``reference/head.py``. The gradient is divided by the batch that comes, not by B.
        """
        made = differentiated(self.network.train, self.parameters, LOSS)
        g = made.graph
        g.result("loss", made.loss)
        for name, grad in made.grads.items():
            g.result(f"grad_{name}", grad.named(f"grad_{name}"))
        return self._in_order(g, self.network.train, ["x", "y"]).sized(self.batch)

    def behind(self, base: Function) -> Network:
        """The same network over rows (B, F) of a base's bottlenecks."""
        shape = self.network.infer.graph[self.network.infer.x].shape
        if len(shape) == 2:
            return self.network
        g = Graph()
        x = g.argument("x", base.graph[base.output].shape)
        shaped = Function(g, x.number, {}, reshape(x, shape).number)
        network = self.network
        return replace(network, infer=joined(shaped, network.infer), train=joined(shaped, network.train))

    def _in_order(self, g: Graph, function: Function, data: list[str]) -> Graph:
        """The inputs as the files' contract has them: data, then parameters."""
        names = {"x": "bottleneck", "y": "labels"}
        given = {names[k]: g.inputs[k] for k in data} | {p: function.variables[p] for p in self.parameters}
        for name, number in given.items():
            g.rename(number, name)
        g.inputs = given
        return g


def softmax_head(bottleneck_shape: Shape, classes: int, batch: int, l2: float | None = None) -> Head:
    """``softmax(x ws + bs)`` with cross-entropy and, where ``l2`` is given, ``l2 * sum(ws^2)``."""
    features = math.prod(bottleneck_shape)
    weights = {"ws": Weight(np.zeros((features, classes), np.float32), 0)}
    weights["bs"] = Weight(np.zeros(classes, np.float32), 0, bias=True)
    g = Graph()
    x = g.argument("x", (-1, *bottleneck_shape))
    ws, bs = (g.argument(name, w.value.shape) for name, w in weights.items())
    logits = (matmul(reshape(x, (-1, features)), ws).named("product") + bs).named("logits")
    with g.scope("l2"):
        penalty = None if l2 is None else (total(square(ws), [0, 1]) * g.number("l2", l2)).named("l2/penalty").number
    variables = {"ws": ws.number, "bs": bs.number}
    function = Function(g, x.number, variables, logits.number, penalty=penalty)
    infer = pruned(Function(g, x.number, variables, logits.number))
    return Head(Network(infer, function, weights, "the head"), batch, {"type": "softmax", "l2": l2})
