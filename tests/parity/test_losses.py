"""The losses against Keras' own: values, and gradients for the prediction, by every backend."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.operators import RESOLVERS, Array
from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.training.losses import LOSSES
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.graph import Model

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
# |a - b| in units of 2^-24 of the largest |loss| or |gradient|. The largest seen: 4.9 and 2.3.
LOSS, GRADIENT = 10.0, 5.0
THEIRS = {
    "categorical_crossentropy": lambda: tf.keras.losses.CategoricalCrossentropy(from_logits=True),
    "sparse_categorical_crossentropy": lambda: tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "binary_crossentropy": lambda: tf.keras.losses.BinaryCrossentropy(from_logits=True),
    "mean_squared_error": lambda: tf.keras.losses.MeanSquaredError(),
    "mean_absolute_error": lambda: tf.keras.losses.MeanAbsoluteError(),
}
SCALES = (1.0, 30.0, 1e4)


class Data(NamedTuple):
    """Predictions or logits, and labels."""

    loss: str
    told: str
    z: Array
    y: Array


def data() -> list[Data]:
    found = []
    for name, loss in LOSSES.items():
        for shape in ((5, 4), (1, 4), (3, 7, 4), (2, 3, 5, 4), (6, 1)):
            for scale in SCALES:
                rng = np.random.default_rng([len(name), *shape])
                z = (scale * rng.normal(size=shape)).astype(np.float32)
                if shape[-1] > 1 or name not in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
                    kinds = (
                        {"numbers": rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)}
                        if loss.sparse
                        else _soft(z, rng)
                    )
                    found += [Data(name, f"{name} {shape} x{scale:g} {kind}", z, y) for kind, y in kinds.items()]
    return found


def _soft(z: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Labels that are 0 or 1, those between, and for a loss of numbers the prediction itself."""
    between = rng.random(z.shape).astype(np.float32)
    whole = between.sum(-1, keepdims=True) if z.shape[-1] > 1 else np.float32(1)
    return {"hard": (between == between.max(-1, keepdims=True)).astype(np.float32), "soft": between / whole, "equal": z}


DATA = [d for d in data() if "equal" not in d.told or d.loss.startswith("mean")]


def file_of(given: Data) -> Model:
    """``z, y -> loss, gradient``, for any number of examples."""
    graph = Graph()
    z = graph.argument("z", (-1, *given.z.shape[1:]))
    y = graph.argument("y", (-1, *given.y.shape[1:]), "INT32" if LOSSES[given.loss].sparse else "FLOAT32")
    loss, gradient = LOSSES[given.loss].formula(z, y)
    graph.result("loss", loss)
    graph.result("gradient", gradient)
    return graph.model("run")


def by_keras(given: Data) -> dict[str, Array]:
    with tf.GradientTape() as tape:
        tape.watch(z := tf.constant(given.z))
        loss = THEIRS[given.loss]()(given.y, z)
    return {"loss": loss.numpy(), "gradient": tape.gradient(loss, z).numpy()}


def sides(given: Data) -> dict[str, dict[str, Array]]:
    model, inputs = file_of(given), {"z": given.z, "y": given.y}
    found = {"numpy": Interpreter(model).run("run", **inputs), "keras": by_keras(given)}
    for resolver, kernels in RESOLVERS.items():
        interpreter = LiteRT(model_content=write(model), experimental_op_resolver_type=kernels, num_threads=1)
        found[resolver] = interpreter.get_signature_runner("run")(**inputs)
    return found


def apart(given: Data) -> dict[str, float]:
    """The largest difference of loss and gradient from float64, over all sides."""
    exact = Interpreter(file_of(given), precision="float64").run("run", z=given.z, y=given.y)
    worst = {"loss": 0.0, "gradient": 0.0}
    for found in sides(given).values():
        for what, value in exact.items():
            assert found[what].shape == value.shape
            terms = 1 / given.z[..., 0].size  # a cross-entropy's probabilities, which may cancel
            largest = max(float(np.abs(value).max()), terms)
            worst[what] = max(worst[what], float(np.abs(found[what] - value).max()) / largest * 2**24)
    return worst


@pytest.mark.parametrize("given", DATA, ids=lambda d: d.told)
def test_loss_and_gradient_are_keras(given: Data) -> None:
    worst = apart(given)
    assert worst["loss"] <= LOSS
    assert worst["gradient"] <= GRADIENT


def test_every_loss_is_tested() -> None:
    assert set(THEIRS) == set(LOSSES) == {d.loss for d in DATA}
