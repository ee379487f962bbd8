"""Which files are networks with a last layer, found by their wiring; why others are not; and steps in a row."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.small_networks import cnn, head
from tests.unit.explain.test_walk import renamed, started, values
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.expressions import Expression
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.converter.training.optimizers import SGD, Tree
from tflite_transfer.diagnostics.explain.explanation import Explanation, explained
from tflite_transfer.diagnostics.explain.find_head import find_head
from tflite_transfer.diagnostics.explain.subject import Asked, start_of
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.errors import UnknownFormError
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.writer import write


def test_a_step_goes_on_from_the_one_before(whole: Path, tiny_photos: Path) -> None:
    """12 photos are one batch: what the third step begins with is what the second leaves."""
    model = load_trainable(whole)
    told = [explained("cnn", model, start_of(model, Asked(whole, data=tiny_photos, step=k))) for k in (2, 3)]
    second, third = map(values, told)
    for letter in "Wb":
        assert np.abs(third[letter] - second[letter]).max() > 1e-4
        np.testing.assert_allclose(third[letter], second[f"{letter}'"], rtol=0, atol=1e-7)  # seen: 1.5e-8
    assert told[1].losses[0] == pytest.approx(told[0].losses[1], rel=1e-6)


def test_places_are_found_without_names(whole: Path) -> None:
    model, start = started(whole)
    assert isinstance(model, OneFile)
    plain, other = find_head(model, start.slots), find_head(replace(model, model=renamed(model.model)), start.slots)
    assert (plain.step.tensors, plain.update.tensors, plain.layers) == (
        other.step.tensors,
        other.update.tensors,
        other.layers,
    )
    assert list(plain.layers) == ["conv/filters", "conv/bias"]


def test_a_head_of_layers_on_a_frozen_base(tiny_model: Path, tmp_path: Path) -> None:
    """Its hidden layer trains too, and is in front; and a last layer that trains alone has none."""
    (tmp_path / "head.tflite").write_bytes(head(48))
    (base,) = tiny_model.parent.glob("base.tflite")
    options = ConversionOptions(
        out_model_dir=None, one_file=tmp_path / "one.tflite", optimizer="adam", base_tflite=base,
        head_tflite=tmp_path / "head.tflite",
    )  # fmt: skip
    five = replace(options, one_file=None, out_model_dir=tmp_path / "five")
    for told in (shown(convert(options)), shown(convert(five))):
        assert [line.partition(" ")[0] for line in told.stages[1].values[1].rows] == ["hidden/weights", "hidden/bias"]
        assert told.agrees
        assert told.losses[1] < told.losses[0]
    alone = shown(make_trainable(cnn(), tmp_path / "whole.tflite", TrainingOptions(trainable="last:1")))
    assert [v.letter.text for v in alone.stages[1].values] == ["x"]
    assert alone.agrees


def shown(path: Path) -> Explanation:
    return explained("x", *started(path))


def test_a_file_whose_variables_litert_cannot_set(whole: Path, tmp_path: Path) -> None:
    """Others' files save and restore in ways of their own: its last layer is held against LiteRT all the same."""
    model = load_trainable(whole)
    assert isinstance(model, OneFile)
    kept = tuple(s for s in model.model.signatures if s.key not in ("save", "restore"))
    (tmp_path / "less.tflite").write_bytes(write(replace(model.model, signatures=kept)))
    told = shown(tmp_path / "less.tflite")
    assert not told.stages[1].checks
    assert "None of this is held against tflite: less.tflite has no signature restore" in told.stages[1].note
    assert told.agrees


class Hasty(SGD):
    """Momentum by the velocity to come: as momentum has it, but for which velocity that is."""

    def step(self, weights: Tree, grads: Tree, slots: Tree, rate: Expression) -> tuple[Tree, Tree]:
        v = {p: slots[f"velocity_{p}"] * 0.5 - grads[p] * rate for p in weights}
        new = {p: w + (v[p] * self.momentum - grads[p] * rate) for p, w in weights.items()}
        return new, {f"velocity_{p}": v[p] for p in weights}


OTHERS: Mapping[str, tuple[TrainingOptions, str]] = {
    "hasty": (TrainingOptions(optimizer=Hasty(momentum=0.9)), "by another rule than SGD, Adam and RMSprop"),
    "no bias": (
        TrainingOptions(biases=False),
        "not the softmax cross-entropy of a dense layer whose weights and bias train",
    ),
    "squares": (TrainingOptions("mean_squared_error"), "not the softmax cross-entropy"),
    "biases alone": (TrainingOptions(trainable="biases"), "of a dense layer whose weights and bias train"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_why_another_network_is_not_told_stage_by_stage(tmp_path: Path, name: str) -> None:
    options, why = OTHERS[name]
    model, start = started(make_trainable(cnn(), tmp_path / "other.tflite", options))
    with pytest.raises(UnknownFormError, match=why):
        explained("x", model, start)
