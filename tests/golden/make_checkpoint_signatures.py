"""Runs a file of ``make_trainable``'s with checkpoint signatures in TensorFlow's interpreter, and keeps its checkpoint.

    python -m tests.golden.make_checkpoint_signatures write
    /tmp/tf215/bin/python -m tests.golden.make_checkpoint_signatures run    # see make_flex.py for this environment

``trained.ckpt`` is what ``save`` writes after five steps, ``losses.npy`` the losses of these and of three more.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "checkpoint_signatures"
MODEL, CHECKPOINT, LOSSES = HERE / "model.tflite", HERE / "trained.ckpt", HERE / "losses.npy"
BEFORE, AFTER = 5, 3


def examples() -> dict[str, np.ndarray]:
    """Four images, and classes one-hot."""
    x = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)
    return {"x": x, "y": np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]}


def write() -> None:
    """The file."""
    from tests.small_networks import cnn
    from tflite_transfer.converter import TrainingOptions, make_trainable

    HERE.mkdir(exist_ok=True)
    make_trainable(cnn(), MODEL, TrainingOptions(checkpoints=True), overwrite=True)


def run() -> None:
    """TensorFlow's run."""
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(MODEL)).get_signature_runner
    runner("initialize")()

    def losses(steps: int) -> list[float]:
        return [float(runner("train")(**examples())["loss"]) for _ in range(steps)]

    path = {"checkpoint_path": np.array(str(CHECKPOINT), np.bytes_)}
    before = losses(BEFORE)
    runner("save")(**path)
    after = losses(AFTER)
    runner("restore")(**path)
    assert losses(AFTER) == after
    np.save(LOSSES, before + after)


if __name__ == "__main__":
    {"write": write, "run": run}[sys.argv[1]]()
