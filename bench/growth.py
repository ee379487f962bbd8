"""The cost of a step as the samples become more: whole shuffled epochs, through what a model trains by."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from bench.case import Case, Setting
from bench.results import Goal, Values
from bench.timing import Clock, Side, race, timed
from tests.cases import Head
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array
from tflite_transfer.converter.training.optimizers import SGD
from tflite_transfer.learner import Learner
from tflite_transfer.samples import Samples

HEAD = Head("sgd", None, 4, 1_280, 20)
NUMBERS = (1_000, 10_000, 100_000, 1_000_000)
BACKENDS = {"numpy": NUMBERS, "tflite": NUMBERS[:-1]}  # LiteRT's largest would take as long as all the rest
SPARE = 2.0  # times the samples' memory that must be free


def side_name(backend: str, samples: int) -> str:
    """What a side is called; ``plots.py`` reads it back."""
    return f"{backend}, {samples:,} samples"


def _epochs(setting: Setting) -> Values:
    """Seconds a step: an epoch of N samples has N / 20. Validated: the first two epochs' mean loss falls."""
    most = max(n for n in NUMBERS if SPARE * 4 * n * HEAD.features < _free())
    x = np.resize(np.random.default_rng(0).random((1_000, HEAD.features), np.float32), (most, HEAD.features))
    classes = np.arange(most) % HEAD.classes
    sides = {
        side_name(backend, n): Side(_epoch(backend, x[:n], classes[:n]), n / HEAD.examples)
        for backend, numbers in BACKENDS.items()
        for n in numbers
        if n <= most
    }
    return race(sides, min(setting.rounds, 5), setting.seconds)


def _epoch(backend: str, x: Array, classes: Array) -> Clock:
    files = HEAD.bundle(SGD(1e-4))
    learner = Learner(open_backend(backend, files, 1), files, 0)

    samples = Samples(x, classes, np.arange(len(x)), lambda _: None)

    def epoch() -> float | None:
        return learner.train_epoch(lambda: samples, lambda: False)

    first, second = epoch(), epoch()
    assert first is not None
    assert second is not None
    assert second < first
    return timed(epoch)


def _free() -> float:
    """Bytes."""
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((1024 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable")), math.inf)


FLAT = Goal("within", side_name("numpy", 1_000_000), (side_name("numpy", 10_000),), 1.1)  # 1,000 fit into a cache
CASES = (Case("growth: a step in an epoch of N samples of 1,280, SGD", _epochs, (FLAT,), full=True),)
