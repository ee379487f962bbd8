"""A rule that has no formula here: its numbers, its slots, and LiteRT's opinion of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small_networks import cnn
from tests.unit.diagnostics.right_rules import FOLDED, SIGNS
from tests.unit.explain.test_walk import started, values
from tflite_transfer.converter.expressions import Expression
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable
from tflite_transfer.converter.training.optimizers import SGD, Tree
from tflite_transfer.diagnostics import litert
from tflite_transfer.diagnostics.explain.explanation import explained
from tflite_transfer.diagnostics.explain.find_head import find_head
from tflite_transfer.diagnostics.explain.layout import layout_of


class Hasty(SGD):
    """Momentum by the velocity to come: as momentum has it, but for which velocity that is."""

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        v = {p: slots[f"velocity_{p}"] * 0.5 - grads[p] * rate for p in weights}
        new = {p: w + (v[p] * self.momentum - grads[p] * rate) for p, w in weights.items()}
        return new, {f"velocity_{p}": v[p] for p in weights}


def hasty(folder: Path) -> tuple:
    options = TrainingOptions(optimizer=Hasty(0.1, momentum=0.9))
    return started(make_trainable(cnn(), folder / "hasty.tflite", options))


@pytest.mark.parametrize("engine", ["tflite", "numpy"])
def test_a_rule_without_a_formula_is_told_by_its_numbers(tmp_path: Path, engine: str) -> None:
    model, start = hasty(tmp_path)
    told = explained("x", model, start, engine=engine, precision="float64")
    shown, before = values(told), start.slots["velocity_dense/weights"].T.astype(np.float64)
    assert told.rule == "a rule of its own"
    velocity = 0.5 * before - 0.1 * shown["g_W"]
    np.testing.assert_array_equal(shown["s0_W"], before.astype(np.float32))
    np.testing.assert_allclose(shown["s0_W'"], velocity, rtol=0, atol=3e-8)  # seen: 1.1e-8
    moved = 0.9 * velocity - 0.1 * shown["g_W"]
    np.testing.assert_allclose(shown["W'"] - shown["W"], moved, rtol=0, atol=1e-7)  # seen: 3e-8
    checks = {c.what.text: c for s in told.stages for c in s.checks}
    assert {"W'", "b'", "s0_W'", "s0_b'"} <= checks.keys()
    assert told.agrees


@pytest.mark.parametrize(("rule", "told_as"), [(FOLDED, "SGD, "), (SIGNS, "a rule of its own")])
def test_the_gradient_is_the_losss_own(tmp_path: Path, rule: SGD, told_as: str) -> None:
    """Not what an update makes of it: the same file with plain SGD says what it is."""
    shown = []
    for name, optimizer in (("plain", SGD(0.05)), ("other", rule)):
        path = make_trainable(cnn(), tmp_path / f"{name}.tflite", TrainingOptions(optimizer=optimizer))
        told = explained(name, *started(path), precision="float64", batch=True)
        assert told.agrees
        shown.append(values(told))
    plain, other = shown
    assert told.rule.startswith(told_as)
    for letter in ("g_W", "g_b", "θ"):
        columns = slice(None, 2) if letter == "θ" else slice(None)  # size and gradient; the third is the move
        np.testing.assert_allclose(other[letter][..., columns], plain[letter][..., columns], rtol=1e-5, atol=1e-7)
    moved = 0.05 * plain["g_W"] if rule is FOLDED else 0.001 * np.sign(plain["g_W"])
    np.testing.assert_allclose(other["W"] - other["W'"], moved, rtol=0, atol=1e-7)  # seen: 3e-8


@pytest.mark.parametrize("letter", ["W'", "s0_b'"])
def test_a_fault_in_such_a_rule_is_seen(tmp_path: Path, letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, start = hasty(tmp_path)
    places = find_head(layout_of(model, start.slots)).update.tensors
    monkeypatch.setattr(litert.LiteRTSide, "alone", spoilt_alone(places[letter]))
    told = explained("x", model, start)
    wrong = {c.what.text for s in told.stages for c in s.checks if not c.agrees}
    assert letter in wrong
    assert wrong <= {letter, f"{letter[-2]}'"}  # a new slot is a part of the new parameter


def spoilt_alone(tensor: int) -> Callable:
    """LiteRT's operator that makes a tensor, a thousandth off."""
    right = litert.LiteRTSide.alone

    def alone(self: litert.LiteRTSide, number: int, read: Callable) -> Any:
        found = right(self, number, read)
        if found is None or self.graph.operators[number].outputs != (tensor,):
            return found
        return tuple(v * np.float32(1.001) for v in found)

    return alone
