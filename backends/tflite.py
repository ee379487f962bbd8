"""LiteRT runs the five files: one interpreter each, made once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, Steps, Tree, train_by_steps
from tflite_transfer.reference.tflite.bundle import ROLES, Bundle
from tflite_transfer.reference.tflite.errors import ModelError, ShapeError, missing_extra


class TFLiteBackend:
    """See ``Backend``. Tensors go by name through the bundle, by position into the interpreter.

    Raises MissingExtraError where ai-edge-litert is not installed, ModelError where LiteRT refuses a file.
    """

    name = "tflite"

    def __init__(self, bundle: Bundle, num_threads: int | None = None) -> None:
        self.bundle = bundle
        self._models = {role: _Model(role, bundle.contents[role], num_threads) for role in ROLES}

    def initialize(self) -> Tree:
        values = self._models["initialize"]([np.float32(0)])
        return dict(zip(self.bundle.parameters, values, strict=True))

    def bottlenecks(self, images: Array) -> Array:
        return self._models["bottleneck"].by_rows(images, []).reshape(len(images), -1)

    def gradients(self, params: Tree, bottlenecks: Array, labels: Array) -> tuple[np.float32, Tree]:
        inputs = [self._shaped(bottlenecks), labels, *(params[k] for k in self.bundle.parameters)]
        loss, *grads = self._models["train_head"](inputs)
        return np.float32(loss), dict(zip(self.bundle.parameters, grads, strict=True))

    def update(self, params: Tree, grads: Tree, slots: Tree) -> tuple[Tree, Tree]:
        names = self.bundle.parameters
        inputs = [*(params[k] for k in names), *(grads[k] for k in names), *(slots[k] for k in self.bundle.slots)]
        values = self._models["optimizer"](inputs)
        new = dict(zip(names, values[: len(names)], strict=True))
        return new, dict(zip(self.bundle.slots, values[len(names) :], strict=True))

    def train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        return train_by_steps(self, params, slots, bottlenecks, classes, batches)

    def predict(self, params: Tree, bottlenecks: Array) -> Array:
        weights = [params[k] for k in self.bundle.parameters]
        return self._models["inference"].by_rows(self._shaped(bottlenecks), weights)

    def kernels(self) -> dict[str, str]:
        return dict.fromkeys(ROLES, "LiteRT")

    def _shaped(self, bottlenecks: Array) -> Array:
        return bottlenecks.reshape(len(bottlenecks), *self.bundle.bottleneck_shape)


class _Model:
    """One interpreter: arrays in by position, copies of the results out; one call at a time."""

    def __init__(self, role: str, content: bytes, num_threads: int | None) -> None:
        self.role = role
        self.lock = threading.Lock()
        try:
            self.interpreter: Any = _interpreter_class()(model_content=content, num_threads=num_threads)
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as e:
            raise ModelError(f"LiteRT refuses {role}.tflite: {_first_line(e)}") from e
        self.inputs: list[dict[str, Any]] = self.interpreter.get_input_details()
        self.outputs: list[dict[str, Any]] = self.interpreter.get_output_details()
        self.shapes = [tuple(d["shape"]) for d in self.inputs]

    def by_rows(self, batch: Array, rest: Sequence[Array]) -> Array:
        """The first output for a batch: in one call where the file leaves the batch free, else row by row."""
        if self.inputs[0]["shape_signature"][0] == -1:
            return self([batch, *rest])[0]
        return np.concatenate([self([row[None], *rest])[0] for row in batch])

    def __call__(self, values: Sequence[Array | np.generic]) -> list[Array]:
        with self.lock:
            try:
                self._fit([np.shape(v) for v in values])
                for detail, value in zip(self.inputs, values, strict=True):
                    self.interpreter.set_tensor(detail["index"], np.asarray(value, np.float32))
                self.interpreter.invoke()
            except (ValueError, RuntimeError) as e:
                raise ShapeError(f"LiteRT cannot run {self.role}.tflite on these inputs: {_first_line(e)}") from e
            return [self.interpreter.get_tensor(d["index"]) for d in self.outputs]

    def _fit(self, shapes: list[tuple[int, ...]]) -> None:
        if shapes == self.shapes:
            return
        self.shapes = []  # unknown, should LiteRT refuse the new ones
        for detail, shape in zip(self.inputs, shapes, strict=True):
            self.interpreter.resize_tensor_input(detail["index"], shape)
        self.interpreter.allocate_tensors()
        self.shapes = shapes


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as e:
        raise missing_extra("ai-edge-litert", "the TFLite backend", "tflite") from e
    return Interpreter


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
