"""A file of our own: layers of UNIDIRECTIONAL_SEQUENCE_LSTM, which TensorFlow's converter makes of no Keras 3 model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.parity.models.convert import Sample, to_integers
from tests.parity.test_models import quantized
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.enums import ACTIVATIONS

CELLS, CLASSES = 32, 5
GATES = ("input", "forget", "cell", "output")


def sequence_lstm(sample: Sample, kind: str) -> bytes:
    """Two layers of cells and a classifier of what they say last."""
    if kind.startswith("int"):
        return to_integers(sequence_lstm(sample, "float32"), sample, kind)
    g = GraphBuilder()
    new = partial(weights, g, np.random.default_rng(0), kind)
    said = layer(g, new, "first", g.input("x", sample.shape))
    said = layer(g, new, "second", said)
    bounds = {"from": [0, -1, 0], "to": [1, 0, CELLS], "by": [1, 1, 1]}
    places = [g.constant(name, np.array(v, np.int32)) for name, v in bounds.items()]
    last = g.op("STRIDED_SLICE", [said, *places], "last", (1, CELLS), end_mask=2, shrink_axis_mask=2)
    classifier = [last, new("classes", CLASSES, CELLS), new("classes/bias", CLASSES)]
    z = g.op("FULLY_CONNECTED", classifier, "z", (1, CLASSES))
    g.output("y", g.op("SOFTMAX", [z], "y", (1, CLASSES), beta=1.0))
    return write(g.model("serving_default"))


def weights(g: GraphBuilder, rng: np.random.Generator, kind: str, name: str, *shape: int) -> int:
    """A matrix, or a bias, stored as the converter stores it."""
    value = (rng.normal(size=shape) / np.sqrt(shape[-1] if len(shape) > 1 else 10)).astype(np.float32)
    if kind == "float16":
        return g.op("DEQUANTIZE", [g.constant(f"{name}/half", value.astype(np.float16))], name, shape, version=3)
    if kind == "dynamic range" and len(shape) > 1:
        return quantized(g, value, "INT8", per_output=False)[0]
    return g.constant(name, value)


def layer(g: GraphBuilder, new: Callable[..., int], name: str, x: int) -> int:
    """The cells of a layer, without peepholes, projection or normalisation."""
    _, steps, features = g.tensors[x].shape
    inputs = [new(f"{name}/{gate}", CELLS, features) for gate in GATES]
    inputs += [new(f"{name}/{gate}/recurrent", CELLS, CELLS) for gate in GATES]
    biases = [new(f"{name}/{gate}/bias", CELLS) for gate in GATES]
    states = [g.tensor(f"{name}/{state}", (1, CELLS), is_variable=True) for state in ("said", "kept")]
    tensors = [x, *inputs, -1, -1, -1, *biases, -1, -1, *states, -1, -1, -1, -1]
    options = {"fused_activation_function": ACTIVATIONS.index("TANH"), "cell_clip": 10.0}
    return g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", tensors, f"{name}/y", (1, steps, CELLS), **options)
