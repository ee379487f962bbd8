"""Training files made of inference .tflite files, Keras models and SavedModels, against TensorFlow's own training."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.layers import CLASSES, IMAGE, VECTOR, Layer, sequential
from tests.parity.models.convert import Sample, converted
from tests.parity.operators import Array
from tests.parity.test_layers import MULTIPLE
from tests.parity.trained import DELEGATES, RATE, Trained, by_backends, differences, prepared, step_of, stepped, trained
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.one_file import TrainingOptions, network_of, trainable_content
from tflite_transfer.converter.training.optimizers import SGD
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read
from tflite_transfer.reference.tflite.errors import ModelError, OptionError, UnsupportedOpError

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
keras, layers = tf.keras, tf.keras.layers
PIXELS = Sample((1, 8, 8, 3), 0.0, 1.0)


def dense(_: Any) -> Any:
    return sequential((4, 7), layers.Flatten(), layers.Dense(9, activation="relu"))


def cnn(_: Any) -> Any:
    """A strided, a depthwise and a pointwise convolution, pooling, a dense layer large enough to be quantised."""
    wide = (layers.Dense(40, activation=name) for name in ("relu", "tanh"))
    return sequential(
        PIXELS.shape[1:],
        layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.Conv2D(8, 1, activation="relu6"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        *wide,
    )


class Plain(NamedTuple):
    """A Keras model, its first values, and the plain .tflite that TensorFlow makes of it."""

    model: Any
    first: list[Array]
    content: bytes


@cache
def plain(make: Callable[[Any], Any], biases: bool) -> Plain:
    """``biases``: they are other than 0, as after a training."""
    keras.utils.set_random_seed(1)
    model, rng = make(tf), np.random.default_rng(1)
    for v in model.weights:
        if biases and v.path.endswith("bias"):
            v.assign(0.1 * rng.normal(size=v.shape))
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return Plain(model, [v.numpy() for v in model.weights], content)


def made(content: bytes, **options: Any) -> tuple[Network, bytes]:
    """The network and the file made of it, with SGD."""
    start, chosen = time.perf_counter(), TrainingOptions(optimizer=SGD(RATE), **options)
    network = network_of(content, chosen)
    file = trainable_content(network, chosen)
    print(f"{len(network.weights)} weights, converted in {time.perf_counter() - start:.2f} s")
    return network, file


def examples(shape: tuple[int, ...]) -> dict[str, Array]:
    """x from 0 to 1 and one-hot y."""
    rng = np.random.default_rng(6)
    y = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, 6)]
    return {"x": rng.random((6, *shape), np.float32), "y": y}


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
def test_a_plain_file_trains_as_the_model_that_it_was_made_of(make: Callable[[Any], Any], biases: bool) -> None:
    """The converter leaves out what dense layers add if it is 0, and gives all convolutions one zero to share."""
    source = plain(make, biases)
    without = [o for o in read(source.content).main.operators if o.opcode == "FULLY_CONNECTED" and o.inputs[2] < 0]
    assert bool(without) != biases
    network, file = made(source.content)
    given = examples(source.model.input_shape[1:])
    theirs = trained_by_keras(source, network.weights, given)
    check(by_backends(file, given) | {"tensorflow": theirs})
    assert all(v.any() for n, v in theirs.variables.items() if network.weights[n].bias)


def test_without_the_biases_that_a_file_has_not() -> None:
    network, _ = made(plain(cnn, False).content, biases=False)
    assert [w.value.ndim for w in network.weights.values() if not w.bias] == [4, 4, 4, 2, 2, 2]
    assert [w.value.size for w in network.weights.values() if w.bias] == [6, 6, 8]  # the convolutions' own zeros


def test_a_file_of_one_example_takes_any_number() -> None:
    content, x = converted(cnn, PIXELS, "float32"), examples(PIXELS.shape[1:])["x"]
    assert read(content).main.tensors[read(content).main.inputs[0]].free_shape[0] == 1
    plain_file = LiteRT(model_content=content)
    one = [plain_file.get_signature_runner()(x=row[None]) for row in x]
    _, file = made(content)
    together = Interpreter(file).run("infer", x=x)["logits"]
    apart = np.concatenate([next(iter(y.values())) for y in one])
    assert np.abs(together - apart).max() <= 16 * 2**-24 * np.abs(apart).max()  # seen: 5.8
    check(by_backends(file, examples(PIXELS.shape[1:])))


def test_weights_in_float16_train_in_float32() -> None:
    whole, half = (made(converted(cnn, PIXELS, kind)) for kind in ("float32", "float16"))
    for weight, stored in zip(whole[0].weights.values(), half[0].weights.values(), strict=True):
        np.testing.assert_array_equal(stored.value, weight.value.astype(np.float16).astype(np.float32))
    assert not [t for g in read(half[1]).subgraphs for t in g.tensors if t.type == "FLOAT16"]
    check(by_backends(half[1], examples(PIXELS.shape[1:])))


def test_frozen_weights_in_float16_stay_as_they_are() -> None:
    content = converted(cnn, PIXELS, "float16")
    network, file = made(content, trainable="last:1")
    assert len(network.weights) == 2
    halves = {t.name for g in read(file).subgraphs for t in g.tensors if t.type == "FLOAT16" and t.data is not None}
    stored = {t.name for t in read(content).main.tensors if t.type == "FLOAT16"}
    assert halves < stored
    assert len(halves) == len(stored) - 2
    check(by_backends(file, examples(PIXELS.shape[1:])))


@pytest.mark.parametrize("kind", ["dynamic range", "int8"])
def test_integers_do_not_train(kind: str) -> None:
    told = "weights as integers, which do not train: .* (int8)" if kind == "dynamic range" else "output of floats"
    with pytest.raises(ModelError, match=told.replace("(int8)", r"\(int8\)")):
        made(converted(cnn, PIXELS, kind))


def test_a_layer_behind_integers_trains_and_one_before_them_does_not() -> None:
    content = converted(cnn, PIXELS, "dynamic range")
    network, file = made(content, trainable="last:1")
    assert [w.value.shape for w in network.weights.values()] == [(CLASSES, 40), (CLASSES,)]
    losses = by_backends(file, examples(PIXELS.shape[1:]), DELEGATES)["numpy"].losses
    assert losses[-1] < losses[0]
    with pytest.raises(UnsupportedOpError, match=r"FULLY_CONNECTED at .* with '.*MatMul' as int8"):
        made(content, trainable="*depthwise*")


def regularised() -> Any:
    both = keras.regularizers.L1L2(0.01, 0.02)
    inner = layers.Dense(5, kernel_regularizer=both, bias_regularizer="l2", activity_regularizer="l2")
    return sequential(VECTOR, inner, layers.Dense(4, kernel_regularizer=keras.regularizers.OrthogonalRegularizer()))


def normalised() -> Any:
    first, second = (layers.Conv2D(4, 2, activation="relu") for _ in range(2))
    return sequential(IMAGE, first, layers.BatchNormalization(), second, layers.BatchNormalization())


def nested() -> Any:
    inner = keras.Sequential([layers.Dense(4, activation="relu"), layers.BatchNormalization()])
    return sequential(VECTOR, inner)


def of_one_path() -> Any:
    """Two models whose layers have one name, and so their variables: Keras allows that."""
    parts = []
    for name in ("first", "second"):
        x = keras.Input(VECTOR)
        parts.append(keras.Model(x, layers.Dense(*VECTOR, activation="tanh", name="inner")(x), name=name))
    return sequential(VECTOR, *parts)


KERAS = [  # layers count from the input: 0 and 2 are convolutions, 1 and 3 batch norms, 4 is dense
    (Layer("regularizers", regularised), 6),
    (Layer("batch norms", normalised), 14),
    (Layer("last:2, the first batch norm frozen", normalised, trainable="last:2"), 6),
    (Layer("last:1, both batch norms frozen", normalised, trainable="last:1"), 2),
    (Layer("biases", normalised, trainable="biases"), 9),
    (Layer("by name", normalised, trainable="*conv2d*/kernel,*dense*"), 4),
    (Layer("a model within a model", nested), 8),
    (Layer("two variables of one path", of_one_path), 6),
    (Layer("two variables of one path, the second's", of_one_path, trainable="inner_1,*dense*"), 4),
]


@pytest.mark.parametrize(("layer", "variables"), KERAS, ids=[layer.name for layer, _ in KERAS])
def test_a_keras_model_trains_as_in_keras(layer: Layer, variables: int) -> None:
    found = trained(layer, 3)
    check(found)
    told = {d.what for d in differences(found) if d.side == "tensorflow"}
    assert told == {*prepared(layer).network.weights, "loss"}
    assert len(told) == variables + 1
    first, last = prepared(layer).first, found["numpy"].variables
    assert not [n for n in prepared(layer).network.trainable if np.array_equal(first[n], last[n])]


def test_constraints_are_refused_by_name() -> None:
    model = sequential(VECTOR, layers.Dense(5, name="first", kernel_constraint="max_norm"))
    with pytest.raises(ModelError, match=r"constraints on .*first/kernel, which no training file keeps"):
        network_of(model, TrainingOptions())
    assert len(network_of(model, TrainingOptions(trainable="last:1")).weights) == 2


def test_the_same_model_gives_the_same_bytes() -> None:
    model = normalised()
    assert made_of(model) == made_of(model)


def test_a_model_of_whole_numbers_trains() -> None:
    words = keras.Input((7,), dtype="int32")
    y = layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(layers.Embedding(12, 4)(words)))
    x, y = np.arange(42).reshape(6, 7).astype(np.int32) % 12, made_of(keras.Model(words, y))
    check(by_backends(y, {"x": x, "y": examples(())["y"]}))


def test_the_caller_s_model_stays_as_it_was() -> None:
    model = normalised()
    model.layers[1].trainable = False
    before = [(v.path, v.trainable, v.numpy()) for v in model.variables]
    network = network_of(model, TrainingOptions(trainable="last:1"))
    assert len(network.trainable) == 2
    for v, (path, flag, value) in zip(model.variables, before, strict=True):
        assert (v.path, v.trainable) == (path, flag)
        np.testing.assert_array_equal(v.numpy(), value)


REFUSED = {
    "WHILE at .* \\(instead: a recurrent layer with unroll=True\\)": lambda: layers.LSTM(4),
    "FlexStatelessRandomNormalV2 at .* \\(instead: Dropout\\)": lambda: layers.GaussianNoise(0.1),
    "CONV_2D at .*: in groups it has none": lambda: layers.Conv1D(6, 2, groups=3),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_does_not_train_is_named(told: str) -> None:
    model = sequential((5, 3), layers.Dense(3), REFUSED[told]())
    with pytest.raises(UnsupportedOpError, match=told):
        made_of(model)


def made_of(model: Any, **options: Any) -> bytes:
    """The file of a Keras model or a SavedModel."""
    chosen = TrainingOptions(optimizer=SGD(RATE), **options)
    return trainable_content(network_of(model, chosen), chosen)


class Scaled(tf.Module):
    """``(relu(x w + b) v) scale``, the scale a variable that does not train."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(4)
        self.w, self.v = (
            tf.Variable(rng.normal(size=s).astype(np.float32), name=n) for n, s in (("w", (6, 5)), ("v", (5, 3)))
        )
        self.b = tf.Variable(tf.zeros(5), name="b")
        self.scale = tf.Variable(0.5, trainable=False, name="scale")

    @tf.function(input_signature=[tf.TensorSpec([None, 6])])
    def __call__(self, x: Any) -> Any:
        return {"logits": (tf.nn.relu(x @ self.w + self.b) @ self.v) * self.scale}


def test_a_saved_model_trains_as_in_tensorflow(tmp_path: Path) -> None:
    module = Scaled()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.__call__})
    network = network_of(tmp_path, TrainingOptions())
    assert network.trainable == ("w", "b", "v")
    given = examples((6,))
    losses, loss_of = [], keras.losses.CategoricalCrossentropy(from_logits=True)
    for _ in range(20):
        with tf.GradientTape() as tape:
            loss = loss_of(given["y"], module(given["x"])["logits"])
        chosen = (module.w, module.v, module.b)
        for v, g in zip(chosen, tape.gradient(loss, chosen), strict=True):
            v.assign_sub(RATE * g)
        losses.append(loss.numpy())
    theirs = Trained(np.array(losses), {v.name.partition(":")[0]: v.numpy() for v in (module.w, module.v, module.b)})
    check(by_backends(made_of(tmp_path), given) | {"tensorflow": theirs})
    assert list(network_of(tmp_path, TrainingOptions(trainable="v")).weights) == ["v"]
    with pytest.raises(OptionError, match="there are no weights 'scale'"):
        network_of(tmp_path, TrainingOptions(trainable="scale"))
