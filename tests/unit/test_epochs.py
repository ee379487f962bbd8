"""An epoch's batches depend on seed, epoch and N alone, are all full, and leave nobody out; chunks stay short."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_transfer.training import CHUNK_SECONDS, Pace, epoch_batches

SIZES = st.tuples(st.integers(1, 40), st.integers(0, 200)).map(lambda t: (t[0] + t[1], t[0]))  # N >= B


@given(SIZES, st.integers(0, 2**40), st.integers(0, 2**40))
def test_full_batches_the_last_overlapping(size: tuple[int, int], seed: int, epoch: int) -> None:
    n, b = size
    batches = epoch_batches(seed, epoch, n, b)
    assert batches.shape == (math.ceil(n / b), b)
    order = list(dict.fromkeys(batches.ravel().tolist()))  # first appearances
    assert sorted(order) == list(range(n))
    assert all(len(set(rows)) == b for rows in batches.tolist())
    assert batches[-1].tolist() == order[-b:]  # the last batch is the last B of the order, an overlap included


@given(SIZES, st.integers(0, 9), st.integers(0, 9), st.integers(1, 50))
def test_the_order_does_not_depend_on_the_batch(size: tuple[int, int], seed: int, epoch: int, other: int) -> None:
    n, b = size
    orders = [
        list(dict.fromkeys(epoch_batches(seed, epoch, n, batch).ravel().tolist())) for batch in (b, min(other, n), n)
    ]
    assert orders[0] == orders[1] == orders[2]


def test_seed_epoch_and_number_each_change_the_order() -> None:
    def order(seed: int, epoch: int, samples: int) -> tuple[int, ...]:
        return tuple(epoch_batches(seed, epoch, samples, samples)[0].tolist())

    found = {order(seed, epoch, 50) for seed in range(5) for epoch in range(5)}
    assert len(found) == 25
    assert order(1, 2, 50) == order(1, 2, 50)
    assert [i for i in order(1, 2, 51) if i < 50] != list(order(1, 2, 50))


def test_no_shuffle() -> None:
    assert epoch_batches(3, 1, 7, 3, shuffle=False).tolist() == [[0, 1, 2], [3, 4, 5], [4, 5, 6]]


def test_the_shuffle_is_the_one_that_saved_states_count_on() -> None:
    assert epoch_batches(3, 1, 7, 3).tolist() == [[3, 5, 0], [6, 1, 2], [1, 2, 4]]


@pytest.mark.parametrize("step", [1e-6, 1e-4, 3e-3, 0.02, 0.4])
def test_chunks_come_near_half_the_limit_and_stay_below_it(step: float) -> None:
    pace = Pace()
    for _ in range(20):
        pace.took(pace.steps, pace.steps * step)
        assert pace.steps == 1 or pace.steps * step <= CHUNK_SECONDS / 2 * 1.001
    assert pace.steps == 1 or pace.steps * step > CHUNK_SECONDS / 4


def test_a_chunk_grows_fourfold_at_the_most_and_shrinks_at_once() -> None:
    pace = Pace()
    sizes = [pace.steps]
    for _ in range(5):
        pace.took(pace.steps, 0.0)  # a clock that did not move
        sizes.append(pace.steps)
    assert sizes == [1, 4, 16, 64, 256, 1024]
    pace.took(1024, 10.0)
    assert pace.steps == 2
