"""The runtime's behaviour: classes, samples, training as the formulas say, predictions, evaluation."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_transfer import Prediction, TransferLearningModel
from tflite_transfer.errors import DataError, ModelError, OptionError, ShapeError
from tflite_transfer.training import epoch_batches

BACKENDS = ("numpy", "tflite")
Array = Any


@pytest.fixture(params=BACKENDS)
def model(request: pytest.FixtureRequest, tiny_model: Path) -> Iterator[TransferLearningModel]:
    """A tiny model with SGD, rate 0.03, on either backend."""
    with TransferLearningModel(tiny_model, backend=request.param, seed=7) as opened:
        yield opened


def softmax(logits: Array) -> Array:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_bad_arguments(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="num_threads must be at least 1, but is 0"):
        TransferLearningModel(tiny_model, num_threads=0)
    with pytest.raises(OptionError, match="seed must be 0 or more, and whole, but is -1"):
        TransferLearningModel(tiny_model, seed=-1)
    with pytest.raises(OptionError, match="the backend must be one of numpy, tflite, but is 'torch'"):
        TransferLearningModel(tiny_model, backend="torch")
    with pytest.raises(ModelError, match=r"there is no model .*gone: neither a folder"):
        TransferLearningModel(tmp_path / "gone")


# ---- training: SGD recomputed in float64


def by_hand(samples: list, epochs: int, seed: int, rate: float = 0.03) -> tuple[list[float], dict[str, Array]]:
    """The losses and parameters of the tiny model, whose bottleneck is the image's pixels, in batches of 5."""
    x = np.array([image.ravel() for image, _ in samples], np.float64)
    y = np.eye(3)[[["red", "green", "blue"].index(name) for _, name in samples]]
    ws, bs, losses = np.zeros((48, 3)), np.zeros(3), []
    for epoch in range(epochs):
        batch_losses = []
        for rows in epoch_batches(seed, epoch, len(samples), 5):
            p = softmax(x[rows] @ ws + bs)
            batch_losses.append(-np.log(p[y[rows] == 1]).mean())
            error = (p - y[rows]) / 5
            ws, bs = ws - rate * x[rows].T @ error, bs - rate * error.sum(axis=0)
        losses.append(np.mean(batch_losses))
    return losses, {"ws": ws, "bs": bs}


def test_training_is_the_formulas(model: TransferLearningModel, draw: Callable) -> None:
    """Twelve samples: the third batch overlaps. Seen: losses differ by 5e-8, parameters by 5e-9."""
    model.add_samples(draw(12))
    losses = model.train(4).result()
    expected, params = by_hand(draw(12), 4, seed=7)
    assert losses[-1] < losses[0] < 1.2
    np.testing.assert_allclose(losses, expected, rtol=0, atol=5e-7)
    for name, value in model.parameters().items():
        np.testing.assert_allclose(value, params[name], rtol=0, atol=1e-7, err_msg=name)


def test_the_generator_and_the_callback_tell_what_the_future_returns(
    model: TransferLearningModel, draw: Callable
) -> None:
    model.add_samples(draw(12))
    told: list[tuple[int, float]] = []
    losses = model.train(3, lambda epoch, loss: told.append((epoch, loss))).result()
    assert told == list(enumerate(losses))
    trained = model.parameters()
    later = model.train(2, lambda epoch, _: told.append((epoch, -1))).result()
    assert told[3:] == [(0, -1), (1, -1)]  # numbered from 0 again

    model.initialize()
    assert not any(np.any(v) for v in model.parameters().values())
    generator = model.epochs(5)
    assert [next(generator) for _ in range(3)] == losses  # the first epochs' shuffles again
    for name, value in model.parameters().items():
        np.testing.assert_array_equal(value, trained[name])
    assert list(generator) == later


def test_initialize_empties_the_optimizer(tiny_models: Mapping[str, Path], draw: Callable) -> None:
    with TransferLearningModel(tiny_models["adam"], seed=3) as model:
        model.add_samples(draw(12))
        first = model.train(3).result()
        assert np.any(model.state().slots["step"] == 9)
        model.initialize()
        assert not any(np.any(v) for v in model.state().slots.values())
        assert model.train(3).result() == first


@pytest.mark.parametrize("number", [0, -1, 1.5, "a", None])
def test_what_is_no_number_of_epochs_is_refused(number: Any, model: TransferLearningModel, draw: Callable) -> None:
    model.add_samples(draw(5))
    for form in (model.train, model.epochs):
        with pytest.raises(OptionError, match=f"num_epochs must be a whole number, at least 1, but is {number!r}"):
            form(number)
    assert len(model.train(np.int64(1)).result()) == 1


def test_an_error_in_the_callback_ends_the_training(model: TransferLearningModel, draw: Callable) -> None:
    def fail(epoch: int, loss: float) -> None:
        raise LookupError("mine")

    model.add_samples(draw(5))
    with pytest.raises(LookupError, match="mine"):
        model.train(3, fail).result()
    assert model.state().epoch == 1
    assert len(model.train(1).result()) == 1


# ---- parameters


def test_parameters_are_copies(model: TransferLearningModel) -> None:
    given = {"ws": np.full((48, 3), 0.5, np.float32), "bs": np.array([1, 2, 3])}
    model.set_parameters(given)
    given["ws"][:] = 9
    model.parameters()["ws"][:] = 7
    found = model.parameters()
    assert {k: v.dtype.name for k, v in found.items()} == {"ws": "float32", "bs": "float32"}
    np.testing.assert_array_equal(found["ws"], np.full((48, 3), 0.5))
    np.testing.assert_array_equal(found["bs"], [1, 2, 3])


def test_parameters_that_do_not_fit(model: TransferLearningModel) -> None:
    with pytest.raises(ShapeError, match=r"takes the parameters \['bs', 'ws'\], but was given \['ws'\]"):
        model.set_parameters({"ws": np.ones((48, 3))})
    with pytest.raises(ShapeError, match=r"bs must have shape \(3,\), but has \(4,\)"):
        model.set_parameters({"ws": np.ones((48, 3)), "bs": np.ones(4)})
    with pytest.raises(ShapeError, match="bs must be an array of numbers, and is none: "):
        model.set_parameters({"ws": np.ones((48, 3)), "bs": "b"})
    with pytest.raises(DataError, match="a sample must be a pair of an image and its class's name, but is str"):
        model.add_samples(["photos/red/a.png"])  # type: ignore[list-item]
    assert not any(np.any(v) for v in model.parameters().values())


# ---- prediction and evaluation


def test_predictions_are_sorted_and_ties_stay_in_the_classes_order(
    model: TransferLearningModel, draw: Callable
) -> None:
    image = draw(1)[0][0]
    thirds = model.predict(image)
    assert [p.class_name for p in thirds] == ["red", "green", "blue"]
    assert len({p.confidence for p in thirds}) == 1
    model.set_parameters({"ws": np.zeros((48, 3)), "bs": np.log([2, 1, 2])})
    found = model.predict(image)
    assert found[0] == Prediction("red", found[1].confidence)
    assert [p.class_name for p in found] == ["red", "blue", "green"]
    assert [p.confidence for p in found] == pytest.approx([0.4, 0.4, 0.2])


def test_many_images_are_predicted_as_one(model: TransferLearningModel, draw: Callable) -> None:
    """More than go through the base together."""
    model.add_samples(draw(12))
    model.train(20).result()
    images = [image for image, _ in draw(37, seed=1)]
    found = model.predict_batch(iter(images))
    for together, image in zip(found, images, strict=True):
        alone = model.predict(image)
        assert [p.class_name for p in together] == [p.class_name for p in alone]
        # A matrix product's last bits depend on how many rows it has.
        np.testing.assert_allclose([p.confidence for p in together], [p.confidence for p in alone], rtol=1e-6)
    assert len({p[0].class_name for p in found}) == 3
    assert model.predict_batch([]) == []


@pytest.mark.parametrize(("text", "low", "high"), [("0,1", 0, 1), ("-1,1", -1, 1), ("0,255", 0, 255)])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_base_gets_its_channels_and_its_range(
    text: str, low: int, high: int, depth: int, make_model: Callable, draw: Callable
) -> None:
    image = draw(1)[0][0]
    pixels = image.astype(np.float64) @ np.array([[0.299, 0.587, 0.114]]).T if depth == 1 else image.astype(np.float64)
    ws = np.random.default_rng(0).normal(size=(16 * depth, 3)) / high
    expected = softmax((pixels * (high - low) + low).reshape(1, -1) @ ws)[0]
    with TransferLearningModel(make_model(depth=depth, input_range=text)) as model:
        model.set_parameters({"ws": ws, "bs": np.zeros(3)})
        found = {p.class_name: p.confidence for p in model.predict(image)}
    np.testing.assert_allclose([found[c] for c in ("red", "green", "blue")], expected, rtol=1e-4)


def test_evaluation_by_hand(model: TransferLearningModel, draw: Callable) -> None:
    model.add_samples(draw(12))
    model.train(1).result()
    samples = [s for s in draw(50, seed=1) if s[1] != "blue"]
    params = {k: v.astype(np.float64) for k, v in model.parameters().items()}
    p = softmax(np.array([image.ravel() for image, _ in samples]) @ params["ws"] + params["bs"])
    truth = np.array([model.classes.index(name) for _, name in samples])
    guess = p.argmax(axis=1)
    found = model.evaluate(iter(samples))
    assert found.samples == len(samples)
    assert found.loss == pytest.approx(-np.log(p[np.arange(len(truth)), truth]).mean(), abs=1e-6)
    assert found.accuracy == (guess == truth).mean()
    assert found.confusion.tolist() == [[int(((truth == t) & (guess == g)).sum()) for g in range(3)] for t in range(3)]
    shares = {c: (guess[truth == i] == i).mean() for i, c in enumerate(model.classes[:2])}
    assert found.per_class == {**shares, "blue": None}
    assert 0 < found.accuracy < 1  # or rows and columns of the confusion could be exchanged


def test_what_cannot_be_evaluated(model: TransferLearningModel, draw: Callable) -> None:
    with pytest.raises(DataError, match="the evaluation holds no samples; the model knows red, green, blue"):
        model.evaluate([])
    with pytest.raises(DataError, match="the evaluation has the classes mauve, teal; the model knows red, green, blue"):
        model.evaluate([(draw(1)[0][0], c) for c in ("teal", "red", "mauve")])


# ---- files of the original converter


@pytest.mark.parametrize("name", ["sgd", "sgd_l2", "adam"])
def test_upstreams_files_train_alike_on_both_backends(
    name: str, upstream_models: Mapping[str, Path], draw: Callable
) -> None:
    """Twenty epochs. Ten times what was seen: losses 1.2e-7, confidences 6e-8, parameters 2.3e-8 apart."""
    samples = draw(12, classes=tuple("abcd"))
    losses, params, confidences = [], [], []
    for backend in BACKENDS:
        with TransferLearningModel(upstream_models[name], list("abcd"), backend=backend, seed=7) as model:
            model.add_samples(samples)
            losses.append(model.train(20).result())
            params.append(model.parameters())
            found = [{p.class_name: p.confidence for p in model.predict(image)} for image, _ in samples]
            confidences.append([[row[c] for c in "abcd"] for row in found])
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(*losses, rtol=0, atol=1.2e-6)
    np.testing.assert_allclose(*confidences, rtol=0, atol=6e-7)
    for key, value in params[0].items():
        np.testing.assert_allclose(value, params[1][key], rtol=0, atol=3e-7, err_msg=key)
