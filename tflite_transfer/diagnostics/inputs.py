"""What the runs are given: the caller's arrays, or numbers drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_transfer.backends.base import one_hot
from tflite_transfer.diagnostics.sides import Source
from tflite_transfer.diagnostics.training import Batch
from tflite_transfer.reference.signatures import arguments, names
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import DataError, OptionError, ShapeError
from tflite_transfer.reference.tflite.graph import Array, Tensor
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable

EXAMPLES = 8  # of a batch that may have any size


def values(source: Source, inputs: Mapping[str, Any] | None, seed: int) -> list[Array]:
    """A signature's arguments by position. Raises ShapeError where ``inputs`` does not fit."""
    found = names(source.model, source.key)
    graph = source.model.subgraphs[found.subgraph]
    if inputs is None:
        rng = np.random.default_rng(seed)
        return [drawn(graph.tensors[i], rng) for i in graph.inputs]
    if set(inputs) != set(found.inputs):
        raise OptionError(f"{source.name} takes {sorted(found.inputs)}, and was given {sorted(inputs)}.")
    given = arguments(source.model, found, inputs)
    by_number = {i: given[name] for name, i in found.inputs.items()}
    return [by_number[i] for i in graph.inputs]


def drawn(tensor: Tensor, rng: np.random.Generator) -> Array:
    """Numbers for an input: floats from 0 to 1, of stored integers any, else 0 and 1. A free size is the file's."""
    dtype = tensor.dtype
    if dtype.kind == "f":
        return rng.random(tensor.shape).astype(dtype)
    if dtype.kind == "O":
        raise OptionError(f"{tensor.name} takes texts, which nothing draws: give it as an input.")
    if dtype.kind in "iu" and (dtype.itemsize == 1 or tensor.quantization is not None):
        ends = np.iinfo(dtype)
        return rng.integers(ends.min, ends.max, tensor.shape, dtype, endpoint=True)
    return rng.integers(0, 2, tensor.shape).astype(dtype)


def examples(model: Trainable, inputs: Mapping[str, Any] | None, seed: int) -> Batch:
    """Data (N, ...) as the model takes them, labels (N, ...) as its training does. Raises DataError, ShapeError.

    ``inputs`` are ``x``, images in the model's own range, and ``y``, which may be class numbers (N,).
    """
    rng = np.random.default_rng(seed)
    if inputs is None:
        count = size_of(model)
        return Batch(_x(model, count, rng), _y(model, rng.integers(0, model.classes, count), count, rng))
    if set(inputs) != {"x", "y"}:
        raise OptionError(f"a model that trains takes the inputs x and y, and was given {sorted(inputs)}.")
    x, y = np.asarray(inputs["x"]), np.asarray(inputs["y"])
    if x.ndim == 0 or x.shape[:1] != y.shape[:1] or len(x) == 0:
        raise DataError(f"x and y must hold as many examples, at least one, but are {x.shape} and {y.shape}.")
    numbers = y.dtype.kind in "iu" and y.ndim == 1
    if isinstance(model, Bundle) and not numbers and (y.dtype.kind != "f" or y.shape[1:] != (model.classes,)):
        raise ShapeError(f"y must be whole class numbers, or floats (N, {model.classes}), but is {y.dtype} {y.shape}.")
    if numbers and not 0 <= y.min() <= y.max() < model.classes:
        raise DataError(f"class numbers must be 0 to {model.classes - 1}, but are {y.min()} to {y.max()}.")
    shape = model.image_shape if isinstance(model, Bundle) else model.x.free_shape[1:]  # type: ignore[attr-defined]
    if len(shape) != x.ndim - 1 or any(n not in (-1, m) for n, m in zip(shape, x.shape[1:], strict=True)):
        raise ShapeError(f"x must hold examples of {shape}, but is {x.shape}.")
    return Batch(x, _y(model, y, len(y), rng) if numbers else y)


def size_of(model: Trainable) -> int:
    """B: the file's batch where it is fixed."""
    if isinstance(model, OneFile):
        x = model.model.subgraphs[model.signature(model.roles.train.key).subgraph].tensors[
            model.signature(model.roles.train.key).inputs[model.roles.train.argument]
        ]
        return x.shape[0] if x.free_shape[0] != -1 else min(EXAMPLES, model.batch)
    return model.batch


def _x(model: Trainable, count: int, rng: np.random.Generator) -> Array:
    low, high = model.input_range
    if isinstance(model, OneFile):
        if model.x.dtype.kind != "f":
            return drawn(Tensor("x", (count, *model.x.shape[1:]), model.x.type), rng)
        return (low + (high - low) * rng.random((count, *model.x.shape[1:]))).astype(model.x.dtype)
    return (low + (high - low) * rng.random((count, *model.image_shape))).astype(np.float32)


def _y(model: Trainable, numbers: Array, count: int, rng: np.random.Generator) -> Array:
    """Class numbers as the training takes them; where it takes no classes, any numbers."""
    if not isinstance(model, OneFile):
        return one_hot(numbers, model.classes)
    if model.sparse:
        return numbers.astype(np.int32)
    signature = model.signature(model.roles.train.key)
    tensor = model.model.subgraphs[signature.subgraph].tensors[signature.inputs[model.roles.labels]]
    if model.binary:
        return numbers[:, None].astype(np.float32)
    if model.classifies and len(tensor.shape) == 2:
        return one_hot(numbers, tensor.shape[-1])
    return rng.random((count, *tensor.shape[1:])).astype(tensor.dtype)


def batches(all_of_them: Batch, size: int, steps: int) -> list[Batch]:
    """So many batches, from the first example on, and again from there when they are used up."""
    count = len(all_of_them.x)
    rows = [np.arange(k * size, (k + 1) * size) % count for k in range(steps)]
    return [Batch(all_of_them.x[r], all_of_them.y[r]) for r in rows]
