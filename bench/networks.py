"""Whole networks: on one image, and trained. TensorFlow makes the plain files of MobileNetV2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.case import Case, Setting
from bench.litert import fill, interpreter
from bench.results import Goal, Values
from bench.timing import Side, race, timed
from tflite_transfer.backends.base import Array
from tflite_transfer.converter import SGD, TrainingOptions, make_trainable
from tflite_transfer.reference.interpreter import Interpreter

BASE = Path(__file__).parent.parent / "demo" / "base.tflite"
SIZE, WIDTH, BATCH, CLASSES = 96, 0.35, 16, 1000


def bottleneck(setting: Setting) -> Values:
    """The demo's base on one image."""
    image = np.random.default_rng(0).random((1, 160, 160, 3), np.float32)
    return _one_image(setting, BASE.read_bytes(), image, rtol=1e-3, atol=1e-4)


def mobilenet(setting: Setting) -> Values:
    """MobileNetV2 of full width on one image of 224 pixels, float32."""
    image = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    return _one_image(setting, _plain(224, 1.0), image, rtol=0, atol=1e-6)


def _one_image(setting: Setting, content: bytes, image: Array, rtol: float, atol: float) -> Values:
    """One thread."""
    theirs = interpreter(content, threads=1)
    fill(theirs, theirs.get_input_details()[0], image)
    theirs.invoke()
    expected = theirs.get_tensor(theirs.get_output_details()[0]["index"])
    ours = Interpreter(content)
    np.testing.assert_allclose(ours.call(image)[0], expected, rtol=rtol, atol=atol)
    return _race(setting, lambda: ours.call(image), theirs.invoke)


def training_step(setting: Setting) -> Values:
    """All weights of MobileNetV2, width 0.35, from its plain file: 16 images of 96 pixels, SGD, one thread."""
    content, x, y = trainable(), *_examples()
    ours, theirs = Interpreter(content), _litert(content)
    ours.run("initialize")
    losses = [[float(run()["loss"]) for _ in range(3)] for run in (lambda: ours.run("train", x=x, y=y), theirs)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    return _race(setting, lambda: ours.run("train", x=x, y=y), theirs)


def trainable() -> bytes:
    """That training model's file."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "model.tflite"
        return make_trainable(_plain(SIZE, WIDTH), out, TrainingOptions(optimizer=SGD(1e-3))).read_bytes()


def _plain(size: int, width: float) -> bytes:
    from tests.parity.models.convert import Sample, converted
    from tests.parity.models.images import mobilenet_v2

    return converted(partial(mobilenet_v2, size=size, width=width), Sample((1, size, size, 3)), "float32")


def _examples() -> tuple[Array, Array]:
    x = np.random.default_rng(0).uniform(-1, 1, (BATCH, SIZE, SIZE, 3)).astype(np.float32)
    return x, np.eye(CLASSES, dtype=np.float32)[:BATCH]


def _litert(content: bytes) -> Callable[[], dict[str, Array]]:
    runner = interpreter(content, threads=1).get_signature_runner
    runner("initialize")()
    x, y = _examples()
    return partial(runner("train"), x=x, y=y)


def _race(setting: Setting, ours: Callable[[], object], theirs: Callable[[], object]) -> Values:
    return race({"numpy": Side(timed(ours)), "LiteRT": Side(timed(theirs))}, *setting[:2])


CASES = (
    Case("bottleneck, EfficientNet-Lite0 cut at block 13, 160 px", bottleneck, (Goal("within", "numpy", ("LiteRT",)),)),
    Case("MobileNetV2, 224 px, one image", mobilenet, (Goal("within", "numpy", ("LiteRT",), 1.5),)),
    Case("MobileNetV2 0.35, 96 px, training step of 16", training_step, (Goal("within", "numpy", ("LiteRT",)),)),
)
