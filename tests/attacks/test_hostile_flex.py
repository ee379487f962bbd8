"""Damaged training models with TensorFlow's kernels: trained, asked, saved, restored, or refused by a typed error."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.outcome import flips, outcome
from tests.attacks.zoo import GOLDEN
from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read
from tflite_transfer.reference.tflite.errors import StateError

BUDGET = Budget(bytes=2**27, operators=10_000, trips=100, seconds=1)
SECONDS = 2  # of CPU for one file: a second more than the budget
MODELS = sorted(path.stem for path in (GOLDEN / "flex").glob("*.tflite"))


def nodes(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """With one to three other bytes in the nodes that TensorFlow's operators carry."""
    options = [o.extra.get("custom_options") for graph in read(data).subgraphs for o in graph.operators]
    places = np.concatenate([data.index(o.tobytes()) + np.arange(o.size) for o in options if o is not None])
    rng = np.random.default_rng(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for at in rng.choice(places, rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        yield bytes(damaged)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("damage", [flips, nodes])
@pytest.mark.parametrize("name", MODELS)
def test_a_damaged_training_model_runs_or_is_refused(name: str, damage, tmp_path: Path) -> None:
    data = (GOLDEN / "flex" / f"{name}.tflite").read_bytes()
    assert outcome(data, Budget(), tmp_path) == "ran"
    found: Counter[str] = Counter()
    for number, damaged in enumerate(damage(data, 40, len(data))):
        start = time.process_time()
        try:
            found[outcome(damaged, BUDGET, tmp_path)] += 1
        except Exception as e:
            e.add_note(f"{name}, file {number}")
            raise
        assert time.process_time() - start < SECONDS, (name, number)
    assert min(found["ran"], found["refused"]) > 0


def test_a_path_of_control_characters_is_refused(tmp_path: Path) -> None:
    interpreter = Interpreter(GOLDEN / "flex" / "dense_sgd.tflite", folder=tmp_path)
    with pytest.raises(StateError, match="control characters"):
        interpreter.run("save", checkpoint_path="a\x10.ckpt")
    assert not list(tmp_path.iterdir())
