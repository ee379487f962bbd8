"""Samples: the order in which they were added stands, whatever order the bottlenecks come in."""

import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tflite_transfer import TransferLearningModel
from tflite_transfer.errors import DataError, ImageError
from tflite_transfer.rows import MemoryRows
from tflite_transfer.samples import Samples, SampleStore

HANG = 30  # seconds


def row(place: int) -> np.ndarray:
    return np.array([place, place + 0.5], np.float32)


def kept_row(store: SampleStore, place: int) -> int:
    """Its number, after the store's rows took it in."""
    return store._rows.take(np.zeros(0), lambda: row(place))


def in_order(samples: Samples) -> np.ndarray:
    return samples.bottlenecks[samples.numbers]


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[int], set[int]]:
    """Places in the order in which they become ready, and those that are given up."""
    count = draw(st.integers(0, 90))  # beyond the first 64 rows
    return draw(st.permutations(range(count))), draw(st.sets(st.integers(0, max(count - 1, 0)), max_size=10))


@given(arrivals())
def test_order_is_that_of_the_reservations(case: tuple[list[int], set[int]]) -> None:
    order, dropped = case
    store = SampleStore(MemoryRows(2))
    assert [store.reserve(3 * p) for p in range(len(order))] == list(range(len(order)))
    resolved: set[int] = set()
    for place in order:
        store.resolve(place, None if place in dropped else kept_row(store, place))
        resolved.add(place)
        ready = next((p for p in range(len(order)) if p not in resolved), len(order))
        kept = [p for p in range(ready) if p not in dropped]
        found = store.snapshot()
        np.testing.assert_array_equal(in_order(found), np.array([row(p) for p in kept]).reshape(-1, 2))
        assert found.classes[found.numbers].tolist() == [3 * p for p in kept]
        assert store.expected() == len(order) - len(resolved & dropped)
    waiting = threading.Thread(target=store.wait, args=(store.places,), daemon=True)
    waiting.start()
    waiting.join(HANG)
    assert not waiting.is_alive()  # since all is there


def test_snapshots_do_not_change_while_the_store_grows() -> None:
    store = SampleStore(MemoryRows(2))
    taken = []
    for place in range(200):
        store.resolve(store.reserve(place), kept_row(store, place))
        taken.append(store.snapshot())
    for count, found in enumerate(taken, 1):
        np.testing.assert_array_equal(in_order(found), [row(p) for p in range(count)])
        assert found.classes.tolist() == list(range(count))


def test_rows_for_which_nothing_could_be_reserved_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ``ulimit -v`` what is reserved counts as if it were used."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**40, 2**40))
    rows = MemoryRows(2)
    assert not len(rows._rows)
    taken = []
    for place in range(200):
        assert rows.take(np.zeros(0), lambda place=place: row(place)) == place
        taken.append(rows.all())
    for count, found in enumerate(taken, 1):
        np.testing.assert_array_equal(found, [row(p) for p in range(count)])


def test_a_place_is_resolved_once() -> None:
    """A future that is cancelled after its work was done resolves its place a second time."""
    store = SampleStore(MemoryRows(2))
    first, second = store.reserve(0), store.reserve(1)
    store.resolve(second, kept_row(store, 1))
    store.resolve(second, None)  # while it waits for the first
    store.resolve(first, kept_row(store, 0))
    store.resolve(first, None)
    store.resolve(second, kept_row(store, 7))
    np.testing.assert_array_equal(in_order(store.snapshot()), [row(0), row(1)])
    assert store.expected() == store.places == 2


def test_wait_returns_when_the_places_are_resolved_and_not_before() -> None:
    store = SampleStore(MemoryRows(2))
    for _ in range(3):
        store.reserve(0)
    woken = threading.Event()
    waiter = threading.Thread(target=lambda: (store.wait(2), woken.set()))
    waiter.start()
    store.resolve(1, 0)
    store.resolve(2, 1)
    assert not woken.wait(0.05)  # place 0 is open
    store.resolve(0, None)
    assert woken.wait(HANG)
    waiter.join(HANG)


# ---- in a model


@pytest.fixture
def model(tiny_model: Path) -> Iterator[TransferLearningModel]:
    """One thread computes the bottlenecks."""
    with TransferLearningModel(tiny_model, num_threads=1, seed=7) as opened:
        yield opened
        for place in range(opened._samples.places):  # should a test fail, nothing waits for what it left open
            opened._samples.resolve(place, None)


class Late:
    """An image that is there once its gate opens."""

    def __init__(self, image: Any, gate: threading.Event) -> None:
        self.image, self.gate, self.asked = image, gate, threading.Event()

    def __array__(self, *_: Any, **__: Any) -> Any:
        self.asked.set()
        assert self.gate.wait(HANG)
        return self.image


def opened(late: Late, result: Callable[[float], Any]) -> Any:
    """What comes once the gate is open."""
    late.gate.set()
    return result(HANG)


def losses_of(folder: Path, *added: list) -> list[float]:
    """The loss of an epoch after each group of samples, one added after the other, from the seed 7."""
    losses = []
    with TransferLearningModel(folder, num_threads=1, seed=7) as model:
        for samples in added:
            for future in model.add_samples(samples):
                future.result(HANG)
            losses += model.train(1).result(HANG)
    return losses


def test_an_unknown_class_is_refused_at_once(model: TransferLearningModel, draw: Callable) -> None:
    text = '^Class "mauve" is not one of the classes recognized by the model: red, green, blue.$'
    with pytest.raises(DataError, match=text):
        model.add_sample(draw(1)[0][0], "mauve")
    assert model.sample_count == 0


def test_too_few_samples_is_upstreams_text(model: TransferLearningModel, draw: Callable) -> None:
    model.add_samples(draw(3))
    for start in (model.train, model.epochs):
        with pytest.raises(DataError) as caught:
            start(1)
        assert str(caught.value) == "Too few samples to start training: need 5, got 3"
    model.add_samples(draw(2))
    assert len(model.train(1).result(HANG)) == 1  # as many as a batch will do


def test_samples_that_fail_do_not_count(model: TransferLearningModel, draw: Callable, tmp_path: Path) -> None:
    model.add_samples(draw(4))
    with pytest.raises(ImageError, match=r"gone\.png"):
        model.add_sample(tmp_path / "gone.png", "red").result(HANG)
    with pytest.raises(DataError, match="need 5, got 4"):
        model.train(1)


def test_a_training_whose_samples_fail_says_so(model: TransferLearningModel, draw: Callable, tmp_path: Path) -> None:
    late: Any = Late(None, threading.Event())  # no image
    model.add_samples([*draw(4), (late, "red")])
    training = model.train(1)
    with pytest.warns(UserWarning, match=r"^1 sample\(s\) are left out of the training: "):
        assert isinstance(opened(late, training.exception), DataError)
    assert str(training.exception()) == "Too few samples to start training: need 5, got 4"


def test_a_training_warns_once_of_samples_that_cannot_be_read(
    model: TransferLearningModel, draw: Callable, tmp_path: Path
) -> None:
    model.add_samples([*draw(6), (tmp_path / "a.png", "red"), (tmp_path / "b.png", "red")])
    with pytest.warns(UserWarning, match="left out of the training") as told:
        model.train(2).result(HANG)
    assert [str(w.message) for w in told] == [
        f"2 sample(s) are left out of the training: there is no image {tmp_path / 'a.png'}."
    ]
    model.train(1).result(HANG)  # a second warning would be an error


# ---- images whose memory is used again


@pytest.mark.parametrize("as_pil", [False, True])
def test_a_frame_buffer_can_be_used_again(
    as_pil: bool, model: TransferLearningModel, tiny_model: Path, draw: Callable
) -> None:
    """The late image keeps the only thread busy while the buffer changes."""
    frames = [((image * 255).astype(np.uint8), name) for image, name in draw(6)]
    late: Any = Late(draw(7)[6][0], threading.Event())
    model.add_sample(late, "red")
    buffer, canvas = np.zeros((4, 4, 3), np.uint8), Image.new("RGB", (4, 4))
    for frame, name in [*frames, (np.zeros_like(buffer), None)]:
        buffer[:] = frame
        canvas.paste(Image.fromarray(frame))
        if name is not None:
            model.add_sample(canvas if as_pil else buffer, name)
    late.gate.set()
    assert model.train(1).result(HANG) == losses_of(tiny_model, [(late.image, "red"), *frames])


def test_an_opened_image_can_be_closed_and_added_twice(
    model: TransferLearningModel, draw: Callable, tmp_path: Path
) -> None:
    Image.fromarray((draw(1)[0][0] * 255).astype(np.uint8)).save(tmp_path / "a.png")
    late: Any = Late(draw(1)[0][0], threading.Event())
    model.add_sample(late, "red")
    with Image.open(tmp_path / "a.png") as image:
        added = model.add_samples([(image, "red"), (image, "red")])
    late.gate.set()
    assert [a.result(HANG) for a in added] == [None, None]
    assert model.sample_count == 3


def test_an_opened_image_that_cannot_be_loaded_fails_through_the_future(
    model: TransferLearningModel, tmp_path: Path
) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-200])
    with Image.open(tmp_path / "cut.jpg") as image:
        added = model.add_sample(image, "red")
    with pytest.raises(ImageError, match=r"cut\.jpg cannot be read: image file is trunc"):
        added.result(HANG)
    assert model.sample_count == 0


def test_the_pool_does_not_change_the_order(tiny_model: Path, draw: Callable) -> None:
    """Each image is there after the one behind it was computed."""
    samples = draw(12)
    computed = [threading.Event() for _ in samples]
    computed.append(threading.Event())
    computed[-1].set()
    with TransferLearningModel(tiny_model, num_threads=12, seed=7) as model:
        for i, (image, name) in enumerate(samples):
            late: Any = Late(image, computed[i + 1])
            model.add_sample(late, name).add_done_callback(lambda _, done=computed[i]: done.set())
        assert model.train(1).result(HANG) == losses_of(tiny_model, samples)


def test_a_training_waits_for_the_samples_added_before_it(
    model: TransferLearningModel, tiny_model: Path, draw: Callable
) -> None:
    samples = draw(6)
    late: Any = Late(samples[-1][0], threading.Event())
    model.add_samples([*samples[:-1], (late, samples[-1][1])])
    training = model.train(1)
    assert late.asked.wait(HANG)
    assert not training.done()
    late.gate.set()
    assert training.result(HANG) == losses_of(tiny_model, samples)


def test_samples_added_during_a_training_join_at_its_next_epoch(
    model: TransferLearningModel, tiny_model: Path, draw: Callable
) -> None:
    def add(epoch: int, _: float) -> None:
        if epoch == 0:
            for added in model.add_samples(draw(8, seed=1)):
                added.result(HANG)

    model.add_samples(draw(12))
    assert model.train(3, add).result(HANG) == losses_of(tiny_model, draw(12), draw(8, seed=1), [])
    assert model.sample_count == 20


def test_cancelled_and_failed_samples_do_not_hold_a_training_up(
    model: TransferLearningModel, tiny_model: Path, draw: Callable, tmp_path: Path
) -> None:
    """The late image keeps the only thread busy, so that those behind it can still be cancelled."""
    (tmp_path / "note.png").write_text("no picture")
    samples = draw(8)
    late: Any = Late(samples[0][0], threading.Event())
    model.add_sample(late, samples[0][1])
    cancelled = model.add_sample(*samples[1])
    failed = model.add_sample(tmp_path / "note.png", "red")
    model.add_samples(samples[2:])
    assert cancelled.cancel()
    training = model.train(1)
    with pytest.warns(UserWarning, match=r"note\.png is not an image"):
        losses = opened(late, training.result)
    assert losses == losses_of(tiny_model, [samples[0], *samples[2:]])
    assert isinstance(failed.exception(), ImageError)
    assert model.sample_count == 7
