"""The optimizers' graphs: pure functions (parameters, gradients, state) -> (new parameters, new state)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.builder import GraphBuilder

Shape = tuple[int, ...]


@dataclass(frozen=True)
class SGD:
    """``w' = w - lr g``. No state."""

    learning_rate: float

    def describe(self) -> dict[str, Any]:
        """For the files' metadata."""
        return {"type": "sgd", **asdict(self)}

    def graph(self, parameters: Mapping[str, Shape]) -> GraphBuilder:
        """``ws, bs, grad_ws, grad_bs -> new_ws, new_bs``, for parameters of these names and shapes."""
        g = GraphBuilder()
        weights = {p: g.input(p, shape) for p, shape in parameters.items()}
        grads = {p: g.input(f"grad_{p}", shape) for p, shape in parameters.items()}
        rate = g.constant("learning_rate", np.float32(self.learning_rate))
        for p, shape in parameters.items():
            move = g.op("MUL", [grads[p], rate], f"{p}/move", shape)
            g.output(f"new_{p}", g.op("SUB", [weights[p], move], f"new_{p}", shape))
        return g


@dataclass(frozen=True)
class Adam:
    """Adam, algorithm 1 of Kingma and Ba (https://arxiv.org/abs/1412.6980): epsilon after the bias correction."""

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def describe(self) -> dict[str, Any]:
        """For the files' metadata."""
        return {"type": "adam", **asdict(self)}

    def graph(self, parameters: Mapping[str, Shape]) -> GraphBuilder:
        """``P, grad_P, m_P, v_P, step -> new_P, new_m_P, new_v_P, new_step``, P all parameters in order.

        The formulas are those of ``reference/optimizers.py``; ``1 - beta`` is taken in double, then rounded.
        """
        g = GraphBuilder()
        inputs = {
            prefix: {p: g.input(prefix + p, shape) for p, shape in parameters.items()}
            for prefix in ("", "grad_", "m_", "v_")
        }
        step = g.input("step", ())
        c = self._constants(g)
        new_step = g.op("ADD", [step, c["one"]], "new_step", ())
        c["correction1"] = self._correction(g, c, "beta1", new_step)
        c["correction2"] = self._correction(g, c, "beta2", new_step)
        new = {p: self._one(g, c, p, shape, {k: v[p] for k, v in inputs.items()}) for p, shape in parameters.items()}
        for prefix in ("new_", "new_m_", "new_v_"):
            for p in parameters:
                g.output(prefix + p, new[p][prefix])
        g.output("new_step", new_step)
        return g

    def _constants(self, g: GraphBuilder) -> dict[str, int]:
        values = {
            "one": 1.0, "learning_rate": self.learning_rate, "epsilon": self.epsilon, "beta1": self.beta1,
            "beta2": self.beta2, "1-beta1": 1 - self.beta1, "1-beta2": 1 - self.beta2,
        }  # fmt: skip
        return {name: g.constant(name, np.float32(value)) for name, value in values.items()}

    def _correction(self, g: GraphBuilder, c: dict[str, int], beta: str, step: int) -> int:
        power = g.op("POW", [c[beta], step], f"{beta}^step", ())
        return g.op("SUB", [c["one"], power], f"1-{beta}^step", ())

    def _one(self, g: GraphBuilder, c: dict[str, int], p: str, shape: Shape, given: dict[str, int]) -> dict[str, int]:
        """One parameter's new value and new means."""
        grad = given["grad_"]
        fresh = g.op("MUL", [grad, c["1-beta1"]], f"m_{p}/fresh", shape)
        m = g.op("ADD", [fresh, g.op("MUL", [given["m_"], c["beta1"]], f"m_{p}/kept", shape)], f"new_m_{p}", shape)
        square = g.op("MUL", [grad, grad], f"grad_{p}/square", shape)
        fresh = g.op("MUL", [square, c["1-beta2"]], f"v_{p}/fresh", shape)
        v = g.op("ADD", [fresh, g.op("MUL", [given["v_"], c["beta2"]], f"v_{p}/kept", shape)], f"new_v_{p}", shape)
        rate = g.op(
            "MUL", [g.op("DIV", [m, c["correction1"]], f"m_{p}/hat", shape), c["learning_rate"]], f"{p}/rate", shape
        )
        root = g.op("SQRT", [g.op("DIV", [v, c["correction2"]], f"v_{p}/hat", shape)], f"v_{p}/root", shape)
        scale = g.op("ADD", [root, c["epsilon"]], f"{p}/scale", shape)
        new = g.op("SUB", [given[""], g.op("DIV", [rate, scale], f"{p}/move", shape)], f"new_{p}", shape)
        return {"new_": new, "new_m_": m, "new_v_": v}
