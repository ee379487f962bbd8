"""Makes the files that the original TensorFlow converter would make: no metadata, no signature, names by TensorFlow.

Written from the description of those files (names, positions, operators), for the tests of loading by position.
Needs TensorFlow: ``python tests/golden/make_upstream.py`` rewrites ``tests/golden/upstream_*``.
B examples, F features, C classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

B, SIDE, DEPTH, C = 5, 2, 3, 4
F = SIDE * SIDE * DEPTH
HERE = Path(__file__).parent


def from_session(session, inputs, outputs) -> bytes:
    return tf.compat.v1.lite.TFLiteConverter.from_session(session, inputs, outputs).convert()


def placeholders(shapes, name=None):
    return [tf.compat.v1.placeholder(tf.float32, s, name=name) for s in shapes]


def initialize() -> bytes:
    @tf.function(input_signature=[tf.TensorSpec((), tf.float32)])
    def fill(zero):
        return tf.fill((F, C), zero), tf.fill((C,), zero)

    concrete = fill.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], fill).convert()


def bottleneck() -> bytes:
    """A convolution from (1, 4, 4, 3) to the bottleneck (1, 2, 2, 3); the weights are drawn from a seed."""
    weights = tf.constant(np.random.default_rng(1).normal(size=(3, 3, 3, DEPTH)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((1, 2 * SIDE, 2 * SIDE, 3), tf.float32)])
    def base(image):
        return tf.nn.relu6(tf.nn.conv2d(image, weights, 2, "SAME"))

    return tf.lite.TFLiteConverter.from_concrete_functions([base.get_concrete_function()], base).convert()


def head(batch):
    x = tf.compat.v1.placeholder(tf.float32, (batch, SIDE, SIDE, DEPTH), "placeholder_bottleneck")
    y = tf.compat.v1.placeholder(tf.float32, (batch, C), "placeholder_labels")
    with tf.compat.v1.name_scope("head"):
        ws = tf.compat.v1.placeholder(tf.float32, (F, C), "placeholder_ws")
        bs = tf.compat.v1.placeholder(tf.float32, (C,), "placeholder_bs")
        flat = tf.reshape(x, (batch, F))
        return x, y, ws, bs, flat, tf.matmul(flat, ws) + bs


def train_head(l2: float | None) -> bytes:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x, y, ws, bs, flat, logits = head(B)
        p = tf.nn.softmax(logits)
        with tf.compat.v1.name_scope("head/loss/"):
            loss = tf.reduce_mean(-tf.reduce_sum(y * tf.math.log(p), 1))
            if l2 is not None:
                loss = loss + l2 * tf.reduce_sum(ws * ws)
        with tf.compat.v1.name_scope("head/backprop/"):
            d = p - y
            g_ws = tf.matmul(flat, d, transpose_a=True) / B
            g_bs = tf.reduce_mean(d, 0)
            if l2 is not None:
                g_ws = g_ws + 2 * l2 * ws
        return from_session(session, [x, y, ws, bs], [loss, g_ws, g_bs])


def inference() -> bytes:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x, _, ws, bs, _, logits = head(1)
        return from_session(session, [x, ws, bs], [tf.nn.softmax(logits)])


def sgd(rate: float) -> bytes:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        params, grads = placeholders([(F, C), (C,)]), placeholders([(F, C), (C,)])
        return from_session(session, params + grads, [w - rate * g for w, g in zip(params, grads, strict=True)])


def adam(rate: float = 1e-3, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> bytes:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        params, grads, ms, vs = (placeholders([(F, C), (C,)]) for _ in range(4))
        step = tf.compat.v1.placeholder(tf.float32, ())
        new, new_ms, new_vs = [], [], []
        for w, g, m, v in zip(params, grads, ms, vs, strict=True):
            m_next = (1 - b1) * g + b1 * m
            v_next = (1 - b2) * (g**2) + b2 * v
            m_hat = m_next / (1 - tf.pow(b1, step + 1))
            v_hat = v_next / (1 - tf.pow(b2, step + 1))
            new.append(w - rate * m_hat / (tf.sqrt(v_hat) + eps))
            new_ms.append(m_next)
            new_vs.append(v_next)
        return from_session(session, params + grads + ms + vs + [step], new + new_ms + new_vs + [step + 1])


def main() -> None:
    bundles = {"sgd": (None, sgd(0.03)), "sgd_l2": (0.01, sgd(0.03)), "adam": (None, adam())}
    for name, (l2, optimizer) in bundles.items():
        folder = HERE / f"upstream_{name}"
        folder.mkdir(exist_ok=True)
        files = {
            "initialize": initialize(), "bottleneck": bottleneck(), "train_head": train_head(l2),
            "inference": inference(), "optimizer": optimizer,
        }  # fmt: skip
        for key, content in files.items():
            (folder / f"{key}.tflite").write_bytes(content)


if __name__ == "__main__":
    main()
