"""What a user waits for, from the start of Python to its end: a first training, a second one, a conversion."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.case import Case, Setting
from bench.results import Goal, Values
from tests.cases import Head
from tflite_transfer.converter.training.optimizers import Adam

ROOT = Path(__file__).parents[1]
BASE = ROOT / "demo" / "base.tflite"
HEAD = Head("adam", None, 4, 62_720, 20)

# The samples' base costs nothing, as if their bottlenecks had been kept.
TRAINING = """
import sys
import numpy as np
from tflite_transfer import TransferLearningModel

images = np.random.default_rng(0).random((100, 1, 1, 1), np.float32)
with TransferLearningModel(sys.argv[1], list("abcd"), backend="numpy", seed=0) as model:
    model.add_samples((image, "abcd"[i % 4]) for i, image in enumerate(images))
    losses = model.train(5).result()
assert losses[-1] < losses[0], losses
"""
CONVERSION = """
import sys
from tflite_transfer.cli.app import main

try:
    main()
finally:
    assert "tensorflow" not in sys.modules
"""


def run(code: str, *words: object, env: Mapping[str, str] | None = None) -> str:
    """The output of a Python of its own. Raises RuntimeError, with what it said, where it failed."""
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"a process of the bench failed:\n{done.stderr}")
    return done.stdout


def _took(code: str, *words: object, env: Mapping[str, str] | None = None) -> float:
    started = time.perf_counter()
    run(code, *words, env=env)
    return time.perf_counter() - started


def _training(setting: Setting) -> Values:
    """Validated: the loss falls."""
    first, second = list[float](), list[float]()
    with TemporaryDirectory() as scratch:
        for role, content in HEAD.bundle(Adam()).contents.items():
            (Path(scratch) / f"{role}.tflite").write_bytes(content)
        for n in range(min(setting.rounds, 3)):
            kept = {"NUMBA_CACHE_DIR": str(Path(scratch) / f"kept_{n}")}
            first.append(_took(TRAINING, scratch, env=kept))
            second.append(_took(TRAINING, scratch, env=kept))
    return {"first start": first, "second start": second}


def _conversion(setting: Setting) -> Values:
    """Validated: the files are there, and TensorFlow was not imported."""
    took = list[float]()
    for _ in range(min(setting.rounds, 5)):
        with TemporaryDirectory() as scratch:
            out = Path(scratch) / "model"
            words = f"convert --base_tflite {BASE} --head_softmax --optimizer adam --out_model_dir {out}".split()
            took.append(_took(CONVERSION, *words))
            assert len(list(out.glob("*.tflite"))) == 5
    return {"convert": took}


CASES = (
    Case(
        "start: train on 100 cached samples",
        _training,
        (Goal("at most", "first start", number=6.0), Goal("at most", "second start", number=1.2)),
        full=True,
    ),
    Case("start: convert from a .tflite base", _conversion, (Goal("at most", "convert", number=1.0),)),
)
