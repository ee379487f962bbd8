"""Small networks around one of Keras' layers each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

CLASSES, WORDS = 3, 12
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
