"""How each side trains a small network: TensorFlow, the reference interpreter, LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import OpResolverType

from tests.parity.layers import CLASSES, WORDS, Layer
from tests.parity.operators import Array
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.networks.selection import distinct
from tflite_transfer.converter.one_file import TrainingOptions, network_of, trainable_content
from tflite_transfer.converter.training.optimizers import SGD
from tflite_transfer.reference.interpreter import Interpreter

STEPS, RATE = 20, 0.05
DELEGATES = {
    "default": OpResolverType.AUTO,
    "no delegates": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}


class Trained(NamedTuple):
    """What a side has after STEPS steps."""

    losses: Array
    variables: Mapping[str, Array]


class Prepared(NamedTuple):
    """A Keras model, its variables' first values, the network and the file made of it, and a step of TensorFlow's."""

    model: Any
    first: Mapping[str, Array]
    network: Network
    content: bytes
    step: Callable[[Any, Any], Any]


@cache
def prepared(layer: Layer) -> Prepared:
    """The same weights each time. What would begin as 0 or 1 does not."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    model, rng = layer.make(), np.random.default_rng(1)
    for v in model.weights:
        if len(v.shape) == 1:
            v.assign(v + (0.2 * np.abs(rng.normal(size=v.shape))))
    options = TrainingOptions(optimizer=SGD(RATE), trainable=layer.trainable)
    network = network_of(model, options)
    first = {name: v.numpy() for name, v in named(model).items()}
    return Prepared(model, first, network, trainable_content(network, options), step_of(model, network.trainable))


def named(model: Any) -> dict[str, Any]:
    """A Keras model's variables, by the names that they have in files."""
    return dict(zip(distinct(v.path for v in model.variables), model.variables, strict=True))


def step_of(model: Any, trainable: Collection[str]) -> Callable[[Any, Any], Any]:
    """TensorFlow's step for these variables. Layers without any of them are frozen."""
    import tensorflow as tf

    chosen = [v for name, v in named(model).items() if name in trainable]
    for inner in model.layers:
        if inner.trainable_variables and not any(v is c for v in inner.trainable_variables for c in chosen):
            inner.trainable = False
    optimizer = tf.keras.optimizers.SGD(RATE)
    optimizer.build(chosen)
    loss_of = tf.keras.losses.CategoricalCrossentropy(from_logits=True)

    @tf.function(input_signature=[tf.TensorSpec([None, *model.input_shape[1:]]), tf.TensorSpec([None, CLASSES])])
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True)) + sum(model.losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, chosen), chosen, strict=True))
        return loss

    return step


def batch(layer: Layer, size: int) -> dict[str, Array]:
    """x and one-hot y."""
    rng = np.random.default_rng([size, *layer.name.encode()])
    shape = (size, *prepared(layer).model.input_shape[1:])
    x = rng.integers(0, WORDS, shape) if layer.tokens else rng.normal(size=shape)
    return {"x": x.astype(np.float32), "y": np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, size)]}


def interpreted(content: bytes, given: Mapping[str, Array], **how: Any) -> Trained:
    """By the reference interpreter."""
    interpreter = Interpreter(content, **how)
    losses = np.array([interpreter.run("train", **given)["loss"] for _ in range(STEPS)])
    return Trained(losses, dict(interpreter.variables))


def by_litert(content: bytes, given: Mapping[str, Array], delegates: str) -> Trained:
    """By LiteRT."""
    interpreter = LiteRT(model_content=content, experimental_op_resolver_type=DELEGATES[delegates], num_threads=1)
    train = interpreter.get_signature_runner("train")
    losses = np.array([train(**given)["loss"] for _ in range(STEPS)])
    return Trained(losses, interpreter.get_signature_runner("save")())


def by_backends(content: bytes, given: Mapping[str, Array], without: Collection[str] = ()) -> dict[str, Trained]:
    """A file trained by every side that runs files."""
    ours = {
        "float64": interpreted(content, given, jit=False, precision="float64"),
        "plain": interpreted(content, given, jit=False),
        "numpy": interpreted(content, given),
    }
    return ours | {d: by_litert(content, given, d) for d in DELEGATES if d not in without}


def by_tensorflow(layer: Layer, given: Mapping[str, Array]) -> Trained:
    """By TensorFlow itself."""
    model, first, *_, step = prepared(layer)
    for name, v in named(model).items():
        v.assign(first[name])
    return stepped(model, step, given)


def stepped(model: Any, step: Callable[[Any, Any], Any], given: Mapping[str, Array]) -> Trained:
    """A Keras model after all steps from where it stands."""
    losses = np.array([step(given["x"], given["y"]).numpy() for _ in range(STEPS)])
    return Trained(losses, {name: v.numpy() for name, v in named(model).items()})


def trained(layer: Layer, size: int) -> dict[str, Trained]:
    """The layer trained on ``size`` examples, by side."""
    given = batch(layer, size)
    found = by_backends(prepared(layer).content, given, layer.without)
    return found | {"tensorflow": by_tensorflow(layer, given)}


class Difference(NamedTuple):
    """How far a side's variable or losses are from float64, in multiples of what rounding does."""

    side: str
    what: str
    multiple: float


def differences(found: Mapping[str, Trained]) -> Iterator[Difference]:
    """The oracle is the file in float64; what rounding does is seen in the reference interpreter, plain and compiled.

    It is taken to be at least 4 units of 2^-24 of the variable's largest value, and 1/32 of the largest of all: a bias
    that softmax takes no notice of has terms, and no gradient; it ends at 1e-18.
    """
    exact = found["float64"]
    floats = {n: v for n, v in exact.variables.items() if v.dtype.kind == "f"}
    largest = max(float(np.abs(v).max()) for v in floats.values())
    for name, value in {**floats, "loss": exact.losses}.items():
        sides = {s: t.losses if name == "loss" else t.variables.get(name) for s, t in found.items()}
        far = {s: float(np.abs(v - value).max()) for s, v in sides.items() if v is not None}
        least = 2.0**-24 * max(4 * float(np.abs(value).max()), largest / 32)
        rounding = max(far.pop("plain"), far.pop("numpy"), least)
        del far["float64"]
        yield from (Difference(side, name, distance / rounding) for side, distance in far.items())
