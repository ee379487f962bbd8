"""Heads of the user's own from a .tflite: in five files and in one, without TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small_networks import cnn, head
from tflite_transfer import TransferLearningModel
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.diagnostics.gradients import check_gradients
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.reference.tflite.errors import ModelError, OptionError

IMAGES = np.random.default_rng(0).random((20, 8, 8, 3), np.float32)
BACKENDS = ("numpy", "tflite")


@pytest.fixture
def options(tmp_path: Path) -> ConversionOptions:
    (tmp_path / "base.tflite").write_bytes(cnn())
    (tmp_path / "head.tflite").write_bytes(head(64))
    return ConversionOptions(
        tmp_path / "model", "adam", base_tflite=tmp_path / "base.tflite", base_layer="flat/rows",
        head_tflite=tmp_path / "head.tflite", train_batch_size=5, adam_learning_rate=0.01,
    )  # fmt: skip


def losses(path: Path, backend: str, epochs: int = 4) -> list[float]:
    with TransferLearningModel(path, ["a", "b", "c"], backend=backend, seed=2, num_threads=1) as model:
        model.add_samples((image, "abc"[n % 3]) for n, image in enumerate(IMAGES))
        return model.train(epochs).result()


def test_five_files_and_one_file_learn_alike_on_both_backends(options: ConversionOptions, tmp_path: Path) -> None:
    five = convert(options)
    one = convert(replace(options, out_model_dir=None, one_file=tmp_path / "one.tflite"))
    assert list(load_bundle(five).parameters) == ["hidden/weights", "hidden/bias", "last/weights", "last/bias"]
    found = {(path.name, backend): losses(path, backend) for path in (five, one) for backend in BACKENDS}
    first = found["model", "numpy"]
    assert first[-1] < 0.9 * first[0]
    for one_run in found.values():
        np.testing.assert_allclose(one_run, first, rtol=1e-5)  # 6e-7


def test_gradients_are_slopes(options: ConversionOptions, tmp_path: Path) -> None:
    """Central differences in float64 along random directions, of the files' own loss."""
    five = convert(options)
    one = convert(replace(options, out_model_dir=None, one_file=tmp_path / "one.tflite"))
    for path in (five, one):
        found = check_gradients(path)
        assert [c.verdict for c in found.checks] == ["agree"] * 4
        assert found.agrees, found.faults


def test_a_part_of_the_head_stays_as_it_is(options: ConversionOptions, tmp_path: Path) -> None:
    """The scale is one number, so no weight: upstream counted such a thing as a parameter, and then had no gradient."""
    five = load_bundle(convert(options))
    assert all("scale" not in name for name in five.parameters)
    train_head = five.models["train_head"].main
    assert len(train_head.inputs) == 2 + len(train_head.outputs[1:])


def test_classes_are_the_head_s(options: ConversionOptions) -> None:
    assert load_bundle(convert(options)).classes == 3


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"num_classes": 4}, OptionError, "--num_classes is 4, and head.tflite has 3 classes"),
        (
            {"base_layer": "pool"},
            ModelError,
            r"head.tflite takes \(64,\) for each example, and the base gives \(4, 4, 4\)",
        ),
        ({"head_l2_reg": 0.1}, OptionError, "--head_l2_reg goes with --head_softmax"),
        ({"head_softmax": True}, OptionError, "exactly one head must be given"),
        ({"head_tflite": Path("nothing.tflite")}, OptionError, "--head_tflite nothing.tflite is not a file"),
        ({"class_names": ("a", "b")}, OptionError, "--class_names are 2, and head.tflite has 3 classes"),
        ({"one_file": Path("x.tflite")}, OptionError, "either --out_model_dir, for five files, or --one_file"),
        ({"checkpoint_signatures": True}, OptionError, "--checkpoint_signatures goes with --one_file"),
    ],
)
def test_what_does_not_fit_is_refused(options: ConversionOptions, more: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        convert(replace(options, **more))
    assert not options.out_model_dir.exists()  # type: ignore[union-attr]


def test_one_file_has_the_signatures_of_the_public_application(options: ConversionOptions, tmp_path: Path) -> None:
    made = convert(replace(options, out_model_dir=None, one_file=tmp_path / "one.tflite", checkpoint_signatures=True))
    model = load_trainable(made).model  # type: ignore[attr-defined]
    found = {s.key: (sorted(s.inputs), sorted(s.outputs)) for s in model.signatures}
    assert found["load"] == (["feature"], ["bottleneck"])
    assert found["train"] == (["bottleneck", "label"], ["loss"])
    assert found["infer"] == (["feature"], ["logits", "output"])
    assert found["save"] == (["checkpoint_path"], ["checkpoint_path"])
    assert found["restore"][0] == ["checkpoint_path"]
    assert found["initialize"] == ([], [])
    flex = {g.name for g in model.subgraphs for o in g.operators if o.opcode == "CUSTOM"}
    assert flex == {"save", "restore"}
