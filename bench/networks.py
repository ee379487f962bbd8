"""Whole networks: on one image, and trained. TensorFlow makes the plain files of MobileNetV2.

``python -m bench.networks`` prints the memory that a training step needs in LiteRT.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.litert import fill, interpreter
from tflite_transfer.backends.base import Array
from tflite_transfer.converter import SGD, TrainingOptions, make_trainable
from tflite_transfer.reference.interpreter import Interpreter

BASE = Path(__file__).parent.parent / "demo" / "base.tflite"
SIZE, WIDTH, BATCH, CLASSES = 96, 0.35, 16, 1000
Sides = tuple[Callable[[], object], Callable[[], object], int]  # ours, LiteRT's, steps that a call of ours takes


def bottleneck() -> Sides:
    """The demo's base on one image."""
    image = np.random.default_rng(0).random((1, 160, 160, 3), np.float32)
    return _one_image(BASE.read_bytes(), image, rtol=1e-3, atol=1e-4)


def mobilenet() -> Sides:
    """MobileNetV2 of full width on one image of 224 pixels, float32."""
    image = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    return _one_image(_plain(224, 1.0), image, rtol=0, atol=1e-6)


def _one_image(content: bytes, image: Array, rtol: float, atol: float) -> Sides:
    """One thread."""
    theirs = interpreter(content, threads=1)
    fill(theirs, theirs.get_input_details()[0], image)
    theirs.invoke()
    expected = theirs.get_tensor(theirs.get_output_details()[0]["index"])
    ours = Interpreter(content)
    np.testing.assert_allclose(ours.call(image)[0], expected, rtol=rtol, atol=atol)
    return lambda: ours.call(image), theirs.invoke, 1


def training_step() -> Sides:
    """All weights of MobileNetV2, width 0.35, from its plain file: 16 images of 96 pixels, SGD, one thread."""
    content, x, y = trainable(), *_examples()
    ours, theirs = Interpreter(content), _litert(content)
    ours.run("initialize")
    losses = [[float(run()["loss"]) for _ in range(3)] for run in (lambda: ours.run("train", x=x, y=y), theirs)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    return lambda: ours.run("train", x=x, y=y), theirs, 1


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


def _grown(content: bytes) -> int:
    """By how many bytes a process's peak grows from two training steps, the file already in memory."""
    before = _peak()
    step = _litert(content)
    step()
    step()
    return _peak() - before


def _peak() -> int:
    """Bytes. getrusage would count the parent's too."""
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith("VmHWM:")).split()[1])


def main() -> int:
    """Print the memory of a training step."""
    content = trainable()
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        grown = apart.submit(_grown, content).result()
    print(f"MobileNetV2 {WIDTH}, {SIZE} px, {BATCH} examples: a file of {len(content) / 1e6:.1f} MB")
    print(f"{grown / 1e6:.0f} MB more at the peak of two training steps in LiteRT")
    return 0


if __name__ == "__main__":
    sys.exit(main())
