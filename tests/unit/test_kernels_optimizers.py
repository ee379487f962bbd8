"""The compiled optimizers equal ``reference.optimizers`` bit for bit."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest

from tflite_transfer.reference import optimizers
from tflite_transfer.reference.kernels import optimizers as compiled
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState, bias_corrections

Array = Any

ADAM = Adam(*map(np.float32, (1e-3, 0.9, 0.999, 1 - 0.9, 1 - 0.999, 1e-7)))
RULES = [ADAM, replace(ADAM, learning_rate=np.float32(0.3), beta1=np.float32(0.5), complement1=np.float32(0.5))]
SIZES = [0, 1, 7, 8, 9, 1000, 4097]


def arrays(count: int, size: int) -> list[Array]:
    """Of magnitudes from denormal to 1e18, both signs, read-only."""
    rng = np.random.default_rng(size)
    found = [(rng.standard_normal(size) * 10.0 ** rng.integers(-42, 19, size)).astype(np.float32) for _ in range(count)]
    for a in found:
        a.flags.writeable = False
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rate", [0.01, 1.0, 0.0])
def test_sgd(size: int, rate: float) -> None:
    w, g = arrays(2, size)
    expected = optimizers.sgd({"w": w}, {"w": g}, SGD(np.float32(rate)))["w"]
    new = w.copy()
    compiled.sgd(new, g, (np.float32(rate),))
    np.testing.assert_array_equal(new, expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rule", RULES, ids=["usual", "other"])
@pytest.mark.parametrize("step", [0, 1, 1000])
def test_adam(size: int, rule: Adam, step: int) -> None:
    w, g, m, v = arrays(4, size)
    check_adam(w, g, m, np.abs(v), rule, np.float32(step))


def check_adam(w: Array, g: Array, m: Array, v: Array, rule: Adam, step: np.float32) -> None:
    new, state = optimizers.adam({"w": w}, {"w": g}, AdamState({"w": m}, {"w": v}, step), rule)
    expected = new["w"], state.mean["w"], state.square["w"]
    found = w.copy(), m.copy(), v.copy()
    compiled.adam(found[0], g, *found[1:], astuple(rule), bias_corrections(rule, step))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rule", RULES, ids=["usual", "other"])
def test_bias_corrections(rule: Adam) -> None:
    for step in map(np.float32, (*range(100), 1000, 12345, 2**24)):
        assert compiled.bias_corrections(astuple(rule), step) == bias_corrections(rule, step)


@pytest.mark.filterwarnings("ignore:(invalid|overflow|divide):RuntimeWarning")  # of the definition, by NumPy
def test_adam_with_every_kind_of_number() -> None:
    kinds = np.array([0, -0.0, 1, -1, 1e-45, 1e-39, 3e38, -3e38, np.inf, -np.inf, np.nan], np.float32)
    w, g, m, v = (a.ravel() for a in np.meshgrid(kinds, kinds, kinds, np.abs(kinds)))
    for epsilon in (1e-7, 0):
        check_adam(w, g, m, v, replace(ADAM, epsilon=np.float32(epsilon)), np.float32(3))


def test_many_steps_of_adam() -> None:
    w, g, m, v = (a.copy() for a in arrays(4, 50))
    g = np.clip(g, -1, 1)
    m[:], v[:] = 0, 0
    params, state = {"w": w.copy()}, AdamState({"w": m.copy()}, {"w": v.copy()}, np.float32(0))
    for _ in range(300):
        corrections = bias_corrections(ADAM, state.step)
        params, state = optimizers.adam(params, {"w": g}, state, ADAM)
        compiled.adam(w, g, m, v, astuple(ADAM), corrections)
    np.testing.assert_array_equal(w, params["w"])
    np.testing.assert_array_equal(m, state.mean["w"])
