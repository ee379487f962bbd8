"""The step of five files: train_head and optimizer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.gradients.steps import Stepped, oracle
from tflite_transfer.diagnostics.training import Batch
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.graph import Tensor
from tflite_transfer.reference.tflite.splice import prune


@dataclass(frozen=True)
class FiveFiles:
    """train_head and optimizer."""

    bundle: Bundle

    @property
    def source(self) -> str:
        return "train_head.tflite"

    @property
    def knows_rate(self) -> bool:
        return True

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.bundle.parameters)

    @property
    def unknown(self) -> tuple[str, ...]:
        return ()

    @property
    def state(self) -> tuple[str, ...]:
        return tuple(self.bundle.slots)

    @property
    def written(self) -> tuple[str, ...]:
        return self.state

    @property
    def arguments(self) -> tuple[Tensor, Tensor]:
        graph = self.bundle.models["train_head"].main
        return graph.tensors[graph.inputs[0]], graph.tensors[graph.inputs[1]]

    def first(self) -> dict[str, Array]:
        values = Interpreter(self.bundle.models["initialize"]).call(np.float32(0))
        slots = {name: np.zeros(shape) for name, shape in self.bundle.slots.items()}
        return _in_double({**dict(zip(self.parameters, values, strict=True)), **slots})

    def loss(self, values: Tree, batch: Batch) -> float:
        return float(self._loss.call(*batch, *(values[p] for p in self.parameters))[0])

    def step(self, values: Tree, batch: Batch) -> Stepped:
        params = [values[p] for p in self.parameters]
        loss, *grads = self._train_head.call(*batch, *params)
        after = self._optimizer.call(*params, *grads, *(values[s] for s in self.state))
        names = (*self.parameters, *self.state)
        return Stepped(
            float(loss), dict(zip(self.parameters, grads, strict=True)), dict(zip(names, after, strict=True))
        )

    def candidates(self, parameter: str, values: Tree, batch: Batch) -> dict[int, Array]:  # noqa: ARG002
        """None: train_head's results are the gradients."""
        return {}

    @cached_property
    def _loss(self) -> Interpreter:
        model = self.bundle.models["train_head"]
        graph, _ = prune(model.main, model.main.outputs[:1])
        return oracle(replace(model, subgraphs=(graph,), signatures=()))

    @cached_property
    def _train_head(self) -> Interpreter:
        return oracle(self.bundle.models["train_head"])

    @cached_property
    def _optimizer(self) -> Interpreter:
        return oracle(self.bundle.models["optimizer"])


def _in_double(values: Tree) -> dict[str, Array]:
    return {n: np.asarray(v, np.float64) if v.dtype.kind == "f" else v for n, v in values.items()}
