"""Which files are networks with a last layer, found by their wiring; why others are not; and steps in a row."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.small_networks import cnn, head
from tests.unit.explain.test_networks import spoilt
from tests.unit.explain.test_walk import renamed, started, values
from tflite_transfer.converter import head as converter_head
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.expressions import Expression
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.converter.training.losses import LOSSES, Loss, categorical, squared
from tflite_transfer.diagnostics.explain import runs
from tflite_transfer.diagnostics.explain.explanation import Explanation, explained
from tflite_transfer.diagnostics.explain.find_head import NO_LOSS, find_head
from tflite_transfer.diagnostics.explain.layout import layout_of
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
    nameless = replace(model, model=renamed(model.model))
    plain, other = (find_head(layout_of(m, start.slots)) for m in (model, nameless))
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


@pytest.mark.parametrize(
    ("chosen", "names", "fixed"),
    [("biases", {"W": "dense/bias"}, False), ("dense/weights", {"W": "dense/weights"}, True)],
)
def test_a_part_of_the_last_layer_trains(tmp_path: Path, chosen: str, names: dict[str, str], *, fixed: bool) -> None:
    """A bias alone is told as any layer is; weights alone are the dense layer's, with a b that stays as it is."""
    model, start = started(make_trainable(cnn(), tmp_path / "part.tflite", TrainingOptions(trainable=chosen)))
    found = find_head(layout_of(model, start.slots))
    assert {k: n for k, n in found.names.items() if k in "Wb"} == names
    assert found.dense == fixed
    told = explained("x", model, start, precision="float64", batch=True)
    shown = values(told)
    assert ("b" in shown) == fixed
    assert "b'" not in shown
    assert told.agrees
    assert told.losses[1] < told.losses[0]


@pytest.mark.parametrize("letter", ["z", "g_W"])
def test_a_fault_in_a_layer_that_is_not_dense_is_seen(
    tmp_path: Path, letter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, start = started(make_trainable(cnn(), tmp_path / "part.tflite", TrainingOptions(trainable="biases")))
    place = find_head(layout_of(model, start.slots)).step.tensors[letter]
    monkeypatch.setattr(runs, "run", spoilt(place))
    told = explained("x", model, start)
    assert [c.what.text for s in told.stages for c in s.checks if not c.agrees] == [letter]


def smoothed(z: Expression, y: Expression) -> tuple[Expression, Expression]:
    return categorical(z, y * 0.9 + 0.1 / 3)


def test_a_loss_of_another_form_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of smoothed labels the loss is -Σ log p of others: it has all the operators."""
    monkeypatch.setitem(LOSSES, "categorical_crossentropy", Loss(smoothed, "SOFTMAX"))
    model, start = started(make_trainable(cnn(), tmp_path / "x.tflite", TrainingOptions("categorical_crossentropy")))
    with pytest.raises(UnknownFormError, match=NO_LOSS):
        explained("x", model, start)


def test_why_another_network_is_not_told_stage_by_stage(tmp_path: Path) -> None:
    model, start = started(make_trainable(cnn(), tmp_path / "x.tflite", TrainingOptions("mean_squared_error")))
    with pytest.raises(UnknownFormError, match=NO_LOSS):
        explained("x", model, start)


@pytest.mark.parametrize("trainable", ["all", "biases"])
def test_labels_that_are_smoothed_where_all_scores_are_0(
    tmp_path: Path, trainable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is ln C in both: its derivative says that it is another."""
    monkeypatch.setitem(LOSSES, "categorical_crossentropy", Loss(smoothed, "SOFTMAX"))
    options = TrainingOptions("categorical_crossentropy", trainable=trainable)
    model, start = started(make_trainable(cnn(), tmp_path / "x.tflite", options))
    nothing = {k: v * np.float32(0) if "dense" in k else v for k, v in start.params.items()}
    with pytest.raises(UnknownFormError, match=NO_LOSS):
        explained("x", model, replace(start, params=nothing))


def two(z: Expression, y: Expression) -> tuple[Expression, Expression]:
    """The cross-entropy, and squares of the same predictions."""
    (entropy, dz), (squares, dz2) = categorical(z, y), squared(z, y)
    return entropy + squares, dz + dz2


def test_two_losses_are_none_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "categorical_crossentropy", Loss(two, "SOFTMAX"))
    model, start = started(make_trainable(cnn(), tmp_path / "x.tflite", TrainingOptions("categorical_crossentropy")))
    with pytest.raises(UnknownFormError, match=NO_LOSS):
        find_head(layout_of(model, start.slots))


@pytest.mark.parametrize("chosen", ["all", "biases"])
def test_a_batch_that_is_fixed(tmp_path: Path, chosen: str) -> None:
    """Five examples and no other number: as many are drawn; where no formula says a sample's gradient, none does."""
    model = load_trainable(make_trainable(cnn(), tmp_path / "x.tflite", TrainingOptions(trainable=chosen)))
    assert isinstance(model, OneFile)
    graph = model.model.subgraphs[model.signature("train").subgraph]
    tensors = list(graph.tensors)
    for i in graph.inputs:
        tensors[i] = replace(tensors[i], shape=(5, *tensors[i].shape[1:]), signature=None)
    graphs = (replace(g, tensors=tuple(tensors)) if g is graph else g for g in model.model.subgraphs)
    (tmp_path / "fixed.tflite").write_bytes(write(replace(model.model, subgraphs=tuple(graphs))))
    model, start = started(tmp_path / "fixed.tflite")
    told = explained("x", model, start, batch=True)
    assert len(start.batch.classes) == 5
    assert told.agrees
    note = next(s.note for s in told.stages if s.key == "batch")
    assert note.startswith("This file's step takes no sample by itself") == (chosen == "biases")


def test_a_probability_below_the_least_normal_number(whole: Path) -> None:
    """XNNPACK makes 0 of such: what it says of p - y is as far off as that."""
    model, start = started(whole)
    params = {k: v * np.float32(40) if k == "dense/weights" else v for k, v in start.params.items()}
    told = explained("x", model, replace(start, params=params))
    p = told.decision.before
    assert ((p > 0) & (p < np.finfo(np.float32).tiny)).any()
    assert told.agrees


def test_gradients_that_are_twice_as_large(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the loss's: no formula is put beside them."""
    doubled = Loss(lambda z, y: (categorical(z, y)[0], categorical(z, y)[1] * 2.0), "SOFTMAX")
    monkeypatch.setattr(converter_head, "LOSS", doubled)
    (tmp_path / "head.tflite").write_bytes(head(48))
    (base,) = tiny_model.parent.glob("base.tflite")
    options = ConversionOptions(
        out_model_dir=tmp_path / "five", optimizer="adam", base_tflite=base, head_tflite=tmp_path / "head.tflite"
    )
    with pytest.raises(UnknownFormError, match="not the gradient of its loss; see compare --gradients"):
        explained("x", *started(convert(options)))
