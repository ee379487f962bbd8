"""The optimizers' definition against the textbook in float64, and against Keras where the two differ on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import head_bundle
from tflite_transfer.backends.numpy import NumpyBackend
from tflite_transfer.converter.training import optimizers as converter
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState, adam, bias_corrections, sgd

Array = Any
Tree = dict[str, Array]

UNIT = 2.0**-24
SHAPES = {"ws": (5, 3), "bs": (3,)}
STEPS = 100
# |a - b| <= c 2^-24 sum|terms|, over the terms of all steps so far. Largest c seen with ten seeds: 0.86 for a parameter
# of SGD, 0.94 for one of Adam, 1.35 for m, 2.30 for v.
SGD_C, ADAM_C, MEAN_C, SQUARE_C = 2.0, 2.0, 3.0, 5.0


def adam_rule(rate: float = 0.01, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8) -> Adam:
    """1 - beta is taken in double, then rounded, as in the files."""
    return Adam(*map(np.float32, (rate, b1, b2, 1 - b1, 1 - b2, epsilon)))


def random_tree(seed: int) -> Tree:
    rng = np.random.default_rng(seed)
    return {k: rng.standard_normal(shape, np.float32) for k, shape in SHAPES.items()}


def zeros() -> Tree:
    return {k: np.zeros(shape, np.float32) for k, shape in SHAPES.items()}


def gradients(seed: int) -> list[Tree]:
    """Of magnitudes from 1e-6 to 100; the sign stays for some numbers and changes for others; one starts with 0."""
    rng = np.random.default_rng(seed)
    scale = {k: 10.0 ** rng.uniform(-6, 2, shape) for k, shape in SHAPES.items()}
    drift = {k: rng.choice([-1, 0, 2], shape) for k, shape in SHAPES.items()}
    found = [
        {k: ((rng.standard_normal(s) + drift[k]) * scale[k]).astype(np.float32) for k, s in SHAPES.items()}
        for _ in range(STEPS)
    ]
    found[0]["bs"][0] = 0
    return found


def needed(found: Array, exact: Array, terms: Array) -> float:
    """The least c with ``|found - exact| <= c 2^-24 terms``."""
    assert found.dtype == np.float32
    return float(np.max(np.abs(found - exact) / (terms + 2.0**-102))) / UNIT  # a lost denormal is no error


@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_steps_of_sgd(seed: int) -> None:
    rule, params, steps = SGD(np.float32(0.01)), random_tree(seed), gradients(seed)
    exact = {k: v.astype(np.float64) for k, v in params.items()}
    terms = {k: np.zeros(shape) for k, shape in SHAPES.items()}
    for grads in steps:
        params = sgd(params, grads, rule)
        for k, g in grads.items():
            move = 0.01 * g.astype(np.float64)
            terms[k] += np.abs(exact[k]) + np.abs(move)
            exact[k] -= move
            assert needed(params[k], exact[k], terms[k]) <= SGD_C


class Textbook:
    """Algorithm 1 of Kingma and Ba for one array, in float64, and the magnitudes of what it adds up."""

    def __init__(self, w: Array, rate: float, b1: float, b2: float, epsilon: float) -> None:
        self.numbers = rate, b1, b2, epsilon
        self.w, self.m, self.v = w.astype(np.float64), np.zeros(w.shape), np.zeros(w.shape)
        self.w_terms, self.m_terms, self.v_terms = np.zeros(w.shape), np.zeros(w.shape), np.zeros(w.shape)

    def step(self, g: Array, t: int) -> None:
        rate, b1, b2, epsilon = self.numbers
        g = g.astype(np.float64)
        self.m_terms = b1 * self.m_terms + b1 * np.abs(self.m) + (1 - b1) * np.abs(g)
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g**2
        self.v_terms = b2 * self.v_terms + self.v
        m_hat, v_hat = self.m / (1 - b1**t), self.v / (1 - b2**t)
        scale = np.sqrt(v_hat) + epsilon
        move = rate * m_hat / scale
        # beta is rounded to float32, t times over in its power, and the power once more; v counts by its root.
        powers = t * (b1**t / (1 - b1**t) + b2**t / (1 - b2**t))
        relative = 1 + powers + np.divide(self.v_terms, self.v, out=np.zeros_like(self.v), where=self.v > 0)
        self.w_terms += np.abs(self.w) + np.abs(move) * relative + rate * self.m_terms / (1 - b1**t) / scale
        self.w -= move


@pytest.mark.parametrize("numbers", [(0.01, 0.9, 0.999, 1e-8), (0.3, 0.5, 0.9, 1e-3), (0.01, 0.0, 0.999, 1e-8)])
@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_steps_of_adam(seed: int, numbers: tuple[float, float, float, float]) -> None:
    params, state = random_tree(seed), AdamState(zeros(), zeros(), np.float32(0))
    exact = {k: Textbook(w, *numbers) for k, w in params.items()}
    for t, grads in enumerate(gradients(seed), 1):
        params, state = adam(params, grads, state, adam_rule(*numbers))
        assert state.step == t
        for k, book in exact.items():
            book.step(grads[k], t)
            assert needed(params[k], book.w, book.w_terms) <= ADAM_C
            assert needed(state.mean[k], book.m, book.m_terms) <= MEAN_C
            assert needed(state.square[k], book.v, book.v_terms) <= SQUARE_C


@pytest.mark.parametrize("t", [1, 2, 10, 1000, 100_000, 2**24])
def test_bias_corrections(t: int) -> None:
    """Each is 1 minus a power rounded to float32: half a unit of 1 away, and exact in the end."""
    rule = adam_rule()
    for found, beta in zip(bias_corrections(rule, np.float32(t - 1)), (rule.beta1, rule.beta2), strict=True):
        assert found.dtype == np.float32
        assert abs(float(found) - (1 - float(beta) ** t)) <= 0.5 * UNIT
        assert found == 1 or t < 100_000


def test_the_papers_epsilon_is_not_keras() -> None:
    """A first step with gradient 1e-6 and epsilon 1e-7, in units of the rate: g / (|g| + eps) against
    g / (|g| + eps / sqrt(1 - beta2))."""
    g = {"w": np.array([1e-6], np.float32)}
    zero = {"w": np.zeros(1, np.float32)}
    new, _ = adam(zero, g, AdamState(zero, zero, np.float32(0)), adam_rule(1.0, epsilon=1e-7))
    # Seen: 6.1e-6, as 1 - float32(0.999) is 1.3e-5 less than the float32(1 - 0.999) that it corrects.
    np.testing.assert_allclose(new["w"], -1e-6 / (1e-6 + 1e-7), rtol=1e-5)
    np.testing.assert_allclose(new["w"], -0.909, atol=0.001)

    keras = pytest.importorskip("keras")
    variable = keras.Variable(np.zeros(1, np.float32))
    keras.optimizers.Adam(1.0, epsilon=1e-7).apply_gradients([(keras.ops.convert_to_tensor(g["w"]), variable)])
    theirs = float(variable[0])
    np.testing.assert_allclose(theirs, -1e-6 / (1e-6 + 1e-7 / np.sqrt(0.001)), rtol=1e-4)  # seen: 6.7e-6, from the same
    np.testing.assert_allclose(theirs, -0.240, atol=0.001)


@pytest.mark.parametrize("optimizer", [converter.SGD(0.1), converter.Adam()], ids=["sgd", "adam"])
def test_the_order_and_the_shapes_of_the_state(optimizer: Any) -> None:
    """All m, all v, then the step, each of its parameter's shape: so that a file's slots can be passed by position."""
    files = head_bundle(5, 3, optimizer)
    params, grads = random_tree(0), random_tree(1)
    slots = {k: np.zeros(shape, np.float32) for k, shape in files.slots.items()}
    expected = {"m_ws": (5, 3), "m_bs": (3,), "v_ws": (5, 3), "v_bs": (3,), "step": ()}
    assert list(files.slots.items()) == ([] if isinstance(optimizer, converter.SGD) else list(expected.items()))
    new, state = NumpyBackend(files).update(params, grads, slots)
    assert {k: v.shape for k, v in new.items()} == SHAPES
    assert [(k, v.shape, v.dtype) for k, v in state.items()] == [(k, s, np.float32) for k, s in files.slots.items()]
    if state:
        np.testing.assert_array_equal(state["m_ws"], np.float32(1 - 0.9) * grads["ws"])
        np.testing.assert_array_equal(state["v_bs"], np.float32(1 - 0.999) * (grads["bs"] * grads["bs"]))
        assert state["step"] == 1


def test_what_is_given_stays() -> None:
    params, grads, m, root = (random_tree(seed) for seed in range(4))
    v = {k: a * a for k, a in root.items()}
    given = [a for tree in (params, grads, m, v) for a in tree.values()]
    kept = [a.copy() for a in given]
    for a in given:
        a.flags.writeable = False

    def results() -> list[Array]:
        new, state = adam(params, grads, AdamState(m, v, np.float32(3)), adam_rule())
        moved = sgd(params, grads, SGD(np.float32(0.1)))
        return [a for tree in (new, state.mean, state.square, moved) for a in tree.values()]

    for first, again in zip(results(), results(), strict=True):
        np.testing.assert_array_equal(first, again)
        assert not any(np.shares_memory(first, a) for a in given)
    for a, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(a, before)


def test_no_gradient_no_move() -> None:
    params = random_tree(0)
    moved = adam(params, zeros(), AdamState(zeros(), zeros(), np.float32(0)), adam_rule())[0]
    still = sgd(params, zeros(), SGD(np.float32(0.1)))
    for k, w in params.items():
        np.testing.assert_array_equal(moved[k], w)
        np.testing.assert_array_equal(still[k], w)
