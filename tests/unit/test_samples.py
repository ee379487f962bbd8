"""Samples: the order in which they were added stands, whatever order the bottlenecks come in."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_transfer import TransferLearningModel
from tflite_transfer.errors import DataError, ImageError
from tflite_transfer.samples import SampleStore

Array = Any


def row(place: int) -> np.ndarray:
    return np.array([place, place + 0.5], np.float32)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[int], set[int]]:
    """Places in the order in which they become ready, and those that are given up."""
    count = draw(st.integers(0, 90))  # beyond the first 64 rows
    return draw(st.permutations(range(count))), draw(st.sets(st.integers(0, max(count - 1, 0)), max_size=10))


@given(arrivals())
def test_order_is_that_of_the_reservations(case: tuple[list[int], set[int]]) -> None:
    order, dropped = case
    store = SampleStore(2)
    assert [store.reserve(3 * p) for p in range(len(order))] == list(range(len(order)))
    resolved: set[int] = set()
    for place in order:
        store.resolve(place, None if place in dropped else row(place))
        resolved.add(place)
        ready = next((p for p in range(len(order)) if p not in resolved), len(order))
        kept = [p for p in range(ready) if p not in dropped]
        rows, classes = store.snapshot()
        np.testing.assert_array_equal(rows, np.array([row(p) for p in kept]).reshape(-1, 2))
        assert classes.tolist() == [3 * p for p in kept]
        assert store.expected() == len(order) - len(resolved & dropped)
    store.wait(store.places)  # returns, since all is there


def test_snapshots_do_not_change_while_the_store_grows() -> None:
    store = SampleStore(2)
    taken = []
    for place in range(200):
        store.resolve(store.reserve(place), row(place))
        taken.append(store.snapshot())
    for count, (rows, classes) in enumerate(taken, 1):
        np.testing.assert_array_equal(rows, [row(p) for p in range(count)])
        assert classes.tolist() == list(range(count))


def test_a_place_is_resolved_once() -> None:
    """A future that is cancelled after its work was done resolves its place a second time."""
    store = SampleStore(2)
    first, second = store.reserve(0), store.reserve(1)
    store.resolve(second, row(1))
    store.resolve(second, None)  # while it waits for the first
    store.resolve(first, row(0))
    store.resolve(first, None)
    store.resolve(second, row(7))
    np.testing.assert_array_equal(store.snapshot()[0], [row(0), row(1)])
    assert store.expected() == store.places == 2


def test_wait_returns_when_the_places_are_resolved_and_not_before() -> None:
    store = SampleStore(2)
    for _ in range(3):
        store.reserve(0)
    woken = threading.Event()
    waiter = threading.Thread(target=lambda: (store.wait(2), woken.set()))
    waiter.start()
    store.resolve(1, row(1))
    store.resolve(2, row(2))
    assert not woken.wait(0.05)  # place 0 is open
    store.resolve(0, None)
    assert woken.wait(30)
    waiter.join(30)


# ---- in a model


@pytest.fixture
def model(tiny_model: Path) -> Iterator[TransferLearningModel]:
    with TransferLearningModel(tiny_model, seed=7) as opened:
        yield opened


def test_an_unknown_class_is_refused_at_once(model: TransferLearningModel, draw: Callable) -> None:
    text = '^Class "mauve" is not one of the classes recognized by the model: red, green, blue.$'
    with pytest.raises(DataError, match=text):
        model.add_sample(draw(1)[0][0], "mauve")
    assert model.sample_count == 0


def test_too_few_samples_is_upstreams_text(model: TransferLearningModel, draw: Callable) -> None:
    for future in model.add_samples(draw(3)):
        future.result()
    for start in (model.train, model.epochs):
        with pytest.raises(DataError) as caught:
            start(1)
        assert str(caught.value) == "Too few samples to start training: need 5, got 3"
    model.add_samples(draw(2))
    assert len(model.train(1).result()) == 1  # as many as a batch will do


def test_samples_that_fail_do_not_count(model: TransferLearningModel, draw: Callable, tmp_path: Path) -> None:
    samples = [*draw(4), (tmp_path / "gone.png", "red")]
    futures = model.add_samples(samples)
    with pytest.raises(ImageError, match=r"gone\.png"):
        futures[-1].result()
    with pytest.raises(DataError, match="need 5, got 4"):
        model.train(1)


class Late:
    """An image that is there once ``ready()`` returns."""

    def __init__(self, image: Array, ready: Callable[[], object]) -> None:
        self.image, self.ready = image, ready

    def __array__(self, *_: Any, **__: Any) -> Array:
        self.ready()
        return self.image


def test_the_pool_does_not_change_the_order(tiny_model: Path, draw: Callable) -> None:
    """Each image is ready after the one behind it; the losses are those of images that came one by one."""
    samples, losses = draw(12), []
    for threads in (1, 12):
        with TransferLearningModel(tiny_model, num_threads=threads, seed=7) as opened:
            futures: list[Future] = []
            all_added = threading.Event()

            def ready(i: int, futures: list[Future] = futures, all_added: threading.Event = all_added) -> None:
                all_added.wait(60)
                futures[i + 1].result(60)

            for i, (image, name) in enumerate(samples):
                late = threads > 1 and i + 1 < len(samples)
                given: Any = Late(image, partial(ready, i)) if late else image
                futures.append(opened.add_sample(given, name))
            all_added.set()
            losses.append(opened.train(3).result())
    assert losses[0] == losses[1]
