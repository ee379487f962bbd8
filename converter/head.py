"""The softmax head's graphs: initialize, train_head and inference. Builtin operators only.

B examples, S bottleneck without the batch, F = prod(S) features, C classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tflite_transfer.reference.tflite.builder import GraphBuilder

Shape = tuple[int, ...]


@dataclass(frozen=True)
class SoftmaxHead:
    """``softmax(x ws + bs)`` with cross-entropy and, where ``l2`` is given, ``l2 * sum(ws^2)``."""

    bottleneck_shape: Shape  # S
    classes: int  # C
    batch: int  # B, the size in the file's shapes; any other may be given
    l2: float | None = None

    @property
    def parameters(self) -> dict[str, Shape]:
        """The parameters in the files' order."""
        return {"ws": (math.prod(self.bottleneck_shape), self.classes), "bs": (self.classes,)}

    def initialize(self) -> GraphBuilder:
        """``zero () -> ws, bs``, each filled with the input, which is 0: it only keeps the file small."""
        g = GraphBuilder()
        zero = g.input("zero", ())
        for name, shape in self.parameters.items():
            dims = g.constant(f"{name}/shape", np.array(shape, np.int32))
            g.output(name, g.op("FILL", [dims, zero], name, shape))
        return g

    def inference(self) -> GraphBuilder:
        """``bottleneck (1, S), ws, bs -> output (1, C)``, the probabilities."""
        g = GraphBuilder()
        x = g.input("bottleneck", (-1, *self.bottleneck_shape))
        ws, bs = (g.input(name, shape) for name, shape in self.parameters.items())
        logits = self._logits(g, self._flat(g, x), ws, bs)
        g.output("output", g.op("SOFTMAX", [logits], "output", (-1, self.classes), beta=1.0))
        return g

    def train_head(self) -> GraphBuilder:
        """``bottleneck (B, S), labels (B, C), ws, bs -> loss (), grad_ws, grad_bs``.

        The formulas are those of ``reference/head.py``. The gradient is divided by the batch that comes, not by B.
        """
        g = GraphBuilder(batch=self.batch)
        x = g.input("bottleneck", (-1, *self.bottleneck_shape))
        y = g.input("labels", (-1, self.classes))
        ws, bs = (g.input(name, shape) for name, shape in self.parameters.items())
        flat = self._flat(g, x)
        logits = self._logits(g, flat, ws, bs)
        rows = (-1, self.classes)
        error = g.op("SUB", [g.op("SOFTMAX", [logits], "probabilities", rows, beta=1.0), y], "error", rows)
        loss = self._cross_entropy(g, logits, y)
        mean_error = g.op("DIV", [error, _examples(g, y)], "mean_error", rows)
        name = "grad_ws" if self.l2 is None else "grad_ws/data"
        grad_ws = g.op("BATCH_MATMUL", [flat, mean_error], name, self.parameters["ws"], adj_x=True)
        if self.l2 is not None:
            loss, grad_ws = self._decay(g, loss, grad_ws, ws, self.l2)
        axis = g.constant("examples/axis", np.array([0], np.int32))
        grad_bs = g.op("MEAN", [error, axis], "grad_bs", self.parameters["bs"])
        for name, tensor in (("loss", loss), ("grad_ws", grad_ws), ("grad_bs", grad_bs)):
            g.output(name, tensor)
        return g

    def _flat(self, g: GraphBuilder, x: int) -> int:
        if len(self.bottleneck_shape) == 1:
            return x
        features = math.prod(self.bottleneck_shape)
        shape = g.constant("bottleneck/shape", np.array([-1, features], np.int32))
        return g.op("RESHAPE", [x, shape], "bottleneck/flat", (-1, features), new_shape=(-1, features))

    def _logits(self, g: GraphBuilder, flat: int, ws: int, bs: int) -> int:
        rows = (-1, self.classes)
        return g.op("ADD", [g.op("BATCH_MATMUL", [flat, ws], "product", rows), bs], "logits", rows)

    def _cross_entropy(self, g: GraphBuilder, logits: int, y: int) -> int:
        rows = (-1, self.classes)
        terms = g.op("MUL", [y, g.op("LOG_SOFTMAX", [logits], "log_probabilities", rows)], "loss/terms", rows)
        classes_axis = g.constant("classes/axis", np.array([1], np.int32))
        likelihood = g.op("NEG", [g.op("SUM", [terms, classes_axis], "loss/likelihood", (-1,))], "loss/each", (-1,))
        examples_axis = g.constant("loss/axis", np.array([0], np.int32))
        return g.op("MEAN", [likelihood, examples_axis], "loss" if self.l2 is None else "loss/mean", ())

    def _decay(self, g: GraphBuilder, loss: int, grad_ws: int, ws: int, l2: float) -> tuple[int, int]:
        """Loss and gradient with the terms ``l2 sum(ws^2)`` and ``2 l2 ws``."""
        shape = self.parameters["ws"]
        both = g.constant("l2/axes", np.array([0, 1], np.int32))
        squares = g.op("SUM", [g.op("MUL", [ws, ws], "l2/squares", shape), both], "l2/sum", ())
        penalty = g.op("MUL", [squares, g.constant("l2", np.float32(l2))], "l2/penalty", ())
        pull = g.op("MUL", [ws, g.constant("l2/twice", np.float32(2 * l2))], "l2/pull", shape)
        return g.op("ADD", [loss, penalty], "loss", ()), g.op("ADD", [grad_ws, pull], "grad_ws", shape)


def _examples(g: GraphBuilder, y: int) -> int:
    """The number of rows of y, as a float32 scalar."""
    shape = g.op("SHAPE", [y], "labels/shape", (2,), "INT32", out_type=2)
    first = g.constant("labels/first", np.int32(0))
    count = g.op("GATHER", [shape, first], "examples/count", (), "INT32", axis=0)
    return g.op("CAST", [count], "examples", (), in_data_type=2, out_data_type=0)
