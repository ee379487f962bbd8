"""Dropout's masks: the same in LiteRT and NumPy bit by bit, other ones at each step, and the same again after a resume.

They are of the file's own hash, not TensorFlow's random numbers, so there is no run of Keras to compare with.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.layers import CLASSES, sequential
from tests.parity.operators import Array
from tests.parity.trained import DELEGATES
from tflite_transfer.backends.runner import open_runner
from tflite_transfer.converter.expressions import Graph, shape_of
from tflite_transfer.converter.networks.dropout import uniform
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.one_file import TrainingOptions, network_of, trainable_content
from tflite_transfer.converter.training.optimizers import KerasAdam
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import write

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
layers = tf.keras.layers
STEPS = 4


@pytest.mark.parametrize("delegates", DELEGATES)
def test_the_hash_is_the_same_everywhere(delegates: str) -> None:
    graph = Graph()
    seeds, x = graph.argument("seeds", (2,), "INT32"), graph.argument("x", (-1, 100))
    graph.result("y", uniform(seeds, shape_of(x), x))
    content, found = write(graph.model("run")), []
    litert = LiteRT(model_content=content, experimental_op_resolver_type=DELEGATES[delegates], num_threads=1)
    for pair in ((1, 2), (2, 1), (1, 3), (-5, 7), (2**31 - 1, -(2**31))):
        given = {"seeds": np.array(pair, np.int32), "x": np.zeros((100, 100), np.float32)}
        y = Interpreter(content).run("run", **given)["y"]
        np.testing.assert_array_equal(litert.get_signature_runner("run")(**given)["y"], y)
        assert 0 <= y.min() <= 0.001 < 0.999 < y.max() < 1
        assert abs(y.mean() - 0.5) < 5 * 12**-0.5 / 100  # five standard deviations of 10,000 numbers
        found.append(y)
    for n, a in enumerate(found):
        for b in found[:n]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / 100


class Masked(NamedTuple):
    """A network's function in training as a file: x and variables -> y, and the variables' new values."""

    network: Network
    content: bytes


@cache
def masked() -> Masked:
    """Ones through two dropouts that are added up: 1 where the first keeps, 10 where the second does."""
    x = tf.keras.Input((50,))
    first, second = layers.Dropout(0.25, seed=3)(x), layers.Dropout(0.5, seed=4)(10 * x)
    network = network_of(tf.keras.Model(x, 0.75 * first + 0.5 * second), TrainingOptions())
    graph = network.train.graph.copy()
    graph.output("y", network.train.output)
    for name, number in network.train.updates.items():
        graph.output(f"new {name}", number)
    return Masked(network, write(graph.model("run")))


def steps(run: Any, size: int = 40) -> Iterator[Array]:
    """What each step lets through."""
    state: Mapping[str, Array] = {name: w.value for name, w in masked().network.weights.items()}
    for _ in range(STEPS):
        results = run(x=np.ones((size, 50), np.float32), **state)
        state = {name: results[f"new {name}"] for name in state}
        yield results["y"]


def by_numpy(size: int = 40) -> list[Array]:
    interpreter = Interpreter(masked().content)
    return list(steps(lambda **given: interpreter.run("run", **given), size))


@pytest.mark.parametrize("delegates", DELEGATES)
def test_masks_are_the_same_in_litert_and_numpy(delegates: str) -> None:
    litert = LiteRT(model_content=masked().content, experimental_op_resolver_type=DELEGATES[delegates], num_threads=1)
    for ours, theirs in zip(by_numpy(), steps(litert.get_signature_runner("run")), strict=True):
        np.testing.assert_array_equal(np.round(theirs), np.round(ours))
        np.testing.assert_allclose(theirs, ours, rtol=2**-23)


def test_the_share_that_is_kept_and_what_it_depends_on() -> None:
    found = [np.round(y).astype(int) for y in by_numpy()]
    assert set(np.unique(found)) == {0, 1, 10, 11}
    kept = {rate: [(y % 10 == 1) if rate == 0.25 else (y >= 10) for y in found] for rate in (0.25, 0.5)}
    for rate, masks in kept.items():
        deviation = np.sqrt(rate * (1 - rate) / masks[0].size)
        for n, mask in enumerate(masks):
            assert abs(mask.mean() - (1 - rate)) < 5 * deviation
            assert all((mask != other).mean() > 0.25 for other in masks[:n])  # 0.375 and 0.5 are expected
            assert all((a != b).any() for a, b in itertools.pairwise(mask))  # each example has its own
    agreeing = [(a == b).mean() for a, b in zip(kept[0.25], kept[0.5], strict=True)]
    np.testing.assert_allclose(agreeing, 0.5, atol=5 * 0.5 / np.sqrt(2000))


def test_keras_gives_the_share_too() -> None:
    x = np.ones((400, 50), np.float32)
    y = layers.Dropout(0.25, seed=3)(x, training=True).numpy()
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / x.size)


@cache
def resumed() -> bytes:
    """A file with everything that training moves: Adam's slots, batch norm's means, two dropouts' seeds."""
    inner = (layers.Conv2D(4, 2), layers.BatchNormalization(), layers.SpatialDropout2D(0.3), layers.Dropout(0.5))
    options = TrainingOptions(optimizer=KerasAdam(0.01))
    return trainable_content(network_of(sequential((6, 5, 3), *inner), options), options)


def batches() -> Iterator[dict[str, Array]]:
    rng = np.random.default_rng(5)
    for size in (7, 7, 3, 7, 1, 7):
        y = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, size)]
        yield {"x": rng.normal(size=(size, 6, 5, 3)).astype(np.float32), "y": y}


@pytest.mark.parametrize("backend", ["numpy", "tflite"])
def test_a_training_resumes_bit_for_bit(backend: str) -> None:
    whole, given = open_runner(backend, resumed()), list(batches())
    losses = [whole.run("train", **b)["loss"] for b in given[:3]]
    saved = whole.run("save")
    first = open_runner(backend, resumed()).run("save")
    assert {n for n, v in saved.items() if not np.array_equal(v, first[n])} == set(saved) - {"learning_rate"}
    losses += [whole.run("train", **b)["loss"] for b in given[3:]]
    fresh = open_runner(backend, resumed())
    fresh.run("restore", **saved)  # before anything else
    assert [fresh.run("train", **b)["loss"] for b in given[3:]] == losses[3:]
    for name, value in whole.run("save").items():
        np.testing.assert_array_equal(fresh.run("save")[name], value)


def test_the_seeds_are_saved_as_they_are() -> None:
    kinds = {n: v.dtype for n, v in open_runner("numpy", resumed()).run("save").items() if "seed" in n}
    assert list(kinds.values()) == [np.int64, np.int64]


def test_in_use_nothing_is_dropped() -> None:
    runner, x = open_runner("numpy", resumed()), next(batches())["x"]
    np.testing.assert_array_equal(runner.run("infer", x=x)["output"], runner.run("infer", x=x)["output"])
