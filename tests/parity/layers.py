"""Small networks around one of Keras' layers each, and how each side trains them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import OpResolverType

from tests.parity.operators import Array
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.networks.selection import distinct
from tflite_transfer.converter.one_file import TrainingOptions, network_of, trainable_content
from tflite_transfer.converter.training.optimizers import SGD
from tflite_transfer.reference.interpreter import Interpreter

STEPS, RATE, CLASSES, WORDS = 20, 0.05, 3, 12
DELEGATES = {
    "default": OpResolverType.AUTO,
    "no delegates": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
VECTOR, SEQUENCE, IMAGE, LARGER = (6,), (9, 3), (6, 5, 3), (8, 9, 3)


class Layer(NamedTuple):
    """A network of Keras', under the name of what it is for. ``tokens``: it takes class numbers."""

    name: str
    make: Callable[[], Any]
    tokens: bool = False
    without: tuple[str, ...] = ()  # LiteRT's resolvers that lack an operator
    trainable: str = "all"

    def __str__(self) -> str:
        return self.name


class Trained(NamedTuple):
    """What a side has after STEPS steps."""

    losses: Array
    variables: Mapping[str, Array]


def layers() -> Any:
    import tensorflow as tf

    return tf.keras.layers


def sequential(shape: tuple[int, ...], *inner: Any) -> Any:
    """The layers, flattened, and a dense one behind them."""
    import tensorflow as tf

    return tf.keras.Sequential([tf.keras.Input(shape), *inner, tf.keras.layers.Flatten(), layers().Dense(CLASSES)])


def alone(shape: tuple[int, ...], name: str, *args: Any, **options: Any) -> Layer:
    """A layer that has weights of its own."""
    said = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in options.items())])
    return Layer(f"{name}({said})", lambda: sequential(shape, getattr(layers(), name)(*args, **options)))


def behind(shape: tuple[int, ...], name: str, *args: Any, **options: Any) -> Layer:
    """A layer behind another that has weights."""
    said = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in options.items())])

    def make() -> Any:
        found = layers()
        first = {1: partial(found.Dense, 5), 2: partial(found.Conv1D, 4, 2), 3: partial(found.Conv2D, 4, 2)}
        return sequential(shape, first[len(shape)](), getattr(found, name)(*args, **options))

    place = " of images" if len(shape) == 3 and "2D" not in name else ""
    return Layer(f"{name}({said}){place}", make)


def of_two(name: str, **options: Any) -> Layer:
    """A layer that joins two results."""

    def make() -> Any:
        import tensorflow as tf

        x = tf.keras.Input(VECTOR)
        a, b = (layers().Dense(4)(x) for _ in range(2))
        return tf.keras.Model(x, layers().Dense(CLASSES)(getattr(layers(), name)(**options)([a, b])))

    return Layer(f"{name}({', '.join(f'{k}={v!r}' for k, v in options.items())})", make)


def attending(said: str, attend: Callable[[Any], Any]) -> Layer:
    """Attention over a sequence."""

    def make() -> Any:
        import tensorflow as tf

        x = tf.keras.Input((5, 6))
        return tf.keras.Model(x, layers().Dense(CLASSES)(layers().GlobalAveragePooling1D()(attend(x))))

    return Layer(said, make)


def heads(count: int, **options: Any) -> Callable[[Any], Any]:
    return lambda x: layers().MultiHeadAttention(count, 4)(x, x, **options)


def gelu_by_tanh() -> Any:
    import tensorflow as tf

    gelu = partial(tf.keras.activations.gelu, approximate=True)
    return sequential(VECTOR, layers().Dense(5), layers().Activation(gelu))


ACTIVATIONS = [
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "silu",
    "hard_silu",
    "hard_sigmoid",
    "sigmoid",
    "tanh",
    "softmax",
    "log_softmax",
    "softplus",
    "softsign",
    "mish",
    "gelu",
    "exponential",
    "log_sigmoid",
]


def table() -> Iterator[Layer]:
    same, valid, twice = {"padding": "same"}, {"padding": "valid"}, {"strides": 2}
    yield alone(VECTOR, "Dense", 5, activation="tanh")
    yield alone((4, 6), "EinsumDense", "abc,cd->abd", (4, 5), bias_axes="d")
    for options in (
        {},
        same,
        twice,
        same | twice,
        {"dilation_rate": 2},
        same | {"dilation_rate": 2},
        {"padding": "causal"},
    ):
        yield alone(SEQUENCE, "Conv1D", 4, 3, **options)
    for options in (valid, same, valid | twice, same | twice, {"strides": (2, 1)}):
        yield alone(IMAGE, "Conv2D", 4, 3, **options)
    yield from (alone(LARGER, "Conv2D", 4, 3, dilation_rate=2, **options) for options in (valid, same))
    yield alone(IMAGE, "Conv2D", 4, 1)
    for options in (valid, same, same | twice, {"depth_multiplier": 2}, same | {"dilation_rate": 2}):
        yield alone(IMAGE, "DepthwiseConv2D", 3, **options)
    yield alone(SEQUENCE, "DepthwiseConv1D", 3, **same)
    yield from (alone(IMAGE, "SeparableConv2D", 4, 3, **options) for options in (valid, same | {"depth_multiplier": 2}))
    yield alone(SEQUENCE, "SeparableConv1D", 4, 3, **same)
    yield from (
        alone(IMAGE, "Conv2DTranspose", 4, 3, **options) for options in (valid, same, valid | twice, same | twice)
    )
    yield alone(SEQUENCE, "Conv1DTranspose", 4, 3, **same, **twice)
    yield from pooling()
    yield from normalizations()
    yield from activations()
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        yield of_two(name)
    yield of_two("Dot", axes=1)
    yield from shapes()
    yield from sequences()
    yield from attention()


def pooling() -> Iterator[Layer]:
    for name in ("MaxPooling", "AveragePooling"):
        yield behind(IMAGE, f"{name}2D", 2)
        yield behind(IMAGE, f"{name}2D", 3, strides=2, padding="same")
        yield behind(IMAGE, f"{name}2D", 2, strides=1)
        yield behind(SEQUENCE, f"{name}1D", 2)
    for name in ("GlobalAveragePooling", "GlobalMaxPooling"):
        yield behind(IMAGE, f"{name}2D")
        yield behind(SEQUENCE, f"{name}1D")


def normalizations() -> Iterator[Layer]:
    yield from (behind(shape, "BatchNormalization") for shape in (VECTOR, IMAGE))
    yield behind(IMAGE, "BatchNormalization", trainable=False)
    yield from (behind(shape, "LayerNormalization") for shape in (VECTOR, IMAGE))
    yield behind(IMAGE, "GroupNormalization", 2)
    yield from (behind(VECTOR, name) for name in ("UnitNormalization", "RMSNormalization"))


def activations() -> Iterator[Layer]:
    for name in ACTIVATIONS:
        layer = behind(VECTOR, "Activation", name)
        yield layer._replace(without=("reference",)) if name == "elu" else layer
    yield Layer("Activation('gelu'), approximate", gelu_by_tanh)
    yield behind(VECTOR, "PReLU", alpha_initializer="uniform")
    yield behind(IMAGE, "PReLU", alpha_initializer="uniform", shared_axes=[1, 2])
    yield behind(VECTOR, "ReLU", max_value=1.0, negative_slope=0.1)
    yield behind(VECTOR, "LeakyReLU", 0.2)
    yield behind(VECTOR, "ELU", 0.5)._replace(without=("reference",))
    yield behind(VECTOR, "Softmax")


def shapes() -> Iterator[Layer]:
    yield behind(IMAGE, "Flatten")
    yield behind(IMAGE, "Reshape", (4, 20))
    yield behind(IMAGE, "Permute", (3, 1, 2))
    yield behind(VECTOR, "RepeatVector", 3)
    yield behind(IMAGE, "ZeroPadding2D", (1, 2))
    yield behind(SEQUENCE, "ZeroPadding1D", 2)
    yield behind(IMAGE, "Cropping2D", ((1, 0), (2, 1)))
    yield behind(SEQUENCE, "Cropping1D", 2)
    yield from (behind(IMAGE, "UpSampling2D", (2, 3), interpolation=how) for how in ("nearest", "bilinear"))
    yield behind(SEQUENCE, "UpSampling1D", 2)
    yield behind(IMAGE, "Rescaling", 0.5, offset=-1.0)


def sequences() -> Iterator[Layer]:
    yield Layer(
        f"Embedding({WORDS}, 4)",
        lambda: sequential((7,), layers().Embedding(WORDS, 4), layers().GlobalAveragePooling1D()),
        tokens=True,
    )
    yield from (alone((4, 3), name, 5, unroll=True) for name in ("LSTM", "GRU", "SimpleRNN"))
    yield alone((4, 3), "LSTM", 5, unroll=True, return_sequences=True)
    yield alone((4, 3), "GRU", 5, unroll=True, reset_after=False)
    yield Layer("TimeDistributed(Dense(5))", lambda: sequential((4, 3), layers().TimeDistributed(layers().Dense(5))))


def attention() -> Iterator[Layer]:
    yield from (attending(f"MultiHeadAttention({n}, 4)", heads(n)) for n in (1, 3))
    yield attending("MultiHeadAttention(2, 4), causal", heads(2, use_causal_mask=True))
    yield attending("GroupQueryAttention(4, 4, 2)", lambda x: layers().GroupQueryAttention(4, 4, 2)(x, x))
    yield attending("Attention()", lambda x: layers().Attention()([layers().Dense(4)(x) for _ in range(3)]))
    yield attending("AdditiveAttention()", lambda x: layers().AdditiveAttention()([layers().Dense(4)(x) for _ in "ab"]))


ALL = list(table())


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
