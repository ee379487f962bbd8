"""Heads of the user's own that TensorFlow made, on a base from a .tflite: their gradients are TensorFlow's."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.small_networks import cnn
from tflite_transfer import TransferLearningModel
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.reference.tflite.errors import ModelError

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
BACKENDS = ("numpy", "tflite")
BATCH = 6


def head(features: int = 64) -> Any:
    """A regularised layer, a frozen one, a batch norm with means that no gradient moves, and logits of 3 classes."""
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential(
        [
            tf.keras.Input((features,)),
            layers.Dense(8, activation="relu", kernel_regularizer=tf.keras.regularizers.L2(0.1)),
            layers.Dense(8, trainable=False),
            layers.BatchNormalization(),
            layers.Dense(3),
        ]
    )
    rng = np.random.default_rng(0)
    for v in model.weights:
        v.assign(v + 0.1 * rng.random(v.shape))
    return model


def options(folder: Path, **given: Any) -> ConversionOptions:
    (folder / "base.tflite").write_bytes(cnn())
    return ConversionOptions(
        folder / "model", "adam", base_tflite=folder / "base.tflite", base_layer="flat/rows", train_batch_size=BATCH,
        adam_learning_rate=0.01, **given,
    )  # fmt: skip


def saved(model: Any, folder: Path, form: str) -> dict[str, Path]:
    """The head as the files of one option."""
    if form == "head_keras_model":
        model.save(folder / "head.keras")
        return {form: folder / "head.keras"}
    model.export(folder / "head", verbose=False)
    return {form: folder / "head"}


@pytest.mark.parametrize("form", ["head_keras_model", "head_model_dir"])
def test_loss_and_gradients_are_tensorflow_s(form: str, tmp_path: Path) -> None:
    """A SavedModel holds what the network computes, and no regulariser."""
    model, rng = head(), np.random.default_rng(2)
    bundle = load_bundle(convert(options(tmp_path, **saved(model, tmp_path, form))))
    x, y = rng.normal(size=(BATCH, 64)).astype(np.float32), np.eye(3, dtype=np.float32)[rng.integers(3, size=BATCH)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, model(x, training=False)))
        if form == "head_keras_model":
            loss += tf.add_n(model.losses)
    expected = tape.gradient(loss, model.trainable_variables)
    assert len(bundle.parameters) == len(model.trainable_variables) == 6  # of 12 variables
    for name in BACKENDS:
        backend = open_backend(name, bundle)
        assert isinstance(backend, GraphBackend)
        params, _ = backend.initialize()
        ours, gradients = backend.gradients(params, x, y)
        assert abs(float(ours) - float(loss)) < 1e-6 * float(loss)
        for (key, gradient), theirs in zip(gradients.items(), expected, strict=True):
            assert np.abs(gradient - theirs).max() < 1e-6 * np.abs(theirs).max(), key  # seen: 2.7e-7


@pytest.mark.parametrize("form", ["head_keras_model", "head_model_dir"])
def test_five_files_and_one_learn_on_both_backends(form: str, tmp_path: Path) -> None:
    # Not Adam: it divides what is 0 but for rounding by its own size, as a gradient before a batch norm may be.
    given = {"optimizer": "sgd", "adam_learning_rate": None, "sgd_learning_rate": 0.05}
    chosen = replace(options(tmp_path, **saved(head(), tmp_path, form)), **given)
    one = convert(replace(chosen, out_model_dir=None, one_file=tmp_path / "one.tflite"))
    images = np.random.default_rng(0).random((18, 8, 8, 3), np.float32)
    found = {}
    for path in (convert(chosen), one):
        for name in BACKENDS:
            with TransferLearningModel(path, ["a", "b", "c"], backend=name, seed=2) as learner:
                learner.add_samples((image, "abc"[n % 3]) for n, image in enumerate(images))
                found[path.name, name] = learner.train(4).result()
    for run in ("model", "one.tflite"):
        ours, theirs = (np.array(found[run, name]) for name in BACKENDS)
        assert ours[-1] < 0.95 * ours[0]
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)  # seen: 1.3e-7


def test_what_takes_other_bottlenecks_is_refused(tmp_path: Path) -> None:
    chosen = options(tmp_path, **saved(head(65), tmp_path, "head_model_dir"))
    with pytest.raises(ModelError, match=r"head takes \(65,\) for each example, and the base gives \(64,\)"):
        convert(chosen)
    assert not (tmp_path / "model").exists()
