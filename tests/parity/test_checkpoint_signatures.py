"""``--checkpoint_signatures`` against TensorFlow's run that ``tests/golden/make_checkpoint_signatures.py`` recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tests.golden.make_checkpoint_signatures import AFTER, BEFORE, CHECKPOINT, LOSSES, MODEL, examples
from tests.small_networks import cnn
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.reference import Interpreter
from tflite_transfer.reference.tflite import read
from tflite_transfer.reference.tflite.graph import Model


def losses(interpreter: Interpreter, steps: int) -> list[float]:
    return [float(interpreter.run("train", **examples())["loss"]) for _ in range(steps)]


def test_tensorflow_s_checkpoint_goes_on(tmp_path: Path) -> None:
    shutil.copy(CHECKPOINT, tmp_path)
    theirs, interpreter = np.load(LOSSES), Interpreter(MODEL, folder=tmp_path)
    interpreter.run("initialize")
    np.testing.assert_allclose(losses(interpreter, BEFORE), theirs[:BEFORE], rtol=1e-6)  # seen: 1.1e-7
    again = Interpreter(MODEL, folder=tmp_path)
    again.run("restore", checkpoint_path=CHECKPOINT.name)
    np.testing.assert_allclose(losses(again, AFTER), theirs[BEFORE:], rtol=1e-6)


def test_our_checkpoint_is_as_long_and_holds_the_same_names(tmp_path: Path) -> None:
    import tensorflow as tf

    interpreter = Interpreter(MODEL, folder=tmp_path)
    interpreter.run("initialize")
    losses(interpreter, BEFORE)
    interpreter.run("save", checkpoint_path="ours.ckpt")
    assert (tmp_path / "ours.ckpt").stat().st_size == CHECKPOINT.stat().st_size
    ours, theirs = (tf.train.load_checkpoint(str(p)) for p in (tmp_path / "ours.ckpt", CHECKPOINT))
    names = theirs.get_variable_to_shape_map()
    assert ours.get_variable_to_shape_map() == names
    for name in names:
        scale = np.abs(theirs.get_tensor(name)).max()
        assert np.abs(ours.get_tensor(name) - theirs.get_tensor(name)).max() <= 2e-6 * scale, name  # seen: 3e-7


def test_the_files_of_today_have_the_nodes_that_tensorflow_ran(tmp_path: Path) -> None:
    def nodes(model: Model) -> list[bytes]:
        return [o.extra["custom_options"].tobytes() for g in model.subgraphs for o in g.operators if o.custom_code]

    today = make_trainable(cnn(), tmp_path / "model.tflite", TrainingOptions(checkpoints=True))
    assert nodes(read(today)) == nodes(read(MODEL))
