"""Threads: predicting, cancelling and closing while a training runs. Deadlines are for hangs, nothing else."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.threads import HANG, Late, in_thread
from tflite_transfer import TransferLearningModel
from tflite_transfer.backends.numpy import NumpyBackend
from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.training import Pace, epoch_batches

FOREVER = 10**9  # epochs
Array = Any


def confidences(model: TransferLearningModel, image: Array) -> tuple[tuple[str, float], ...]:
    return tuple((p.class_name, p.confidence) for p in model.predict(image))


# ---- predicting meanwhile


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
    sets = [backend.initialize()[0]]
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


def test_a_samples_callback_predicts_many(model: TransferLearningModel, draw: Callable) -> None:
    """More images than go through the base together, on the pool's only thread: it must not wait for itself."""
    samples = draw(40)
    late: Any = Late(samples[0][0])
    told: Future[Any] = Future()

    def callback(_: object) -> None:
        told.set_result((model.predict_batch([image for image, _ in samples]), model.evaluate(samples).samples))

    model.add_sample(late, "red").add_done_callback(callback)
    late.gate.set()
    try:
        predictions, judged = told.result(HANG)
    finally:
        model._bottlenecks._pool.shutdown(wait=False, cancel_futures=True)  # should it hang, this ends it
    assert (len(predictions), judged) == (40, 40)


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
    assert model._trainer._thread.submit(list).result(HANG) == []  # the thread is free again
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
