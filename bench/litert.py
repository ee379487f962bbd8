"""The base line: LiteRT's bare ``invoke`` of train_head and optimizer, without any copy to or from Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tflite_transfer.backends.base import Array


class Invoke:
    """The interpreters of one step, their inputs filled once. B, F and C are those of the files."""

    def __init__(self, contents: dict[str, bytes], bottlenecks: Array, labels: Array, threads: int) -> None:
        self.train_head = interpreter(contents["train_head"], threads)
        self.optimizer = interpreter(contents["optimizer"], threads)
        first, second, *_ = self.train_head.get_input_details()
        fill(self.train_head, first, bottlenecks.reshape(first["shape"]))
        fill(self.train_head, second, labels)
        for part, skip in ((self.train_head, 2), (self.optimizer, 0)):
            for detail in part.get_input_details()[skip:]:
                fill(part, detail, np.full(detail["shape"], 1e-3, np.float32))

    def __call__(self) -> None:
        self.train_head.invoke()
        self.optimizer.invoke()


def interpreter(content: bytes, threads: int) -> Any:
    """Ready to be filled."""
    made = Interpreter(model_content=content, num_threads=threads)
    made.allocate_tensors()
    return made


def fill(interpreter: Any, detail: Any, value: Array) -> None:
    """Set one input."""
    interpreter.set_tensor(detail["index"], np.asarray(value, np.float32))
