"""Samsung's onert: it trains the head as an inference .tflite, which must be for one example."""

import os

os.environ.update(RUY_THREADS="1", EIGEN_THREADS="1", XNNPACK_THREADS="1")

import numpy as np
from onert.experimental.train.losses import CategoricalCrossentropy
from onert.experimental.train.optimizer import SGD, Adam
from onert.experimental.train.session import TrainSession
from protocol import Head, Step, serve


def make(head: Head) -> Step:
    session = TrainSession(head.file)
    rule = SGD(head.rate) if head.optimizer == "sgd" else Adam(head.rate, epsilon=1e-8)
    session.compile(rule, CategoricalCrossentropy(), batch_size=len(head.labels))
    inputs, expected = [head.x], [np.eye(len(head.bs), dtype=np.float32)[head.labels]]
    return lambda: session.train_step(inputs, expected)["loss"][0]


serve(make)
