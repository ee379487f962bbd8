"""Does an exported file say what the model says? B examples, C classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.backends.runner import open_runner
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable


@dataclass(frozen=True)
class Parity:
    """How far the outputs of two files are apart on some examples."""

    backend: str
    examples: int
    worst: float  # the largest |difference|
    largest: float  # the largest |output|
    agreement: float | None  # share of examples whose surest class is the same; None where there are no classes


def compared(model: Trainable, params: Tree, content: bytes, x: Array, backend: str) -> Parity:
    """The model with these parameters, and the exported file, both run by one backend on x (B, ...)."""
    file = open_runner(backend, content)
    key = "image" if model.image_shape else "x"
    ours = np.concatenate([file.run("serving_default", **{key: row[None]})["output"] for row in x])
    theirs = _inferred(model, params, x, backend)
    same = float((ours.argmax(axis=-1) == theirs.argmax(axis=-1)).mean()) if ours.shape[-1] > 1 else None
    worst, largest = float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())
    return Parity(backend, len(x), worst, largest, same)


def _inferred(model: Trainable, params: Tree, x: Array, backend: str) -> Array:
    if isinstance(model, OneFile):
        runs = open_runner(backend, model.content)
        runs.assign(params)
        (argument,) = model.signature("infer").inputs
        return runs.run("infer", **{argument: x})[model.roles.infer.result]
    five = open_backend(backend, model)
    return five.predict(params, five.bottlenecks(x))
