"""Keras on TensorFlow: ``train_on_batch`` is a step."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
from protocol import Head, Step, serve

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def make(head: Head) -> Step:
    keras = tf.keras
    model = keras.Sequential([keras.layers.Input(head.ws.shape[:1]), keras.layers.Dense(len(head.bs))])
    model.set_weights([head.ws, head.bs])
    rules = {"sgd": keras.optimizers.SGD(head.rate), "adam": keras.optimizers.Adam(head.rate, epsilon=1e-8)}
    model.compile(rules[head.optimizer], keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, labels = tf.constant(head.x), tf.constant(head.labels)

    def step() -> float:
        model.reset_metrics()
        return float(model.train_on_batch(x, labels))

    return step


serve(make)
