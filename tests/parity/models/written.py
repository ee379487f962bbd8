"""A file of our own: layers of UNIDIRECTIONAL_SEQUENCE_LSTM, which TensorFlow's converter makes of no Keras 3 model."""

from __future__ import annotations

import numpy as np

from tests.parity.models.convert import Sample, quantised
from tests.parity.test_models import quantized
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.enums import ACTIVATIONS

STEPS, CELLS, CLASSES = 12, 32, 5
GATES = ("input", "forget", "cell", "output")


def sequence_lstm(sample: Sample, kind: str) -> bytes:
    """Two layers of cells and a classifier of what they say last."""
    if kind.startswith("int"):
        return quantised(sequence_lstm(sample, "float32"), sample, kind)
    g, rng = GraphBuilder(), np.random.default_rng(0)

    def weights(name: str, *shape: int) -> int:
        value = (rng.normal(size=shape) / np.sqrt(shape[-1] if len(shape) > 1 else 10)).astype(np.float32)
        if kind == "float16":
            return g.op("DEQUANTIZE", [g.constant(f"{name}/half", value.astype(np.float16))], name, shape, version=3)
        if kind == "dynamic range" and len(shape) > 1:
            return quantized(g, value, "INT8", per_output=False)[0]
        return g.constant(name, value)

    def layer(name: str, x: int, features: int) -> int:
        inputs = [weights(f"{name}/{gate}", CELLS, features) for gate in GATES]
        inputs += [weights(f"{name}/{gate}/recurrent", CELLS, CELLS) for gate in GATES]
        biases = [weights(f"{name}/{gate}/bias", CELLS) for gate in GATES]
        states = [g.tensor(f"{name}/{state}", (1, CELLS), is_variable=True) for state in ("said", "kept")]
        options = {"fused_activation_function": ACTIVATIONS.index("TANH"), "cell_clip": 10.0}
        tensors = [x, *inputs, -1, -1, -1, *biases, -1, -1, *states, -1, -1, -1, -1]
        return g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", tensors, f"{name}/y", (1, STEPS, CELLS), **options)

    x = g.input("x", sample.shape)
    y = layer("second", layer("first", x, sample.shape[-1]), CELLS)
    places = [
        g.constant(name, np.array(v, np.int32))
        for name, v in (("from", [0, -1, 0]), ("to", [1, 0, CELLS]), ("by", [1, 1, 1]))
    ]
    last = g.op("STRIDED_SLICE", [y, *places], "last", (1, CELLS), end_mask=2, shrink_axis_mask=2)
    z = g.op(
        "FULLY_CONNECTED",
        [last, weights("classes", CLASSES, CELLS), weights("classes/bias", CLASSES)],
        "z",
        (1, CLASSES),
    )
    g.output("y", g.op("SOFTMAX", [z], "y", (1, CLASSES), beta=1.0))
    return write(g.model("serving_default"))
