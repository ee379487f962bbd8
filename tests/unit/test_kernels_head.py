"""The compiled training steps against ``reference.head`` and ``reference.optimizers``.

One step at a time. Adam with beta1 = 0 and complement1 = 1 leaves the gradient itself in the first moment: it must
lie within a bound of the definition's. From that gradient on no sum is left, and every bit must be the definition's.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tflite_transfer.reference import head as definition
from tflite_transfer.reference import optimizers
from tflite_transfer.reference.kernels import threads
from tflite_transfer.reference.kernels.head import AdamSlots, Head, train_steps
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState

Array = Any

ADAM = Adam(*map(np.float32, (1e-3, 0.9, 0.999, 1 - 0.9, 1 - 0.999, 1e-7)))
SGD_RULE = SGD(np.float32(0.05))
REVEAL = replace(ADAM, beta1=np.float32(0), complement1=np.float32(1))  # m' = g

# |a - b| <= c 2^-24 sum|terms|. The largest c seen: 0.98 for a loss, 2.54 for a gradient (SIZES, four seeds; both with
# 1,000 classes). NumPy itself is up to 6.2 from the float64 formula.
UNIT = 2.0**-24
LOSS_C, GRADIENT_C = 2.0, 5.0
GUARD = np.float32(12345)

SIZES = [(f, c, b) for f in (1, 7, 33, 1280, 5000) for c in (2, 3, 4, 5, 10, 40) for b in (1, 3, 20)]
SIZES += [(33, 1000, b) for b in (1, 3, 20)]


class Problem:
    """Samples that must not change, and parameters with guards around them."""

    def __init__(self, features: int, classes: int, examples: int, scale: float = 1.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.x = scale * rng.standard_normal((50, features), np.float32)
        self.classes: Array = rng.integers(0, classes, 50)
        self.batches = rng.integers(0, 50, (6, examples))
        self.ws = rng.standard_normal((features, classes), np.float32) / np.float32(np.sqrt(features))
        self.bs = rng.standard_normal(classes, np.float32)
        self.mean = [0.01 * rng.standard_normal(a.shape, np.float32) for a in (self.ws, self.bs)]
        self.square = [1e-4 * rng.random(a.shape, np.float32) for a in (self.ws, self.bs)]

    def run(
        self, rule: SGD | Adam, batches: Array, step: int = 7, **options: Any
    ) -> tuple[Array, Head, AdamSlots | None]:
        """New parameters and slots, as (F, C) again: ws, bs."""
        for a in (self.x, self.classes, batches):
            a.flags.writeable = False
        kept: list[Array] = []

        def guarded(a: Array) -> Array:
            room = np.full(a.size + 32, GUARD)
            kept.append(room)
            inside = room[16:-16].reshape(a.shape[::-1])
            inside[...] = a.T
            return inside

        head = Head(guarded(self.ws), guarded(self.bs))
        slots = None
        if isinstance(rule, Adam):
            moments = [Head(*map(guarded, pair)) for pair in (self.mean, self.square)]
            slots = AdamSlots(moments[0], moments[1], guarded(np.array([step], np.float32)))
        losses = train_steps(self.x, self.classes, batches, head, rule, slots, **options)
        assert losses.dtype == np.float32
        assert losses.shape == (len(batches),)
        for room in kept:
            assert (room[:16] == GUARD).all()
            assert (room[-16:] == GUARD).all()
        return losses, head, slots

    def labels(self, rows: Array) -> Array:
        return np.eye(len(self.bs), dtype=np.float32)[self.classes[rows]]


def bounds(p: Problem, rows: Array, l2: float | None, divisor: float | None) -> tuple[float, Array, Array]:
    """Sums of the terms' magnitudes for the loss, g_ws and g_bs, in float64.

    A logit z has the terms |x w| and |b|, up to s in sum. It shifts p by p (1 - p) 2 s, beside p's own rounding.
    """
    x, ws, bs, y = (np.asarray(a, np.float64) for a in (p.x[rows], p.ws, p.bs, p.labels(rows)))
    s = (np.abs(x) @ np.abs(ws) + np.abs(bs)).max(axis=1, keepdims=True)
    q = definition.softmax(x @ ws + bs)
    d = np.abs(q - y) + q + 2 * q * (1 - q) * s
    decay = l2 or 0.0
    loss = 1 + np.mean(2 * s[:, 0] - (y * definition.log_softmax(x @ ws + bs)).sum(axis=1)) + decay * (ws**2).sum()
    g_ws = np.abs(x).T @ d / (divisor or len(rows)) + 2 * decay * np.abs(ws)
    return loss, g_ws, d.mean(axis=0)


def check_step(
    p: Problem, *, l2: float | None = None, divisor: float | None = None, step: int = 7
) -> tuple[float, float]:
    """One step of SGD and one of Adam. -> the constants c that the loss and the gradient need."""
    rows = p.batches[0]
    expected = definition.gradients(p.x[rows], p.labels(rows), p.ws, p.bs, l2=l2, divisor=divisor)
    loss_bound, ws_bound, bs_bound = bounds(p, rows, l2, divisor)
    losses, _, slots = p.run(REVEAL, p.batches[:1], step, l2=l2, divisor=divisor)
    assert slots is not None
    grads = {"ws": slots.mean.wt.T, "bs": slots.mean.bs}
    loss_c = abs(float(losses[0]) - float(expected.loss)) / UNIT / loss_bound
    tiny = 1e-30 * np.abs(p.x).sum() + 100 * 2.0**-149  # errors below 1e-30 count as 0; and denormal rounding
    ws_c = (np.maximum(np.abs(grads["ws"] - expected.ws.astype(np.float64)) - tiny, 0) / UNIT / ws_bound).max()
    bs_c = (np.abs(grads["bs"] - expected.bs.astype(np.float64)) / UNIT / bs_bound).max()
    assert loss_c <= LOSS_C
    assert ws_c <= GRADIENT_C
    assert bs_c <= GRADIENT_C

    params = {"ws": p.ws, "bs": p.bs}
    losses_sgd, head, _ = p.run(SGD_RULE, p.batches[:1], l2=l2, divisor=divisor)
    new = optimizers.sgd(params, grads, SGD_RULE)
    np.testing.assert_array_equal(losses_sgd, losses)
    np.testing.assert_array_equal(head.wt.T, new["ws"])
    np.testing.assert_array_equal(head.bs, new["bs"])

    mean, square = (dict(zip(params, pair, strict=True)) for pair in (p.mean, p.square))
    state = AdamState(mean, square, np.float32(step))
    new, state = optimizers.adam(params, grads, state, ADAM)
    _, head, slots = p.run(ADAM, p.batches[:1], step, l2=l2, divisor=divisor)
    assert slots is not None
    found = (head, slots.mean, slots.square)
    for (wt, bs), tree in zip(found, (new, state.mean, state.square), strict=True):
        np.testing.assert_array_equal(wt.T, tree["ws"])
        np.testing.assert_array_equal(bs, tree["bs"])
    np.testing.assert_array_equal(slots.step, [state.step])
    return loss_c, max(ws_c, bs_c)


@pytest.mark.parametrize(("features", "classes", "examples"), SIZES)
@pytest.mark.parametrize(("l2", "divisor"), [(None, None), (0.01, 32.0)], ids=["plain", "l2-divisor"])
def test_a_step_is_the_definitions(features: int, classes: int, examples: int, l2: float, divisor: float) -> None:
    check_step(Problem(features, classes, examples), l2=l2, divisor=divisor)


@pytest.mark.parametrize("step", [0, 1, 9, 100, 12345, 2**24])
def test_adam_corrects_for_the_step(step: int) -> None:
    check_step(Problem(7, 3, 4), step=step)


@pytest.mark.parametrize("features", [9000, 4097, 12_301])
@pytest.mark.parametrize("rule", [SGD_RULE, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize("classes", [4, 10])
def test_threads_change_no_bit(classes: int, rule: SGD | Adam, features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tflite_transfer.reference.kernels.head.WORTH", 1)
    groups: list[int] = []
    monkeypatch.setattr(
        "tflite_transfer.reference.kernels.head.together", lambda w: (groups.append(len(w)), threads.together(w))[1]
    )
    found = []
    for count in (1, 2, 3):
        p = Problem(features, classes, 7)
        losses, head, slots = p.run(rule, p.batches, l2=0.01, num_threads=count)
        moments = [] if slots is None else [*slots.mean, *slots.square, slots.step]
        found.append([losses, *head, *moments])
    assert groups == [2, 2 if features < 8192 else 3]  # slices have 4,096 features
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_small_steps_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    monkeypatch.setattr("tflite_transfer.reference.kernels.head.together", lambda w: groups.append(len(w)))
    p = Problem(9000, 4, 20)
    p.run(SGD_RULE, p.batches, num_threads=2)
    assert groups == []


def test_without_threads_to_be_had_a_step_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Problem(70_000, 4, 10).run(SGD_RULE, np.arange(10)[None])
    start = threading.Thread.start
    left = [1]

    def limited(thread: threading.Thread) -> None:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        start(thread)

    threads._pool.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", limited)
    found = Problem(70_000, 4, 10).run(SGD_RULE, np.arange(10)[None], num_threads=3)
    threads._pool.cache_clear()
    assert left == []
    np.testing.assert_array_equal(found[0], alone[0])
    np.testing.assert_array_equal(found[1].wt, alone[1].wt)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    done: Any = multiprocessing.get_context("fork").Value("i", 0)

    def both() -> bool:
        return threads.together([lambda: None] * 2)

    def child() -> None:
        done.value = both()

    assert both()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    process.kill()
    assert done.value == 1


def test_two_trainings_at_a_time_take_turns_with_the_threads() -> None:
    """The second is not shared, and gives the same."""
    problems = [Problem(70_000, 4, 10) for _ in range(2)]
    alone = problems[0].run(ADAM, problems[0].batches)
    batches = np.tile(problems[0].batches, (20, 1))
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(p.run, ADAM, batches, num_threads=3) for p in problems]
        (first, *_), (second, *_) = (run.result(timeout=60) for run in runs)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[: len(alone[0])], alone[0])


@pytest.mark.parametrize("rule", [SGD_RULE, ADAM], ids=["sgd", "adam"])
def test_many_steps_are_one_step_many_times(rule: SGD | Adam) -> None:
    together, alone = Problem(1500, 5, 7), Problem(1500, 5, 7)
    losses, head, slots = together.run(rule, together.batches, l2=0.01)
    for k in range(len(losses)):
        loss, after, moments = alone.run(rule, alone.batches[k : k + 1], 7 + k, l2=0.01)
        np.testing.assert_array_equal(loss, losses[k : k + 1])
        alone.ws, alone.bs = after.wt.T, after.bs
        if moments is not None:
            alone.mean, alone.square = ([m.wt.T, m.bs] for m in (moments.mean, moments.square))
    np.testing.assert_array_equal(alone.ws, head.wt.T)
    np.testing.assert_array_equal(alone.bs, head.bs)
    if slots is not None:
        np.testing.assert_array_equal(alone.mean[0], slots.mean.wt.T)
        np.testing.assert_array_equal(alone.square[1], slots.square.bs)
        assert slots.step == 7 + len(losses)


def test_a_saturated_wrong_answer_has_a_large_finite_loss() -> None:
    p = Problem(33, 4, 20)
    p.ws *= np.float32(1e4)
    check_step(p)
    losses, head, _ = p.run(SGD_RULE, p.batches)
    assert np.isfinite(losses).all()
    assert losses[0] > 1000
    assert np.isfinite(head.wt).all()


def test_denormal_samples() -> None:
    p = Problem(33, 4, 20)
    p.x *= np.float32(1e-40)
    assert 0 < np.abs(p.x).max() < np.finfo(np.float32).tiny
    check_step(p)


@pytest.mark.parametrize("gap", [30, 60, 80])
def test_small_errors(gap: int) -> None:
    p = Problem(33, 4, 20)
    p.classes[:] = 1
    p.bs[:] = [0, gap, 0, 0]
    p.ws *= np.float32(0.01)  # so that the wrong classes have p about exp(-gap); below 1e-30 that counts as 0
    assert 0 < definition.gradients(p.x, p.labels(slice(None)), p.ws, p.bs).ws.max() < np.exp(-gap + 1)
    check_step(p)


def test_a_batch_of_one_row_again_and_again() -> None:
    p = Problem(1280, 4, 20)
    p.batches[:] = 3
    check_step(p)
    losses, _, slots = p.run(REVEAL, p.batches[:1])
    losses_one, _, slots_one = p.run(REVEAL, p.batches[:1, :1].copy())
    assert slots is not None
    assert slots_one is not None
    np.testing.assert_allclose(losses, losses_one, rtol=1e-6)
    np.testing.assert_allclose(slots.mean.wt, slots_one.mean.wt, rtol=1e-5)


def test_nan_is_not_lost_and_does_not_spread() -> None:
    p = Problem(33, 4, 5)
    p.batches[0] = [1, 2, 3, 4, 5]
    clean = p.run(SGD_RULE, p.batches[:1])
    p.x = p.x.copy()
    p.x[[0, *range(6, 50)]] = np.nan  # not in the batch
    same = p.run(SGD_RULE, p.batches[:1])
    np.testing.assert_array_equal(same[0], clean[0])
    np.testing.assert_array_equal(same[1].wt, clean[1].wt)
    p.x = p.x.copy()
    p.x[3, 7] = np.nan
    losses, head, _ = p.run(SGD_RULE, p.batches[:1])
    assert np.isnan(losses).all()
    assert np.isnan(head.wt).all()
    assert np.isnan(head.bs).all()


def test_kinds_of_arrays(tmp_path: Any) -> None:
    p = Problem(33, 4, 5)
    losses, head, _ = p.run(SGD_RULE, p.batches)
    p.x.tofile(tmp_path / "x")
    p.x = np.memmap(tmp_path / "x", np.float32, mode="r", shape=p.x.shape)
    p.classes = p.classes.astype(np.int32)
    again, other, _ = p.run(SGD_RULE, np.asfortranarray(p.batches, np.int32))
    np.testing.assert_array_equal(losses, again)
    np.testing.assert_array_equal(head.wt, other.wt)


def test_no_batches() -> None:
    p = Problem(33, 4, 5)
    losses, head, slots = p.run(ADAM, p.batches[:0])
    assert losses.size == 0
    assert slots is not None
    assert slots.step == 7
    np.testing.assert_array_equal(head.wt.T, p.ws)


def test_other_threads_run_meanwhile() -> None:
    p = Problem(5000, 40, 20)
    p.run(SGD_RULE, p.batches)  # compiles
    turns = 0
    thread = threading.Thread(target=p.run, args=(SGD_RULE, np.tile(p.batches, (100, 1))))
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 20  # 1 or 2 where the GIL is held
