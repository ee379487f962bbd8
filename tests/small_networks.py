"""Networks as plain inference files, written without TensorFlow: to be trained, exported, used as heads."""

from __future__ import annotations

import numpy as np

from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder

SAME = 0


def _weights(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def cnn(classes: int = 3, size: int = 8, depth: int = 4) -> bytes:
    """(1, S, S, 3) -> (1, C) as converters write it: the batch fixed at 1, and a dense layer without its zero bias."""
    g, half = GraphBuilder(), size // 2
    flat = half * half * depth
    image = g.input("image", (1, size, size, 3))
    window = {"padding": SAME, "stride_h": 1, "stride_w": 1}
    filters, bias = g.constant("conv/filters", _weights(1, depth, 3, 3, 3)), g.constant("conv/bias", _weights(2, depth))
    y = g.op("CONV_2D", [image, filters, bias], "conv", (1, size, size, depth), fused_activation_function=1, **window)
    pool = {"padding": SAME, "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
    y = g.op("MAX_POOL_2D", [y], "pool", (1, half, half, depth), **pool)
    y = g.op(
        "RESHAPE", [y, g.constant("flat", np.array([1, flat], np.int32))], "flat/rows", (1, flat), new_shape=[1, flat]
    )
    y = g.op("FULLY_CONNECTED", [y, g.constant("dense/weights", _weights(3, classes, flat)), -1], "dense", (1, classes))
    g.output("probabilities", g.op("SOFTMAX", [y], "probabilities", (1, classes), beta=1.0))
    return write(g.model("cnn"))


def head(features: int, classes: int = 3, hidden: int = 5, *, scaled: bool = True) -> bytes:
    """(B, F) -> logits (B, C), by one hidden layer whose scale, if it has one, is a constant of one number."""
    g = GraphBuilder()
    x = g.input("x", (-1, features))
    weights, bias = (
        g.constant("hidden/weights", _weights(4, hidden, features)),
        g.constant("hidden/bias", _weights(5, hidden)),
    )
    y = g.op("FULLY_CONNECTED", [x, weights, bias], "hidden", (-1, hidden), fused_activation_function=1)
    if scaled:
        y = g.op("MUL", [y, g.constant("scale", np.float32(2))], "scaled", (-1, hidden))
    last = [g.constant("last/weights", _weights(6, classes, hidden)), g.constant("last/bias", _weights(7, classes))]
    g.output("logits", g.op("FULLY_CONNECTED", [y, *last], "logits", (-1, classes)))
    return write(g.model("head"))


def mlp(classes: int = 3, size: int = 4, depth: int = 3, hidden: int = 5) -> bytes:
    """(B, S, S, D) -> (B, C), by one hidden layer of ReLU."""
    g, flat = GraphBuilder(), size * size * depth
    y = g.input("image", (-1, size, size, depth))
    y = g.op(
        "RESHAPE", [y, g.constant("flat", np.array([-1, flat], np.int32))], "rows", (-1, flat), new_shape=[-1, flat]
    )
    for name, seed, n, of, relu in (("hidden", 8, hidden, flat, 1), ("last", 10, classes, hidden, 0)):
        given = [
            g.constant(f"{name}/weights", _weights(seed, n, of)),
            g.constant(f"{name}/bias", _weights(seed + 1, n)),
        ]
        y = g.op("FULLY_CONNECTED", [y, *given], name, (-1, n), fused_activation_function=relu)
    g.output("probabilities", g.op("SOFTMAX", [y], "probabilities", (-1, classes), beta=1.0))
    return write(g.model("mlp"))
