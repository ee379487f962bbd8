"""Training steps of whole networks in one file, through their signatures: the reference interpreter against LiteRT."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench import made
from bench.case import Case, Setting
from bench.litert import THREADS, interpreter
from bench.results import Goal, Values
from bench.timing import Side, race, timed
from tests.small_networks import cnn, head
from tflite_transfer.backends.base import Array
from tflite_transfer.backends.runner import open_runner
from tflite_transfer.converter import SGD, TrainingOptions, make_trainable

Step = Callable[[], dict[str, Array]]


def trainable(plain: bytes) -> bytes:
    """The training model's file of an inference file."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "model.tflite"
        return make_trainable(plain, out, TrainingOptions(optimizer=SGD(1e-3))).read_bytes()


def litert(content: bytes, x: Array, y: Array, threads: int) -> Step:
    """LiteRT's own runner of the signature, with no checks of ours."""
    runner = interpreter(content, threads).get_signature_runner
    runner("initialize")()
    return partial(runner("train"), x=x, y=y)


def examples(count: int, shape: tuple[int, ...], classes: int) -> tuple[Array, Array]:
    """Inputs from -1 to 1, and one-hot labels."""
    x = np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype(np.float32)
    return x, np.eye(classes, dtype=np.float32)[np.arange(count) % classes]


def _dense(setting: Setting) -> Values:
    return _steps(head(784, 10, 128, scaled=False), 32, (784,), 10, setting)


def _cnn(setting: Setting) -> Values:
    return _steps(cnn(10, 28, 16), 32, (28, 28, 3), 10, setting)


def _mobilenet(setting: Setting) -> Values:
    return _steps(made.plain(96, 0.35), 16, (96, 96, 3), 1000, setting)


def _steps(plain: bytes, count: int, shape: tuple[int, ...], classes: int, setting: Setting) -> Values:
    """Validated: each side's first three losses are LiteRT's."""
    content, (x, y) = trainable(plain), examples(count, shape, classes)
    steps = {f"LiteRT{told}": litert(content, x, y, n) for n, told in THREADS.items()}
    ours = [(f"numpy{told}", "numpy", n) for n, told in THREADS.items()]
    for side, backend, threads in (*ours, ("tflite backend", "tflite", 1)):
        runner = open_runner(backend, content, threads)
        runner.run("initialize")
        steps[side] = partial(runner.run, "train", x=x, y=y)
    losses = np.array([[step()["loss"] for _ in range(3)] for step in steps.values()])
    np.testing.assert_allclose(losses, losses[:1].repeat(len(losses), 0), rtol=1e-5)  # seen: 1.2e-7
    return race({name: Side(timed(step)) for name, step in steps.items()}, *setting[:2])


def _case(name: str, measure: Callable[[Setting], Values], *, full: bool = False) -> Case:
    goals = (Goal("faster", "numpy", ("LiteRT",), 1.0), Goal("within", "tflite backend", ("LiteRT",), 1.15))
    return Case(f"one-file step: {name}", measure, goals, full=full)


CASES = (
    _case("dense 784-128-10, 32 examples", _dense),
    _case("CNN of 28 px, 16 filters, 32 examples", _cnn),
    _case("MobileNetV2 0.35, 96 px, 16 examples", _mobilenet, full=True),
)
