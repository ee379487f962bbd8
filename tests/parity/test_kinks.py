"""Where a derivative jumps, or is none: at ties, at bounds, at 0 and far out, each gradient is TensorFlow's.

First each rule by itself, then Keras' activations as TensorFlow's converter takes them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.parity.operators import MISSING, RESOLVERS, Array, Given, fixed
from tests.parity.test_gradients import litert
from tests.unit.gradients.differentiated import Derivative, File, differentiated, of
from tflite_transfer.converter.gradients import pull_back
from tflite_transfer.converter.networks.from_keras import network_of
from tflite_transfer.reference.interpreter import Interpreter

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
layers: Any = tf.keras.layers
F32 = np.float32
# In units of 2^-24 of the largest, or of one: the largest difference seen is 9.4, of mish.
APART = 20.0


class Kink(NamedTuple):
    """An operator, and TensorFlow's function of the same inputs."""

    derivative: Derivative
    function: Callable[..., Any]


def kink(function: Callable[..., Any], opcode: str, *inputs: Array | Given, **options: Any) -> Kink:
    return Kink(of(opcode, *inputs, free=(), **options), function)


def tied(*shape: int, seed: int = 0) -> Array:
    """A few whole numbers, which come again and again."""
    return np.random.default_rng([seed, *shape]).integers(-1, 2, shape).astype(F32)


def pool(kernel: tuple[int, int], stride: int, padding: int, x: Array) -> Kink:
    name = ("SAME", "VALID")[padding]
    size = {"filter_height": kernel[0], "filter_width": kernel[1], "stride_h": stride, "stride_w": stride}
    return kink(lambda x: tf.nn.max_pool2d(x, kernel, stride, name), "MAX_POOL_2D", x, padding=padding, **size)


HALVES = np.arange(-14, 15).astype(F32) / 2  # every bound, and what lies beside it
SMALL = np.array([0, -0.0, 1e-30, 1e-20, 1e-4, 1, 4, 1e20], F32)
BOTH = np.concatenate([SMALL, -SMALL])
A, B = tied(3, 4), tied(3, 4, seed=1)
AXES = ([0], [1], [0, 1])
KINKS = [
    *(pool(k, s, p, tied(2, 7, 6, 3)) for k in ((2, 2), (3, 2), (3, 3)) for s in (1, 2) for p in (0, 1)),
    pool((2, 2), 2, 0, np.zeros((1, 5, 5, 2), F32)),
    kink(tf.maximum, "MAXIMUM", A, B),
    kink(tf.minimum, "MINIMUM", A, B),
    kink(tf.maximum, "MAXIMUM", A, np.zeros((1,), F32)),
    *(kink(lambda x, _, a=a: tf.reduce_max(x, a), "REDUCE_MAX", A, fixed(a), keep_dims=False) for a in AXES),
    *(kink(lambda x, _, a=a: tf.reduce_min(x, a), "REDUCE_MIN", A, fixed(a), keep_dims=False) for a in AXES),
    kink(tf.abs, "ABS", HALVES),
    kink(tf.nn.relu, "RELU", HALVES),
    kink(tf.nn.relu6, "RELU6", HALVES),
    kink(lambda x: tf.nn.leaky_relu(x, 0.25), "LEAKY_RELU", HALVES, alpha=0.25),
    kink(lambda x, a: tf.nn.relu(x) - a * tf.nn.relu(-x), "PRELU", HALVES.reshape(1, -1), np.full((1,), 0.25, F32)),
    kink(tf.nn.elu, "ELU", HALVES),
    kink(lambda x: x * tf.nn.relu6(x + 3) / 6, "HARD_SWISH", HALVES),
    *(kink(lambda x, a=a: tf.nn.gelu(x, a), "GELU", HALVES, approximate=a) for a in (False, True)),
    kink(tf.sign, "SIGN", HALVES),
    kink(tf.square, "SQUARE", BOTH),
    *(kink(f, o, SMALL) for f, o in ((tf.sqrt, "SQRT"), (tf.math.rsqrt, "RSQRT"), (tf.math.log, "LOG"))),
    *(kink(f, o, 100 * BOTH[:-1]) for f, o in ((tf.exp, "EXP"), (tf.tanh, "TANH"), (tf.sigmoid, "LOGISTIC"))),
    kink(tf.divide, "DIV", np.array([1, 0, -2, 0], F32), np.array([0, 1, -0.0, 0], F32)),
    kink(tf.pow, "POW", np.repeat(np.array([0, 1, 2, -2], F32), 4), np.tile(np.array([0, 1, 2, 3], F32), 4)),
    *(kink(lambda x: tf.math.l2_normalize(x, -1), "L2_NORMALIZATION", s * A) for s in (F32(1), F32(1e-8), F32(0))),
    kink(lambda x: tf.nn.softmax(x), "SOFTMAX", F32(1e4) * A, beta=1.0),
    kink(lambda x: tf.nn.log_softmax(x), "LOG_SOFTMAX", F32(1e4) * A),
]  # fmt: skip


def close(found: Array, expected: Array) -> None:
    """No further apart than rounding; NaN and infinity at the same places."""
    assert found.shape == expected.shape
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    np.testing.assert_allclose(found, expected, 0, APART * 2**-24 * largest)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of infinity
@pytest.mark.parametrize("kink", KINKS, ids=lambda k: str(k.derivative))
def test_the_gradient_is_tensorflow_s(kink: Kink) -> None:
    file = differentiated(kink.derivative, free=False)
    inputs = [tf.constant(i.value) for i in kink.derivative.case.inputs if i is not None]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = kink.function(*inputs)
    gradients = tape.gradient(y, inputs, output_gradients=tf.constant(file.given["dy0"]))
    expected: dict[str, Array] = {f"dx{n}": g.numpy() for n, g in enumerate(gradients) if g is not None}
    ours = Interpreter(file.model).run("run", **file.given)
    for name, value in expected.items():
        close(ours.get(name, np.zeros_like(value)), value)
    for resolver in set(RESOLVERS) - {r for r, without in MISSING.items() if kink.derivative.case.opcode in without}:
        theirs = litert(file, resolver)
        for name, value in expected.items():
            known = np.isfinite(value)  # LiteRT's products and quotients end at the largest number
            close(theirs.get(name, np.zeros_like(value))[known], value[known])


# Beside the bounds: where float32 loses e^x, and the largest and the smallest of an image in bytes.
FAR = np.array([-1e4, -255, -100, -88.8, -20, -6, -3, -2.5, -1, -0.0, 0, 1, 2.5, 3, 6, 20, 88.8, 100, 255, 1e4], F32)
ACTIVATIONS = [
    "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "log_sigmoid", "log_softmax", "mish",
    "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "tanh",
]  # fmt: skip
WHOLE = {
    "PReLU": lambda: layers.PReLU(alpha_initializer=tf.keras.initializers.Constant(0.25)),
    "ReLU": lambda: layers.ReLU(negative_slope=0.1, threshold=1),
    "UnitNormalization": layers.UnitNormalization,
}


def file_of(model: Any) -> File:
    """``x, dy, weights -> y, dx`` of a Keras model, and its weights."""
    function = network_of(model).train
    graph = function.graph.copy()
    y = graph[function.output]
    found = pull_back(graph, {y.number: graph.argument("dy", y.shape)}, [function.x])
    graph.result("y", y)
    graph.result("dx", found[function.x])
    return File(graph.model("run"), {v.path: v.numpy() for v in model.variables})


@pytest.mark.parametrize("name", [*ACTIVATIONS, *WHOLE])
def test_an_activation_s_gradient_is_tensorflow_s(name: str) -> None:
    inner = tf.keras.Input(FAR.shape)
    model = tf.keras.Model(inner, (WHOLE[name]() if name in WHOLE else layers.Activation(name))(inner))
    file = file_of(model)
    for x in (np.stack([FAR, FAR[::-1]]), np.zeros((2, *FAR.shape), F32)):
        given = File(
            file.model, {**file.given, "x": x, "dy": np.linspace(0.5, 1.5, x.size, dtype=F32).reshape(x.shape)}
        )
        with tf.GradientTape() as tape:
            tape.watch(watched := tf.constant(x))
            y = model(watched, training=True)
        expected = {"y": y, "dx": tape.gradient(y, watched, output_gradients=tf.constant(given.given["dy"]))}
        sides = [Interpreter(file.model).run("run", **given.given)]
        sides += [litert(given, r) for r in RESOLVERS if name != "elu" or r not in MISSING or "ELU" not in MISSING[r]]
        for side, (key, value) in product(sides, expected.items()):
            known = np.isfinite(value) if name == "exponential" else np.full(value.shape, True)
            close(side[key][known], value.numpy()[known])
