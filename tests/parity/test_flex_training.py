"""Training models with TensorFlow's kernels against its runs that ``tests/golden/make_flex.py`` recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden.make_flex import batches
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.errors import ModelError, TransferError

GOLDEN = Path(__file__).parents[1] / "golden" / "flex"
MODELS = sorted(path.stem for path in GOLDEN.glob("*.tflite"))


def data(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    return batches((8, 8) if name.startswith("dense") else (8, 8, 1), sparse=name == "dense_adam")


def trained(name: str, folder: Path, **options: object) -> tuple[Interpreter, list[float]]:
    interpreter = Interpreter(GOLDEN / f"{name}.tflite", folder=folder, **options)  # type: ignore[arg-type]
    return interpreter, [float(interpreter.run("train", x=x, y=y)["loss"]) for x, y in data(name)]


def test_all_models_are_here() -> None:
    assert len(MODELS) == 8


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_twenty_steps_are_tensorflow_s(name: str, jit: bool, tmp_path: Path) -> None:
    """Losses to 1e-5 relative at every step; then logits, and what ``save`` writes."""
    golden = np.load(GOLDEN / f"{name}.npz")
    interpreter, losses = trained(name, tmp_path, jit=jit)
    assert golden["losses"].std() > 0.01
    np.testing.assert_allclose(losses, golden["losses"], rtol=1e-5)
    logits = interpreter.run("infer", x=data(name)[0][0])["logits"]
    np.testing.assert_allclose(logits, golden["logits"], rtol=1e-4, atol=1e-5 * np.abs(golden["logits"]).max())
    assert interpreter.run("save", checkpoint_path="a.ckpt") == {"checkpoint_path": np.array(b"a.ckpt", object)}
    assert (tmp_path / "a.ckpt").stat().st_size == (GOLDEN / f"{name}.ckpt").stat().st_size


@pytest.mark.parametrize("name", MODELS)
def test_a_double_is_nearer_to_the_truth_than_either(name: str, tmp_path: Path) -> None:
    """In float64 the same graph's losses differ from TensorFlow's float32 by float32's rounding alone."""
    _, losses = trained(name, tmp_path, precision="float64")
    np.testing.assert_allclose(losses, np.load(GOLDEN / f"{name}.npz")["losses"], rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_of_tensorflow_s_is_restored(name: str) -> None:
    golden = np.load(GOLDEN / f"{name}.npz")
    interpreter = Interpreter(GOLDEN / f"{name}.tflite", folder=GOLDEN)
    restored = interpreter.run("restore", checkpoint_path=f"{name}.ckpt")
    assert {f"var {key}" for key in restored} == {key for key in golden if key.startswith("var ")}
    for key, value in restored.items():
        np.testing.assert_array_equal(value, golden[f"var {key}"])
    logits = interpreter.run("infer", x=data(name)[0][0])["logits"]
    np.testing.assert_allclose(logits, golden["logits"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["dense_adam", "norm_sgd"])
def test_our_checkpoint_is_read_by_tensorflow(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    interpreter, _ = trained(name, tmp_path)
    interpreter.run("save", checkpoint_path=str(tmp_path / "a.ckpt"))
    reader = tf.train.load_checkpoint(str(tmp_path / "a.ckpt"))
    ours = {value.tobytes() for value in interpreter.variables.values()}
    names = reader.get_variable_to_shape_map()
    assert {f"var {key}" for key in names} == {k for k in np.load(GOLDEN / f"{name}.npz") if k.startswith("var ")}
    assert all(reader.get_tensor(key).tobytes() in ours for key in names)


@pytest.mark.parametrize("path", ["../a.ckpt", "/etc/a.ckpt", "b/../../a.ckpt"])
@pytest.mark.parametrize("signature", ["save", "restore"])
def test_a_path_out_of_the_folder_is_refused(path: str, signature: str, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    interpreter = Interpreter(GOLDEN / "dense_sgd.tflite", folder=tmp_path / "inside")
    with pytest.raises(TransferError, match=r"a\.ckpt"):
        interpreter.run(signature, checkpoint_path=path)
    assert [p.name for p in tmp_path.rglob("*")] == ["inside"]


def test_only_a_checkpoint_is_written_over(tmp_path: Path) -> None:
    interpreter = Interpreter(GOLDEN / "dense_sgd.tflite", folder=tmp_path)
    for _ in range(2):
        interpreter.run("save", checkpoint_path="a.ckpt")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(TransferError, match=r"notes\.txt is there already and no checkpoint, so no model may write"):
        interpreter.run("save", checkpoint_path="notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((ModelError, TransferError), match=r"nowhere\.ckpt"):
        Interpreter(GOLDEN / "dense_sgd.tflite", folder=tmp_path).run("restore", checkpoint_path="nowhere.ckpt")
