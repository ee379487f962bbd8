"""TrainingModel: arrays in, losses out, on both backends; files of this converter, and the tutorial's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small_networks import cnn, head
from tflite_transfer import TrainingModel
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.converter.training.optimizers import KerasAdam
from tflite_transfer.reference.tflite.errors import DataError, ModelError, OptionError, ShapeError, StateError

BACKENDS = ("numpy", "tflite")
GOLDEN = Path(__file__).parents[1] / "golden" / "flex"
CLASSES = np.arange(22) % 3
RNG = np.random.default_rng(0)
X = RNG.random((22, 8, 8, 3), np.float32)
X[np.arange(22), :, :, CLASSES] += np.float32(0.5)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = TrainingOptions(optimizer=KerasAdam(0.01), batch_size=8)
    return make_trainable(cnn(), tmp_path_factory.mktemp("net") / "net.tflite", options)


def opened(path: Path, backend: str = "numpy", **more: Any) -> TrainingModel:
    return TrainingModel(path, backend=backend, seed=3, **more)


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_learns(path: Path, backend: str) -> None:
    model, told = opened(path, backend), []
    losses = model.fit(X, CLASSES, epochs=30, on_loss=lambda epoch, loss: told.append((epoch, loss)))
    assert losses[-1] < 0.1 * losses[0]
    assert told == list(enumerate(losses, 1))
    assert (model.infer(X)["output"].argmax(axis=1) == CLASSES).all()
    assert (model.variables["step"], model.epoch) == (90, 30)  # three batches of 8 cover 22


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_shuffle_the_batches_are_in_order(path: Path, backend: str) -> None:
    """Of 22 examples in eights the last batch begins at the fifteenth."""
    whole, steps = opened(path, backend), opened(path, backend)
    losses = [steps.train_step(X[i : i + 8], CLASSES[i : i + 8]) for i in (0, 8, 14, 0, 8, 14)]
    assert whole.fit(X, CLASSES, 2, shuffle=False) == [float(np.mean(losses[:3])), float(np.mean(losses[3:]))]
    for name, value in steps.variables.items():
        np.testing.assert_array_equal(whole.variables[name], value, name)
    assert opened(path, backend).fit(X, CLASSES) != [float(np.mean(losses[:3]))]


@pytest.mark.parametrize("backend", BACKENDS)
def test_labels_as_numbers_and_one_hot_are_the_same(path: Path, backend: str) -> None:
    numbers, one_hot = opened(path, backend), opened(path, backend)
    y = np.eye(3, dtype=np.float32)[CLASSES]
    assert numbers.fit(X, CLASSES, 2) == one_hot.fit(X, y, 2)
    assert numbers.train_step(X[:5], CLASSES[:5]) == one_hot.train_step(X[:5], y[:5])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_restored_model_goes_on_bit_for_bit(path: Path, backend: str, tmp_path: Path) -> None:
    first, second = opened(path, backend), TrainingModel(path, backend=backend, seed=99)
    first.fit(X, CLASSES, 2)
    first.save(tmp_path / "state.safetensors")
    expected = first.fit(X, CLASSES, 2)
    second.restore(tmp_path / "state.safetensors")  # before anything else ran in it
    assert second.fit(X, CLASSES, 2) == expected
    for name, value in first.variables.items():
        np.testing.assert_array_equal(second.variables[name], value, name)


def test_a_state_goes_from_one_backend_to_the_other(path: Path, tmp_path: Path) -> None:
    numpy, tflite = opened(path), opened(path, "tflite")
    tflite.fit(X, CLASSES, 3)
    tflite.save(tmp_path / "state.safetensors")
    numpy.restore(tmp_path / "state.safetensors")
    for name, value in tflite.variables.items():
        np.testing.assert_array_equal(numpy.variables[name], value, name)
    losses = numpy.fit(X, CLASSES, 3), tflite.fit(X, CLASSES, 3)
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-5)  # 2.7e-6: Adam divides errors by small roots


@pytest.mark.parametrize("backend", BACKENDS)
def test_initialize_takes_everything_back(path: Path, backend: str) -> None:
    model = opened(path, backend)
    before = model.variables
    expected = model.fit(X, CLASSES, 2)
    assert any((model.variables[name] != value).any() for name, value in before.items())
    model.initialize()
    for name, value in model.variables.items():
        np.testing.assert_array_equal(value, before[name], name)
    assert model.fit(X, CLASSES, 2) == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_learning_rate_is_a_variable(path: Path, backend: str) -> None:
    model = opened(path, backend)
    before = model.parameters
    model.set_learning_rate(0)
    model.fit(X, CLASSES)
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(value, before[name], name)
    model.set_variables({"learning_rate": np.float32(0.01)})
    model.fit(X, CLASSES)
    assert any((value != before[name]).any() for name, value in model.parameters.items())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.fit(X, CLASSES[:5]), DataError, r"as many examples, .* but are \(22, 8, 8, 3\) and \(5, 3\)"),
        (lambda m: m.train_step(X, CLASSES[:5]), DataError, r"as many examples, .* but are \(22, .*\) and \(5, 3\)"),
        (lambda m: m.fit(X[:0], CLASSES[:0]), DataError, r"at least one, but are \(0, 8, 8, 3\) and \(0, 3\)"),
        (lambda m: m.infer(X[:0]), DataError, r"at least one example, but is \(0, 8, 8, 3\)"),
        (lambda m: m.fit(X, CLASSES + 1), DataError, "class numbers must be 0 to 2, but are 1 to 3"),
        (lambda m: m.fit(X, CLASSES, 0), OptionError, "^epochs must be a whole number, at least 1"),
        (lambda m: m.fit(X, CLASSES, 1, 0), OptionError, "batch_size must be a whole number, at least 1, but is 0"),
        (lambda m: m.fit(X, CLASSES, 1, 2.5), OptionError, "batch_size must be a whole number, at least 1, but is 2.5"),
        (lambda m: m.set_learning_rate(-1), OptionError, "0 or more and finite in float32, but is -1"),
        (lambda m: m.set_learning_rate(float("nan")), OptionError, "0 or more and finite in float32, but is nan"),
        (lambda m: m.set_learning_rate(1e39), OptionError, "0 or more and finite in float32, but is 1e\\+39"),
        (lambda m: m.train_step(X[:, 1:], CLASSES), ShapeError, r"x must have shape \('any', 8, 8, 3\)"),
        (lambda m: m.train_step(X, np.zeros((22, 4), np.float32)), ShapeError, r"y must have shape \('any', 3\)"),
        (lambda m: m.infer(X.astype(str)), ShapeError, "x must be float32"),
        (lambda m: m.set_variables({"nothing": 1}), ModelError, r"net.tflite has no variable 'nothing'; it has \["),
        (lambda m: m.run("predict", x=X), ModelError, "has no signature 'predict'"),
    ],
)
def test_what_does_not_fit_is_refused(path: Path, backend: str, call: Any, error: Any, message: str) -> None:
    model = opened(path, backend)
    before = model.variables
    with pytest.raises(error, match=message):
        call(model)
    for name, value in model.variables.items():
        np.testing.assert_array_equal(value, before[name], name)


def test_the_state_of_another_model_is_refused(path: Path, tmp_path: Path) -> None:
    other = make_trainable(cnn(4), tmp_path / "other.tflite")
    TrainingModel(other).save(tmp_path / "state.safetensors")
    with pytest.raises(StateError, match="belongs to the model"):
        opened(path).restore(tmp_path / "state.safetensors")


@pytest.mark.parametrize("name", ["dense_adam", "cnn_sgd", "norm_adam"])
def test_the_tutorial_s_files_run_on_the_numpy_backend(name: str, tmp_path: Path) -> None:
    """Made by TensorFlow 2.15 with its own kernels (Flex): its losses, its checkpoint, and states of ours."""
    from tests.golden.make_flex import batches

    model = TrainingModel(GOLDEN / f"{name}.tflite", folder=tmp_path)
    shape = model.signatures["train"].inputs["x"].shape[1:]
    golden = np.load(GOLDEN / f"{name}.npz")
    data = batches(shape, sparse=model.signatures["train"].inputs["y"].dtype == np.int32)
    model.save(tmp_path / "before.safetensors")
    losses = [model.train_step(x, y) for x, y in data]
    np.testing.assert_allclose(losses, golden["losses"], rtol=1e-5)
    model.run("save", checkpoint_path="weights.ckpt")
    assert (tmp_path / "weights.ckpt").stat().st_size > 1000
    trained = model.infer(data[0][0])["logits"]

    model.restore(tmp_path / "before.safetensors")
    np.testing.assert_array_equal([model.train_step(x, y) for x, y in data], losses)
    fresh = TrainingModel(GOLDEN / f"{name}.tflite", folder=tmp_path)
    fresh.run("restore", checkpoint_path="weights.ckpt")
    np.testing.assert_array_equal(fresh.infer(data[0][0])["logits"], trained)
    with pytest.raises(ModelError, match="has no signature initialize"):
        fresh.initialize()


def test_the_tutorial_s_files_do_not_run_on_litert() -> None:
    model = TrainingModel(GOLDEN / "dense_adam.tflite", backend="tflite")
    with pytest.raises(ModelError, match="run it with the numpy backend"):
        _ = model.variables


def test_a_seed_below_zero(path: Path) -> None:
    with pytest.raises(OptionError, match="seed must be 0 or more, and whole, but is -1"):
        TrainingModel(path, seed=-1)


def test_an_inference_file_is_no_training_model(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(cnn())
    with pytest.raises(ModelError, match=r"is no training model: .*\. make-trainable makes one"):
        TrainingModel(tmp_path / "net.tflite")


def learner(folder: Path, loss: str, classes: int = 3) -> TrainingModel:
    """(B, 6) -> (B, C)."""
    options = TrainingOptions(loss, optimizer=KerasAdam(0.01))
    return TrainingModel(make_trainable(head(6, classes), folder / "net.tflite", options, overwrite=True))


ROWS = np.random.default_rng(3).random((4, 6), np.float32)


@pytest.mark.parametrize(
    ("loss", "classes", "labels", "same"),
    [
        ("sparse_categorical_crossentropy", 3, [[0], [2], [1], [1]], [0, 2, 1, 1]),
        ("binary_crossentropy", 1, [0, 1, 1, 0], [[0.0], [1.0], [1.0], [0.0]]),
        ("mean_squared_error", 1, [3, 7, 1, 0], [[3.0], [7.0], [1.0], [0.0]]),
        ("mean_absolute_error", 1, [0.5, 7, 1, 0], [[0.5], [7.0], [1.0], [0.0]]),
    ],
)
def test_labels_may_have_a_last_axis_of_one_or_not(
    tmp_path: Path, loss: str, classes: int, labels: Any, same: Any
) -> None:
    losses = []
    for y in (labels, same):
        model = learner(tmp_path, loss, classes)
        losses.append([model.train_step(ROWS, np.array(y)) for _ in range(3)])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("labels", [[0, 1, 3, 1], [0, -1, 1, 1], [[0], [3], [1], [1]]])
def test_class_numbers_that_there_are_not_are_refused(tmp_path: Path, labels: Any) -> None:
    """ONE_HOT would make zeros of them, and push all logits down."""
    model = learner(tmp_path, "sparse_categorical_crossentropy")
    with pytest.raises(DataError, match="class numbers must be 0 to 2, but are"):
        model.train_step(ROWS, np.array(labels))


def test_numbers_that_are_no_classes_are_not_made_one_hot(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"y must have shape \('any', 3\), but has \(4,\)"):
        learner(tmp_path, "mean_squared_error").train_step(ROWS, np.array([0, 1, 2, 1]))
