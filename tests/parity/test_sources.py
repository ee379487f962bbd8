"""Training files made of inference .tflite files, Keras models and SavedModels, against TensorFlow's own training."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.layers import (
    CLASSES, DELEGATES, IMAGE, RATE, VECTOR, Layer, Trained, by_backends, differences, prepared, sequential, step_of,
    stepped, trained,
)  # fmt: skip
from tests.parity.operators import Array
from tests.parity.test_layers import MULTIPLE
from tflite_transfer.converter.make_trainable import TrainingOptions, network_of, trainable_content
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.training.losses import LOSSES
from tflite_transfer.converter.training.optimizers import SGD
from tflite_transfer.converter.training.step import differentiated
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.errors import ModelError, OptionError, UnsupportedOpError

tf: Any = pytest.importorskip("tensorflow")
pytestmark = [  # of TensorFlow and Keras themselves
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
keras, layers = tf.keras, tf.keras.layers


def dense() -> Any:
    inner = layers.Flatten(), layers.Dense(9, activation="relu"), layers.Dense(CLASSES)
    return keras.Sequential([keras.Input((4, 7)), *inner])


def cnn(size: int | None = None) -> Any:
    """A strided, a depthwise and a pointwise convolution, pooling, a dense layer large enough to be quantised."""
    return keras.Sequential([
        keras.Input((8, 8, 3), batch_size=size), layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
        layers.DepthwiseConv2D(3, padding="same"), layers.Conv2D(8, 1, activation="relu6"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dense(40, activation="relu"), layers.Dense(40, activation="tanh"), layers.Dense(CLASSES),
    ])  # fmt: skip


def mobilenet() -> Any:
    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=10)


class Plain(NamedTuple):
    """A Keras model, its first values, and the plain .tflite that TensorFlow makes of it."""

    model: Any
    first: list[Array]
    content: bytes


@cache
def plain(make: Callable[[], Any], weights: str = "float32", biases: bool = True) -> Plain:
    """``biases``: they are other than 0, as after a training."""
    keras.utils.set_random_seed(1)
    model, rng = make(), np.random.default_rng(1)
    for v in model.trainable_variables if biases else ():
        if v.path.endswith("bias"):
            v.assign(0.1 * rng.normal(size=v.shape))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if weights == "int8 throughout":
        shape = (1, *model.input_shape[1:])
        converter.representative_dataset = lambda: ([rng.random(shape, np.float32)] for _ in range(4))
    return Plain(model, [v.numpy() for v in model.weights], converter.convert())


def made(content: bytes, **options: Any) -> tuple[Network, bytes]:
    """The network and the file made of it, with SGD."""
    start, chosen = time.perf_counter(), TrainingOptions(optimizer=SGD(RATE), **options)
    network = network_of(content, chosen)
    file = trainable_content(network, chosen)
    print(f"{len(network.weights)} weights, converted in {time.perf_counter() - start:.2f} s")
    return network, file


def examples(model: Any, size: int) -> dict[str, Array]:
    """x from 0 to 1 and one-hot y."""
    rng, classes = np.random.default_rng(size), model.output_shape[-1]
    x = rng.random((size, *model.input_shape[1:]), np.float32)
    return {"x": x, "y": np.eye(classes, dtype=np.float32)[rng.integers(0, classes, size)]}


def in_the_file(variable: Any) -> Array:
    """A variable of Keras' in the layout of a .tflite."""
    value = variable.numpy()
    if value.ndim == 4 and "depthwise" in variable.path:
        return value.reshape(1, *value.shape[:2], -1)
    return value.transpose(3, 0, 1, 2) if value.ndim == 4 else value.T


def trained_by_keras(source: Plain, names: Collection[str], given: Mapping[str, Array]) -> Trained:
    """The model trained; its variables by the file's names, which follow the layers too."""
    source.model.set_weights(source.first)
    step = step_of(source.model, [v.path for v in source.model.weights])
    losses = stepped(source.model, step, given).losses
    return Trained(losses, {n: in_the_file(v) for n, v in zip(names, source.model.weights, strict=True)})


def check(found: Mapping[str, Trained]) -> None:
    """No side is further from float64 than rounding allows, and something was learned."""
    assert not [d for d in differences(found) if not d.multiple <= MULTIPLE]
    losses = found["float64"].losses
    assert losses[-1] < losses[0] - 0.01


@pytest.mark.parametrize("biases", [True, False], ids=["biases", "zeros"])
@pytest.mark.parametrize("make", [dense, cnn])
def test_a_plain_file_trains_as_the_model_that_it_was_made_of(make: Callable[[], Any], biases: bool) -> None:
    """The converter leaves out what dense layers add if it is 0, and gives all convolutions one zero to share."""
    source = plain(make, biases=biases)
    without = [o for o in read(source.content).main.operators if o.opcode == "FULLY_CONNECTED" and o.inputs[2] < 0]
    assert bool(without) != biases
    network, file = made(source.content)
    given = examples(source.model, 6)
    theirs = trained_by_keras(source, network.weights, given)
    check(by_backends(file, given) | {"tensorflow": theirs})
    assert all(v.any() for n, v in theirs.variables.items() if network.weights[n].bias)


def test_without_the_biases_that_a_file_has_not() -> None:
    source = plain(cnn, biases=False)
    network, _ = made(source.content, biases=False)
    assert [w.value.ndim for w in network.weights.values() if not w.bias] == [4, 4, 4, 2, 2, 2]
    assert [w.value.size for w in network.weights.values() if w.bias] == [6, 6, 8]  # the convolutions' own zeros


def test_weights_in_float16_train_in_float32() -> None:
    source = plain(cnn, "float16")
    network, file = made(source.content)
    for weight, first in zip(network.weights.values(), source.first, strict=True):
        assert weight.value.dtype == np.float32
        np.testing.assert_array_equal(
            np.sort(weight.value, None), np.sort(first.astype(np.float16).astype(np.float32), None)
        )
    assert {t.type for g in read(file).subgraphs for t in g.tensors} == {"FLOAT32", "INT32", "RESOURCE", "BOOL"}
    check(by_backends(file, examples(source.model, 6)))


def test_a_batch_of_one_becomes_any() -> None:
    source, free = plain(partial(cnn, 1)), plain(cnn)
    assert read(source.content).main.tensors[read(source.content).main.inputs[0]].free_shape[0] == 1
    given = examples(free.model, 6)
    one, any_ = (by_backends(made(s.content)[1], given) for s in (source, free))
    for side in one:
        np.testing.assert_array_equal(one[side].losses, any_[side].losses)


@pytest.mark.parametrize("weights", ["dynamic range", "int8 throughout"])
def test_integers_do_not_train(weights: str) -> None:
    source = plain(cnn, weights)
    with pytest.raises(ModelError, match=r"holds weights as integers, which do not train: .* \(int8\)"):
        made(source.content)


def test_a_layer_behind_integers_trains() -> None:
    source = plain(cnn, "dynamic range")
    network, file = made(source.content, trainable="last:1")
    assert [w.value.shape for w in network.weights.values()] == [(CLASSES, 40), (CLASSES,)]
    numpy = by_backends(file, examples(source.model, 6), DELEGATES)["numpy"]
    assert numpy.losses[-1] < numpy.losses[0]
    with pytest.raises(UnsupportedOpError, match=r"FULLY_CONNECTED at .* with '.*MatMul' as int8"):
        made(source.content, trainable="last:3")
