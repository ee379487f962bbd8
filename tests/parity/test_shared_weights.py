"""Plain files from Keras, in which converters drop, share and merge constants: each weight is one, as in Keras."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.parity.layers import CLASSES
from tests.parity.operators import Array
from tests.parity.trained import RATE, by_backends, named, step_of, stepped
from tflite_transfer.converter.one_file import TrainingOptions, network_of, trainable_content
from tflite_transfer.converter.training.optimizers import SGD

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
keras, layers = tf.keras, tf.keras.layers
ROWS, STEPS, IMAGE = (6,), (4, 5), (8, 7, 3)


def sequential(shape: tuple[int, ...], *inner: Callable[[], Any], batch: int | None = None) -> Any:
    last = (layers.Flatten(), layers.Dense(CLASSES))
    return keras.Sequential([keras.Input(shape, batch_size=batch), *(make() for make in inner), *last])


def applied(shape: tuple[int, ...], make: Callable[[], Any], times: int) -> Any:
    """One layer, several times."""
    x, layer = keras.Input(shape), make()
    y = x
    for _ in range(times):
        y = layer(y)
    return keras.Model(x, layers.Dense(CLASSES)(layers.Flatten()(y)))


def attention() -> Any:
    x = keras.Input(STEPS)
    return keras.Model(x, layers.Dense(CLASSES)(layers.Flatten()(layers.MultiHeadAttention(2, 3)(x, x))))


def shuffled() -> Any:
    """Channels exchanged between groups, on five axes."""
    mixed = (
        lambda: layers.Reshape((4, 5, 2, 2)),
        lambda: layers.Permute((1, 2, 4, 3)),
        lambda: layers.Reshape((4, 5, 4)),
    )
    return sequential((4, 5, 3), partial(layers.Conv2D, 4, 1), *mixed, partial(layers.Conv2D, 4, 3))


dense, conv = partial(layers.Dense, 6, "tanh"), partial(layers.Conv2D, 3, 3, padding="same", activation="tanh")
ones, fifth = partial(dense, bias_initializer="ones"), keras.initializers.Constant(0.2)
leaking = partial(layers.PReLU, alpha_initializer=fifth, shared_axes=[1, 2])
wider = partial(layers.Conv2DTranspose, 3, 3, strides=2, padding="same")
NETWORKS: dict[str, Callable[[], Any]] = {
    "dense over steps": partial(sequential, STEPS, partial(layers.Dense, 4)),
    "dense over images": partial(sequential, IMAGE, dense),
    "one dense layer three times": partial(applied, ROWS, dense, 3),
    "one convolution twice": partial(applied, IMAGE, conv, 2),
    "unrolled LSTM": partial(sequential, STEPS, partial(layers.LSTM, 4, unroll=True)),
    "unrolled GRU": partial(sequential, STEPS, partial(layers.GRU, 4, unroll=True)),
    "biases of 1": partial(sequential, ROWS, ones, ones),
    "PReLU twice": partial(sequential, IMAGE, conv, leaking, conv, leaking),
    "attention": attention,
    "transposed convolution": partial(sequential, IMAGE, conv, wider),
    "transposed convolution of one image": partial(sequential, IMAGE, conv, wider, batch=1),
    "transposed convolution of eight images": partial(sequential, IMAGE, conv, wider, batch=8),
    "shuffled channels": shuffled,
}  # fmt: skip


def examples(model: Any) -> dict[str, Array]:
    rng = np.random.default_rng(5)
    y = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, 6)]
    return {"x": rng.normal(size=(6, *model.input_shape[1:])).astype(np.float32), "y": y}


@pytest.mark.parametrize("trained_before", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_plain_file_trains_as_keras_does(name: str, trained_before: bool) -> None:
    """Whether biases are zeros, which converters drop, or other numbers."""
    keras.utils.set_random_seed(1)
    model, rng = NETWORKS[name](), np.random.default_rng(2)
    if trained_before:
        for v in model.trainable_variables:
            v.assign(v + 0.1 * rng.normal(size=v.shape))
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    options, given = TrainingOptions(optimizer=SGD(RATE)), examples(model)
    network = network_of(content, options)
    file = trainable_content(network, options)
    assert len(network.trainable) == len(model.trainable_variables) + (name == "unrolled GRU")  # two biases, there one
    free = keras.models.clone_model(model, input_tensors=keras.Input(model.input_shape[1:]))
    free.set_weights(model.get_weights())
    expected = stepped(free, step_of(free, list(named(free))), given).losses
    for side, found in by_backends(file, given).items():
        assert np.abs(found.losses - expected).max() < 2e-6, side  # seen: 3e-7
