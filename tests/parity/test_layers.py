"""Keras' layers: 20 steps of SGD by TensorFlow, LiteRT and the reference interpreter, every loss and every variable."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity.layers import ALL, Layer
from tests.parity.trained import DELEGATES, batch, differences, prepared, trained
from tflite_transfer.diagnostics.gradients import check_gradients
from tflite_transfer.reference.tflite import read
from tflite_transfer.reference.tflite.one_file import one_file

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

# The largest multiple seen in 327 runs of 109 layers: 2.9, of a loss.
MULTIPLE = 6.0
OFTEN = {  # in CI: what has a form of its own
    "Dense(5, activation='tanh')", "Conv1D(4, 3, padding='same', strides=2)", "Conv2D(4, 3, padding='same', strides=2)",
    "Conv2D(4, 3, dilation_rate=2, padding='same')", "DepthwiseConv2D(3, depth_multiplier=2)",
    "Conv2DTranspose(4, 3, padding='same', strides=2)", "MaxPooling2D(3, strides=2, padding='same')",
    "AveragePooling2D(2)", "BatchNormalization() of images", "LayerNormalization()", "Activation('gelu')",
    "Concatenate()", "UpSampling2D((2, 3), interpolation='bilinear')", "Embedding(12, 4)", "MultiHeadAttention(3, 4)",
    "LSTM(5, unroll=True)",
}  # fmt: skip


def check(layer: Layer, size: int) -> None:
    found, ready = trained(layer, size), prepared(layer)
    told = list(differences(found))
    assert {d.side for d in told} == {"tensorflow", *DELEGATES} - set(layer.without)
    assert {d.what for d in told if d.side == "tensorflow"} == {*ready.network.weights, "loss"}
    assert not [d for d in told if not d.multiple <= MULTIPLE]
    moved = found["tensorflow"].variables
    assert not all(np.array_equal(moved[n], ready.first[n]) for n in ready.network.trainable)
    assert not [o.name for g in read(ready.content).subgraphs for o in g.operators if o.opcode == "CUSTOM"]


@pytest.mark.parametrize("layer", [x for x in ALL if x.name in OFTEN], ids=str)
def test_a_layer_trains_as_in_tensorflow(layer: Layer) -> None:
    check(layer, 3)


@pytest.mark.full
@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("layer", ALL, ids=str)
def test_each_layer_trains_as_in_tensorflow(layer: Layer, size: int) -> None:
    check(layer, size)


def slopes(layer: Layer) -> None:
    found = check_gradients(one_file(prepared(layer).content), batch(layer, 3))
    assert {c.parameter for c in found.checks} == set(prepared(layer).network.trainable)
    assert {c.verdict for c in found.checks} == {"agree"}
    assert found.agrees, found.faults


@pytest.mark.parametrize("layer", [x for x in ALL if x.name in OFTEN], ids=str)
def test_a_layer_s_gradients_are_slopes(layer: Layer) -> None:
    slopes(layer)


@pytest.mark.full
@pytest.mark.parametrize("layer", ALL, ids=str)
def test_each_layer_s_gradients_are_slopes(layer: Layer) -> None:
    slopes(layer)


def test_each_layer_has_its_own_name() -> None:
    names = [x.name for x in ALL]
    assert set(names) >= OFTEN
    assert [n for n in set(names) if names.count(n) > 1] == []
