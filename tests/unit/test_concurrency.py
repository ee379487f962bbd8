"""Threads: predicting, cancelling and closing while a training runs. Deadlines are for hangs, nothing else."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_transfer import TransferLearningModel
from tflite_transfer.backends.numpy import NumpyBackend
from tflite_transfer.errors import ClosedError
from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.samples import SampleStore
from tflite_transfer.training import Pace, epoch_batches

HANG = 30  # seconds
FOREVER = 10**9  # epochs
CLOSED = "^Cannot operate on terminating model$"
Array = Any


def in_thread(work: Callable[[], Any]) -> Future[Any]:
    """Run in a thread of its own."""
    done: Future[Any] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as e:
            done.set_exception(e)

    threading.Thread(target=run, daemon=True).start()
    return done


@pytest.fixture
def model(tiny_model: Path, draw: Callable, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransferLearningModel]:
    """One thread for bottlenecks, twelve samples: three steps an epoch."""
    opened = TransferLearningModel(tiny_model, num_threads=1, seed=7)
    for added in opened.add_samples(draw(12)):
        added.result(HANG)
    yield opened
    closing = in_thread(opened.close)
    try:
        closing.result(HANG)
    except TimeoutError:
        monkeypatch.setattr(NumpyBackend, "train", None)  # ends the training that would not end
        closing.result(HANG)
        raise


class Late:
    """An image that is there once a gate opens."""

    def __init__(self, image: Array) -> None:
        self.image, self.gate, self.asked = image, threading.Event(), threading.Event()

    def __array__(self, *_: Any, **__: Any) -> Array:
        self.asked.set()
        assert self.gate.wait(HANG)
        return self.image


def confidences(model: TransferLearningModel, image: Array) -> tuple[tuple[str, float], ...]:
    return tuple((p.class_name, p.confidence) for p in model.predict(image))


# ---- predicting meanwhile


@pytest.fixture
def often() -> Iterator[None]:
    """Threads change places all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("backend", ["numpy", "tflite"])
def test_predictions_see_one_set_of_parameters(backend: str, tiny_model: Path, draw: Callable) -> None:
    image, rng = draw(1)[0][0], np.random.default_rng(0)
    sets = [{"ws": rng.normal(size=(48, 3)), "bs": rng.normal(size=3)} for _ in range(2)]
    with TransferLearningModel(tiny_model, backend=backend) as model:
        allowed = set()
        for params in sets:
            model.set_parameters(params)
            allowed.add(confidences(model, image))
        lookers = [in_thread(lambda: {confidences(model, image) for _ in range(300)}) for _ in range(2)]
        changes = 0
        while not all(looker.done() for looker in lookers):
            model.set_parameters(sets[changes % 2])
            changes += 1
        seen = set.union(*(looker.result(HANG) for looker in lookers))
    assert len(allowed) == 2
    assert seen <= allowed
    assert changes > 2


def steps_by_hand(model: TransferLearningModel, folder: Path, draw: Callable, epochs: int) -> list[Any]:
    """The parameters before and after each step of a training on the model's twelve samples, one step a call."""
    backend = NumpyBackend(load_bundle(folder))
    x = np.array([image.ravel() for image, _ in draw(12)])
    classes = np.array([model.classes.index(name) for _, name in draw(12)])
    sets = [backend.initialize()]
    for epoch in range(epochs):
        for rows in epoch_batches(model.seed, epoch, 12, 5):
            sets.append(backend.train(sets[-1], {}, x, classes, rows[None]).params)
    return sets


def test_a_training_publishes_whole_steps(
    model: TransferLearningModel, tiny_model: Path, draw: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What predictions see meanwhile is what some number of whole steps makes of the parameters."""
    epochs, image = 500, draw(1, seed=9)[0][0]
    sets, allowed = steps_by_hand(model, tiny_model, draw, epochs), set()
    with TransferLearningModel(tiny_model) as other:
        for params in sets:
            other.set_parameters(params)
            allowed.add(confidences(other, image))
    monkeypatch.setattr(Pace, "took", lambda *_: None)  # one step a chunk: published more often
    training = model.train(epochs)
    seen = set()
    while not training.done():
        seen.add(confidences(model, image))
    assert len(seen) > 1
    assert seen <= allowed
    for name, value in model.parameters().items():
        np.testing.assert_array_equal(value, sets[-1][name])


def test_predicting_does_not_wait_behind_new_samples(model: TransferLearningModel, draw: Callable) -> None:
    """Nor does a callback on the pool's only thread hang that predicts."""
    image = draw(1)[0][0]
    late: Any = Late(image)
    added = model.add_sample(late, "red")
    assert len(in_thread(lambda: model.predict(image)).result(HANG)) == 3
    told: Future[object] = Future()
    added.add_done_callback(lambda _: told.set_result(model.predict(image)))
    late.gate.set()
    assert told.result(HANG) == model.predict(image)


# ---- cancelling


def test_cancelling_keeps_the_last_finished_step(
    model: TransferLearningModel, tiny_model: Path, draw: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "took", lambda *_: None)  # one step a chunk
    steps, train = [], NumpyBackend.train
    started, trainings = threading.Event(), []

    def count(*arguments: Any) -> Any:
        assert started.wait(HANG)
        steps.append(1)
        if len(steps) == 5:  # the middle one of the second epoch
            assert trainings[0].cancel()
        return train(*arguments)

    monkeypatch.setattr(NumpyBackend, "train", count)
    trainings.append(model.train(FOREVER))
    started.set()
    with pytest.raises(CancelledError):
        trainings[0].result(HANG)
    assert model.train(0).result(HANG) == []  # the thread is free again
    monkeypatch.undo()
    assert len(steps) == 5
    expected = steps_by_hand(model, tiny_model, draw, 2)[5]
    for name, value in model.parameters().items():
        np.testing.assert_array_equal(value, expected[name])
    assert model.state().epoch == 1  # the second epoch is not finished


def test_a_training_that_was_not_begun_can_be_cancelled(model: TransferLearningModel) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def on_loss(*_: object) -> None:
        begun.set()
        go_on.wait(HANG)

    first = model.train(1, on_loss)
    assert begun.wait(HANG)
    second, third = model.train(FOREVER), model.train(1)
    assert second.cancel()
    go_on.set()
    assert len(first.result(HANG)) == len(third.result(HANG)) == 1
    assert model.state().epoch == 2


# ---- closing


def test_closing_ends_a_training_soon_and_twice_does_nothing(model: TransferLearningModel) -> None:
    begun = threading.Event()
    training = model.train(FOREVER, lambda *_: begun.set())
    assert begun.wait(HANG)
    in_thread(model.close).result(HANG)
    losses = training.result(0)  # closing waited for it
    assert len(losses) == model.state().epoch > 0
    in_thread(model.close).result(HANG)


def test_closing_from_within_the_callbacks(model: TransferLearningModel, draw: Callable) -> None:
    assert len(model.train(FOREVER, lambda *_: model.close()).result(HANG)) == 1
    with pytest.raises(ClosedError):
        model.predict(draw(1)[0][0])


def test_closing_from_within_a_samples_callback(model: TransferLearningModel, draw: Callable) -> None:
    late: Any = Late(draw(1)[0][0])
    told: Future[object] = Future()
    model.add_sample(late, "red").add_done_callback(lambda _: told.set_result(model.close()))
    late.gate.set()
    assert told.result(HANG) is None


def test_a_thread_of_the_users_waits_whatever_its_name(model: TransferLearningModel) -> None:
    begun, callback_over = threading.Event(), threading.Event()

    def on_loss(*_: object) -> None:
        begun.set()
        closing.join(0.05)  # time for a close() that does not wait
        callback_over.set()

    ended = []
    closing = threading.Thread(
        target=lambda: (begun.wait(HANG), model.close(), ended.append(callback_over.is_set())), name="training_1"
    )
    closing.start()
    model.train(FOREVER, on_loss)
    closing.join(HANG)
    assert ended == [True]


def test_after_closing(model: TransferLearningModel, draw: Callable) -> None:
    image, name = draw(1)[0]
    params = model.parameters()
    model.close()
    calls: dict[str, Callable[[], object]] = {
        "add_sample": lambda: model.add_sample(image, name), "add_samples": lambda: model.add_samples([(image, name)]),
        "train": lambda: model.train(1), "epochs": lambda: model.epochs(1), "predict": lambda: model.predict(image),
        "predict_batch": lambda: model.predict_batch([image]), "evaluate": lambda: model.evaluate([(image, name)]),
        "initialize": model.initialize, "parameters": model.parameters,
        "set_parameters": lambda: model.set_parameters(params),
    }  # fmt: skip
    for call in calls.values():
        with pytest.raises(ClosedError, match=CLOSED):
            call()


def test_a_close_between_the_check_and_the_work(
    model: TransferLearningModel, draw: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may close the model at any moment. No place may stay open: a training would wait for it."""
    reserve = SampleStore.reserve
    monkeypatch.setattr(SampleStore, "reserve", lambda *a: (in_thread(model.close).result(HANG), reserve(*a))[1])
    with pytest.raises(ClosedError, match=CLOSED):
        model.add_sample(*draw(1)[0])
    in_thread(lambda: model._samples.wait(model._samples.places)).result(HANG)


def test_a_close_while_images_are_predicted(model: TransferLearningModel, draw: Callable) -> None:
    class Closing:
        def __array__(self, *_: Any, **__: Any) -> Array:
            model.close()
            return images[0]

    images: list[Any] = [image for image, _ in draw(40)]
    with pytest.raises(ClosedError, match=CLOSED):
        model.predict_batch([Closing(), *images])
