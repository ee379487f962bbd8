"""The base line: LiteRT's bare ``invoke`` of train_head and optimizer, without any copy to or from Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tflite_transfer.backends.base import Array


class Invoke:
    """The interpreters of one step, their inputs filled once. B, F and C are those of the files."""

    def __init__(self, contents: dict[str, bytes], bottlenecks: Array, labels: Array, threads: int) -> None:
        self.train_head = _interpreter(contents["train_head"], threads)
        self.optimizer = _interpreter(contents["optimizer"], threads)
        first, second, *_ = self.train_head.get_input_details()
        _set(self.train_head, first, bottlenecks.reshape(first["shape"]))
        _set(self.train_head, second, labels)
        for interpreter, skip in ((self.train_head, 2), (self.optimizer, 0)):
            for detail in interpreter.get_input_details()[skip:]:
                _set(interpreter, detail, np.full(detail["shape"], 1e-3, np.float32))

    def __call__(self) -> None:
        self.train_head.invoke()
        self.optimizer.invoke()


def _interpreter(content: bytes, threads: int) -> Any:
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def _set(interpreter: Any, detail: Any, value: Array) -> None:
    interpreter.set_tensor(detail["index"], np.asarray(value, np.float32))
