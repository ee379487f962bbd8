"""LiteRT runs the five files: one interpreter each, made once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.reference.tflite.bundle import ROLES, Bundle
from tflite_transfer.reference.tflite.errors import ModelError, ShapeError, missing_extra
from tflite_transfer.reference.tflite.graph import Operator


class TFLiteBackend(GraphBackend):
    """See ``Backend``. Raises MissingExtraError without ai-edge-litert, ModelError where LiteRT refuses a file."""

    name = "tflite"

    def __init__(self, bundle: Bundle, num_threads: int | None = None) -> None:
        super().__init__(bundle)
        self._models = {role: _Model(role, bundle.contents[role], num_threads) for role in ROLES}

    def run(self, role: str, *values: Any) -> Sequence[Array]:
        return self._models[role](values)


class _Model:
    """One interpreter: arrays in by position, copies of the results out; one call at a time."""

    def __init__(self, role: str, content: bytes, num_threads: int | None) -> None:
        self.role = role
        self.lock = threading.Lock()
        try:
            self.interpreter: Any = interpreter_class()(model_content=content, num_threads=num_threads)
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as e:
            raise ModelError(f"LiteRT refuses {role}.tflite: {first_line(e)}") from e
        self.inputs: list[dict[str, Any]] = self.interpreter.get_input_details()
        self.outputs: list[dict[str, Any]] = self.interpreter.get_output_details()
        self.shapes = [tuple(d["shape"]) for d in self.inputs]

    def __call__(self, values: Sequence[Array | np.generic]) -> list[Array]:
        with self.lock:
            try:
                self._fit([np.shape(v) for v in values])
                for detail, value in zip(self.inputs, values, strict=True):
                    self.interpreter.set_tensor(detail["index"], np.asarray(value))
                self.interpreter.invoke()
            except (ValueError, RuntimeError) as e:
                raise ShapeError(f"LiteRT cannot run {self.role}.tflite on these inputs: {first_line(e)}") from e
            return [self.interpreter.get_tensor(d["index"]) for d in self.outputs]

    def _fit(self, shapes: list[tuple[int, ...]]) -> None:
        if shapes == self.shapes:
            return
        self.shapes = []  # unknown, should LiteRT refuse the new ones
        for detail, shape in zip(self.inputs, shapes, strict=True):
            # Strict: only what the file leaves free may change, else LiteRT would run on sizes that make no sense.
            self.interpreter.resize_tensor_input(detail["index"], shape, strict=True)
        self.interpreter.allocate_tensors()
        self.shapes = shapes


def interpreter_class() -> Any:
    """LiteRT's interpreter. Raises MissingExtraError where ai-edge-litert is not installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as e:
        raise missing_extra("ai-edge-litert", "the TFLite backend", "tflite") from e
    return Interpreter


def first_line(error: Exception) -> str:
    """What of an error's text fits into a message of one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# Custom operators that the pip package registers beside the builtin ones, and builtin ones that it has no kernel for:
# tests/parity/test_litert_operators.py finds both out again.
CUSTOM = frozenset(
    {"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess", "aeq.hadamard_rotation"}
)
WITHOUT = frozenset(
    """
    CALL CONCAT_EMBEDDINGS STABLEHLO_ABS STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CBRT STABLEHLO_CLAMP STABLEHLO_COMPARE
    STABLEHLO_CONCATENATE STABLEHLO_CONVERT STABLEHLO_CONVOLUTION STABLEHLO_COSINE STABLEHLO_CUSTOM_CALL
    STABLEHLO_DIVIDE STABLEHLO_DOT_GENERAL STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
    STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_IOTA STABLEHLO_LOG STABLEHLO_LOGISTIC STABLEHLO_NEGATE
    STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REDUCE STABLEHLO_REMAINDER STABLEHLO_RESHAPE STABLEHLO_RSQRT
    STABLEHLO_SELECT STABLEHLO_SLICE STABLEHLO_SORT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_TRANSPOSE
    STABLEHLO_WHILE
    """.split()  # noqa: SIM905
)


def has_kernel(operator: Operator) -> bool:
    """Does LiteRT's pip package run this operator, of whatever version and types?"""
    return operator.name in CUSTOM if operator.opcode == "CUSTOM" else operator.opcode not in WITHOUT
