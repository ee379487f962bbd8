"""The base line: LiteRT's bare ``invoke`` of train_head and optimizer, without any copy to or from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tflite_transfer.backends.base import Array
from tflite_transfer.reference.tflite.graph import Tensor
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.writer import write

THREADS = {1: "", 2: ", 2 threads"}  # how many -> how a side says so
GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
EXAMPLES, SHAPE, FEATURES, CLASSES = 5, (2, 2, 3), 12, 4  # of the files there; SHAPE is a bottleneck's


class Invoke:
    """The two interpreters of a training step. ``step`` fills them; from then on a call invokes both once more."""

    def __init__(self, contents: Mapping[str, bytes], threads: int) -> None:
        self._parts = [interpreter(contents[role], threads) for role in ("train_head", "optimizer")]

    def step(self, x: Array, y: Array, params: Sequence[Array], slots: Sequence[Array]) -> list[Array]:
        """The loss, new parameters, new slots. x (B, F), one-hot y (B, C)."""
        loss, *grads = _run(self._parts[0], [x, y, *params])
        return [loss, *_run(self._parts[1], [*params, *grads, *slots])]

    def __call__(self) -> None:
        for part in self._parts:
            part.invoke()


def interpreter(content: bytes, threads: int) -> Any:
    """Ready to be filled."""
    made = Interpreter(model_content=content, num_threads=threads)
    made.allocate_tensors()
    return made


def fill(interpreter: Any, detail: Any, value: Array) -> None:
    """Set one input."""
    interpreter.set_tensor(detail["index"], np.asarray(value, np.float32).reshape(detail["shape"]))


def _run(part: Any, values: Sequence[Array]) -> list[Array]:
    for detail, value in zip(part.get_input_details(), values, strict=True):
        fill(part, detail, value)
    part.invoke()
    return [part.get_tensor(detail["index"]) for detail in part.get_output_details()]


def upstream(optimizer: str, features: int, classes: int, examples: int) -> dict[str, bytes]:
    """Both files as TensorFlow made them for the original converter, at another size: other operators than ours.

    Their shapes are rewritten, and the two constants that follow from these.
    """
    sizes = {EXAMPLES: examples, FEATURES: features, CLASSES: classes}

    def resized(t: Tensor) -> Tensor:
        if t.data is None:
            shape = (examples, 1, 1, features) if t.shape[1:] == SHAPE else tuple(sizes.get(n, n) for n in t.shape)
            return replace(t, shape=shape)
        if t.data.tolist() == [EXAMPLES, FEATURES]:
            return replace(t, data=np.array([examples, features], t.dtype))
        if t.data.tolist() == np.float32(1 / EXAMPLES):
            return replace(t, data=np.array(1 / examples, t.dtype))
        return t

    found = {}
    for role in ("train_head", "optimizer"):
        model = read(GOLDEN / f"upstream_{optimizer}" / f"{role}.tflite")
        graph = replace(model.main, tensors=tuple(map(resized, model.main.tensors)))
        found[role] = write(replace(model, subgraphs=(graph,)))
    return found
