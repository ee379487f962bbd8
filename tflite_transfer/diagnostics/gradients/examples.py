"""What a gradient is looked at with, where nobody brings data: random examples, and values beside the file's own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics import inputs as inputs_of
from tflite_transfer.diagnostics.gradients.steps import TrainingStep
from tflite_transfer.diagnostics.training import Batch
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.graph import Tensor
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable

EXAMPLES = 3  # where the file takes any number; one more if that is its own batch, which it may have baked in


def random_batch(model: Trainable, training: TrainingStep, rng: np.random.Generator) -> Batch:
    """Inputs in the model's range, and soft labels: one-hot ones hide what a gradient makes of the others."""
    x, y = training.arguments
    free = -1 in (x.free_shape[:1] + y.free_shape[:1])
    count = EXAMPLES + (model.batch == EXAMPLES) if free else x.shape[0]
    low, high = model.input_range if model.image_shape else (-1.0, 1.0)
    return Batch(_x(x, count, (low, high), rng), _y(y, count, model.classes, rng))


def given_batch(model: Trainable, inputs: Mapping[str, Any], seed: int) -> Batch:
    """A first batch of ``inputs``, as ``compare`` takes them; of a model with a base, its bottlenecks."""
    x, y = inputs_of.batches(inputs_of.examples(model, inputs, seed), inputs_of.size_of(model), 1)[0]
    if isinstance(model, Bundle) or (isinstance(model, OneFile) and model.roles.base is not None):
        x = open_backend("numpy", model).bottlenecks(x).reshape(-1, *model.bottleneck_shape)
    return Batch(x, y)


def _x(x: Tensor, count: int, ends: tuple[float, float], rng: np.random.Generator) -> Array:
    shape = (count, *x.shape[1:])
    if x.dtype.kind in "iu":  # bytes of an image, or indices: small ones are in any table
        return rng.integers(0, 256 if x.type == "UINT8" else 2, shape).astype(x.dtype)
    return rng.uniform(*ends, shape)


def _y(y: Tensor, count: int, classes: int, rng: np.random.Generator) -> Array:
    shape = (count, *y.shape[1:])
    if y.dtype.kind in "iu":
        return rng.integers(0, classes, shape).astype(y.dtype)
    values = rng.uniform(0.05, 1, shape)
    return values / values.sum(-1, keepdims=True) if len(shape) > 1 and shape[-1] > 1 else values


def beside(values: Tree, parameters: Iterable[str], rng: np.random.Generator) -> dict[str, Array]:
    """The values with each parameter moved a little: at weights of 0 neither L2 nor a lower layer has a gradient."""
    found = dict(values)
    for p in parameters:
        w = values[p]
        size = math.sqrt(float((w * w).mean())) if w.size else 0.0
        scale = size / 10 if size else 1 / math.sqrt(max(w.shape, default=1))
        found[p] = w + scale * rng.normal(size=w.shape)
    return found
