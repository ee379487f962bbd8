"""Last layers of many kinds: each step against Keras' own, with TensorFlow's gradients; and against LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.explain.test_walk import started, values
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable
from tflite_transfer.converter.training.losses import LOSSES, Loss, categorical
from tflite_transfer.converter.training.optimizers import SGD
from tflite_transfer.diagnostics.explain.explanation import explained
from tflite_transfer.diagnostics.explain.find_head import NO_LOSS
from tflite_transfer.diagnostics.explain.subject import Asked, start_of
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.errors import UnknownFormError

pytestmark = pytest.mark.tensorflow
IMAGE, RATE = (8, 8, 3), 0.1
# name -> input shape, is the last layer dense, and its layers
Build = Callable[[Any, Any], list]
KINDS: Mapping[str, tuple[tuple[int, ...], bool, Build]] = {
    "no bias": (IMAGE, True, lambda la, _: [la.Flatten(), la.Dense(6, "relu"), la.Dense(4, use_bias=False)]),
    "l1": (IMAGE, True, lambda la, re: [la.Flatten(), la.Dense(4, kernel_regularizer=re.L1(0.01))]),
    "all at once": (IMAGE, True, lambda la, re: [
        la.Flatten(), la.Dense(6, "relu", kernel_regularizer=re.L2(0.01), activity_regularizer=re.L2(0.02)),
        la.Dense(4, kernel_regularizer=re.L1L2(0.01, 0.02), bias_regularizer=re.L2(0.03)),
    ]),
    "orthogonal": (IMAGE, True, lambda la, re: [
        la.Flatten(), la.Dense(4, use_bias=False, kernel_regularizer=re.OrthogonalRegularizer(0.02)),
    ]),
    "convolution": (IMAGE, False, lambda la, re: [
        la.Conv2D(8, 3, activation="relu"), la.GlobalAveragePooling2D(keepdims=True),
        la.Conv2D(4, 1, bias_regularizer=re.L2(0.03)), la.Reshape((4,)), la.Softmax(),
    ]),
    "pooled map": (IMAGE, False, lambda la, _: [
        la.Conv2D(8, 3), la.BatchNormalization(), la.ReLU(), la.Conv2D(4, 1, use_bias=False),
        la.GlobalAveragePooling2D(), la.Softmax(),
    ]),
    "squashed": (IMAGE, False, lambda la, _: [la.Flatten(), la.Dense(4, "tanh"), la.Softmax()]),
    "words": ((7,), True, lambda la, _: [la.Embedding(20, 5), la.GlobalAveragePooling1D(), la.Dense(4, "softmax")]),
    "a softmax within": ((7, 3), True, lambda la, _: [
        la.Dense(4), la.Softmax(), la.Flatten(), la.Dense(4, "softmax"),
    ]),
}  # fmt: skip


def keras_step(net: Any, start: Any) -> dict[str, np.ndarray]:
    """Loss and gradients of the same parameters, and the loss after SGD has moved them."""
    import tensorflow as tf

    given = {name.partition("/")[2]: value for name, value in start.params.items()}
    for v in net.variables:
        v.assign(given[v.path.partition("/")[2]])

    def loss() -> Any:
        out = net(start.batch.pixels, training=True)
        ends_in = type(net.layers[-1]).__name__ == "Softmax" or "softmax" in str(net.layers[-1].get_config())
        log_p = tf.math.log(out) if ends_in else tf.nn.log_softmax(out)
        rows = tf.stack([tf.range(len(start.batch.classes)), tf.constant(start.batch.classes, tf.int32)], axis=1)
        return -tf.reduce_mean(tf.gather_nd(log_p, rows)) + sum(net.losses), tf.exp(log_p)

    with tf.GradientTape() as tape:
        before, p = loss()
    weights = net.trainable_variables
    grads = [tf.convert_to_tensor(g) for g in tape.gradient(before, weights)]
    for v, g in zip(weights, grads, strict=True):
        v.assign_sub(RATE * g)
    after, then = loss()
    found = {v.path.partition("/")[2]: np.asarray(g) for v, g in zip(weights, grads, strict=True)}
    return {**found, "L": np.asarray(before), "L'": np.asarray(after), "p": p.numpy(), "p'": then.numpy()}


def network(kind: str) -> Any:
    import keras

    shape, _, layers = KINDS[kind]
    given = keras.Input(shape, dtype="int32" if kind == "words" else "float32")
    return keras.Sequential([given, *layers(keras.layers, keras.regularizers)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_any_kind_is_keras_own(kind: str, tmp_path: Path) -> None:
    """Seen: losses 3e-7 of their size apart, gradients 5e-7 of the largest, probabilities 3e-7."""
    net, dense = network(kind), KINDS[kind][1]
    model, start = started(make_trainable(net, tmp_path / "a.tflite", TrainingOptions(optimizer=SGD(RATE))))
    told = explained(kind, model, start, precision="float64", batch=True)
    hand, shown = keras_step(net, start), values(told)
    assert told.losses == pytest.approx((float(hand["L"]), float(hand["L'"])), rel=2e-6)
    np.testing.assert_allclose(told.decision.before, hand["p"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(told.decision.after, hand["p'"], rtol=0, atol=2e-6)
    assert names_of(told).keys() == {"W", "b"} - ({"b"} if kind in ("no bias", "orthogonal", "pooled map") else set())
    for letter, name in names_of(told).items():
        theirs = hand[name.partition("/")[2]]
        ours = shown[f"g_{letter}"]
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=0, atol=3e-6 * scale, err_msg=letter)
        moved = shown[f"{letter}'"].reshape(theirs.shape) - start.params[name].reshape(theirs.shape)
        np.testing.assert_allclose(moved, -RATE * theirs, rtol=0, atol=1e-6)
    assert told.agrees
    assert told.unheld == ""
    assert {"softmax", "loss", "dlogits", "batch", "sgd", "after"} < {s.key for s in told.stages}
    assert ("logits" in {s.key for s in told.stages}) == dense
    exact = {v.letter.text: v for s in told.stages for v in s.values if v.exact is not None}
    assert {"z", "p", "L", "g_W", "W'"} <= exact.keys()
    for v in exact.values():
        wide = np.asarray(v.exact)
        assert np.abs(v.array - wide).max() <= 1e-5 * max(1e-3, np.abs(wide).max()), v.letter.text


def names_of(told: Any) -> dict[str, str]:
    """W and b -> the file's names, as the page tells them."""
    symbols = [s for stage in told.stages for s in stage.symbols if s.letter.text in ("W", "b")]
    return {s.letter.text: s.meaning.rpartition("the file's ")[2] for s in symbols if "the file's " in s.meaning}


def test_a_step_on_words_goes_on_from_the_one_before(tmp_path: Path) -> None:
    path = make_trainable(network("words"), tmp_path / "a.tflite", TrainingOptions(optimizer=SGD(RATE)))
    rng = np.random.default_rng(0)
    given = {"x": rng.integers(0, 20, (6, 7)), "y": rng.integers(0, 4, 6)}
    model = load_trainable(path)
    told = [explained("words", model, start_of(model, Asked(path, given=given, step=k))) for k in (1, 2)]
    assert told[1].losses[0] == pytest.approx(told[0].losses[1], rel=1e-6)
    assert told[0].losses[0] > told[0].losses[1] > told[1].losses[1]


def test_after_the_step_dropout_has_the_same_mask(tmp_path: Path) -> None:
    """So what comes of a small step is what the gradient promised; with another mask it is anything."""
    import keras

    la = keras.layers
    layers = [la.Conv2D(8, 3), la.Dropout(0.5), la.Conv2D(4, 1), la.GlobalAveragePooling2D(), la.Softmax()]
    net = keras.Sequential([keras.Input(IMAGE), *layers])
    path = make_trainable(net, tmp_path / "a.tflite", TrainingOptions(optimizer=SGD(0.001)))
    model = load_trainable(path)
    told = explained("dropout", model, start_of(model, Asked(path)), batch=True)
    promised, came = (number(symbol.here) for symbol in told.stages[-1].symbols[:2])
    assert came == pytest.approx(promised, rel=0.05)  # seen: 0.5 %
    assert told.stages[-3].note.endswith("or on chance, as dropout's.")


def test_smoothed_labels_behind_a_layer_that_is_not_dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights and scores are 0, and the loss is ln C: its derivative alone says that it is another."""
    smoothed = Loss(lambda z, y: categorical(z, y * 0.9 + 0.1 / 4), "SOFTMAX")
    monkeypatch.setitem(LOSSES, "categorical_crossentropy", smoothed)
    path = make_trainable(network("squashed"), tmp_path / "a.tflite", TrainingOptions("categorical_crossentropy"))
    model, start = started(path)
    nothing = {name: np.zeros_like(value) for name, value in start.params.items()}
    with pytest.raises(UnknownFormError, match=NO_LOSS):
        explained("smoothed", model, replace(start, params=nothing))


@pytest.mark.parametrize("kind", ["twice", "residual", "unbiased"])
def test_no_formula_of_one_layer_alone(kind: str, tmp_path: Path) -> None:
    """Weights that are used twice have a gradient of both; a residual is added to the other one's scores."""
    import keras

    layer, given = keras.layers.Dense(4, use_bias=kind != "unbiased"), keras.Input((4,))
    out = layer(keras.ops.tanh(layer(given))) if kind == "twice" else layer(given) + given
    net = keras.Model(given, out)
    model, start = started(make_trainable(net, tmp_path / "a.tflite", TrainingOptions(optimizer=SGD(RATE))))
    told = explained(kind, model, start, batch=True)
    hand, shown = keras_step(net, start), values(told)
    (kernel,) = (v for k, v in hand.items() if k.endswith("kernel"))
    np.testing.assert_allclose(shown["g_W"], kernel, rtol=0, atol=1e-6)
    assert told.losses == pytest.approx((float(hand["L"]), float(hand["L'"])), rel=2e-6)
    assert "logits" not in {s.key for s in told.stages}
    assert told.stages[-3].note.endswith("a few roundings.")
    assert told.agrees


def number(shown: str) -> float:
    """Four digits, as the page has them."""
    return float(shown.replace("−", "-").replace("×10", "e").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
