"""LiteRT runs the five files: one interpreter each, made once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, Steps, Tree, one_hot
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.backends.joined import joinable, joined, steps_in_a_row
from tflite_transfer.reference.tflite.bundle import ROLES, Bundle
from tflite_transfer.reference.tflite.errors import ModelError, ShapeError, missing_extra
from tflite_transfer.reference.tflite.graph import Operator
from tflite_transfer.reference.tflite.writer import write


class TFLiteBackend(GraphBackend):
    """See ``Backend``. Raises MissingExtraError without ai-edge-litert, ModelError where LiteRT refuses a file."""

    name = "tflite"

    def __init__(self, bundle: Bundle, num_threads: int | None = None) -> None:
        super().__init__(bundle)
        self._num_threads = num_threads
        self._models = {role: _Model(role, bundle.contents[role], num_threads) for role in ROLES}

    def run(self, role: str, *values: Any) -> Sequence[Array]:
        return self._models[role](values)

    def _train(self, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, batches: Array) -> Steps:
        if not self._chains:
            return super()._train(params, slots, bottlenecks, classes, batches)
        state: Sequence[Array] = [*self._values(params), *(slots[k] for k in self.bundle.slots)]
        x, labels = self._shaped(np.ascontiguousarray(bottlenecks)), one_hot(classes[batches], self.bundle.classes)
        rows = batches.astype(np.intp, copy=False)
        losses, done = np.empty(len(rows), np.float32), 0
        for chain in self._chains:
            end = len(rows) - (len(rows) - done) % chain.steps
            if end > done:
                losses[done:end], state = chain.train(state, x, labels[done:end], rows[done:end])
            done = end
        return Steps(losses, *self._trees(state))

    @cached_property
    def _chains(self) -> list[_Chain]:
        """Of several steps and of one, made when training begins; none where the two files must run apart."""
        if joinable(self.bundle):
            with suppress(ModelError):  # neither the writer nor LiteRT is known to refuse: then apart, as they came
                counts = sorted({steps_in_a_row(self.bundle), 1}, reverse=True)
                return [_Chain(self.bundle, steps, self._num_threads) for steps in counts]
        return []


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
        with self._turn():
            self._fit([np.shape(v) for v in values])
            for detail, value in zip(self.inputs, values, strict=True):
                self.interpreter.set_tensor(detail["index"], np.asarray(value))
            self.interpreter.invoke()
            return [self.interpreter.get_tensor(d["index"]) for d in self.outputs]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One call at a time, and what LiteRT refuses is a ShapeError."""
        with self.lock:
            try:
                yield
            except (ValueError, RuntimeError) as e:
                raise ShapeError(f"LiteRT cannot run {self.role}.tflite on these inputs: {first_line(e)}") from e

    def _fit(self, shapes: list[tuple[int, ...]]) -> None:
        if shapes == self.shapes:
            return
        self.shapes = []  # unknown, should LiteRT refuse the new ones
        for detail, shape in zip(self.inputs, shapes, strict=True):
            # Strict: only what the file leaves free may change, else LiteRT would run on sizes that make no sense.
            self.interpreter.resize_tensor_input(detail["index"], shape, strict=True)
        self.interpreter.allocate_tensors()
        self.shapes = shapes


class _Chain(_Model):
    """K training steps in a row (``joined``): between them nothing leaves LiteRT but the losses."""

    def __init__(self, bundle: Bundle, steps: int, num_threads: int | None) -> None:
        super().__init__("train_head", write(joined(bundle, steps)), num_threads)
        self.steps = steps
        count = len(bundle.parameters) + len(bundle.slots)
        given, left = ([d["index"] for d in side] for side in (self.inputs, self.outputs))
        self.before, self.x, self.y = given[:count], given[count::2], given[count + 1 :: 2]
        self.losses, self.after = left[:steps], left[steps : steps + count]

    def train(
        self, state: Sequence[Array], x: Array, labels: Array, rows: Array
    ) -> tuple[list[Array], Sequence[Array]]:
        """Losses and new state, of steps that K divides. x (N, S) in one piece; each step's labels and rows of x."""
        losses, interpreter = list[Array](), self.interpreter
        data = (len(rows[0]), *x.shape[1:]), labels[0].shape
        with self._turn():
            self._fit([*map(np.shape, state), *(data * self.steps)])
            self._put(state)
            for k in range(0, len(rows), self.steps):
                if k > 0:
                    self._put(interpreter.tensor(i)() for i in self.after)
                self._fill(x, rows[k : k + self.steps], labels[k : k + self.steps])
                interpreter.invoke()
                losses += [interpreter.get_tensor(i) for i in self.losses]
            return losses, [interpreter.get_tensor(i) for i in self.after]

    def _put(self, state: Iterable[Array]) -> None:
        for index, value in zip(self.before, state, strict=True):
            self.interpreter.set_tensor(index, value)

    def _fill(self, x: Array, rows: Array, labels: Array) -> None:
        """Gather K batches where LiteRT reads them. x (N, S), rows (K, B), labels (K, B, C).

        No row is outside, but only told to clip them NumPy gathers there at once. A view must not be kept: LiteRT
        would not run beside it.
        """
        for to, taken, labels_to, y in zip(self.x, rows, self.y, labels, strict=True):
            x.take(taken, axis=0, out=self.interpreter.tensor(to)(), mode="clip")
            self.interpreter.set_tensor(labels_to, y)


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
