"""Whatever can be wrong with a conversion's options is found before anything slow."""

from pathlib import Path
from typing import Any

import pytest

from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.tflite.errors import OptionError, OutputExistsError


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    base = tmp_path / "base.tflite"
    base.write_bytes(b"not looked at here")
    return {
        "out_model_dir": tmp_path / "out", "optimizer": "sgd", "sgd_learning_rate": 0.1, "base_tflite": base,
        "head_softmax": True,
    }  # fmt: skip


def test_good_options_pass(good: dict[str, Any]) -> None:
    ConversionOptions(**good).check()


BAD = {
    "no rate": ({"sgd_learning_rate": None}, "--sgd_learning_rate is required when SGD is used as an optimizer"),
    "rate zero": ({"sgd_learning_rate": 0.0}, "--sgd_learning_rate must be more than 0, but is 0.0"),
    "rate negative": ({"sgd_learning_rate": -1.0}, "must be more than 0, but is -1.0"),
    "rate nan": ({"sgd_learning_rate": float("nan")}, "must be more than 0, but is nan"),
    "adam rate": ({"optimizer": "adam", "adam_learning_rate": 0.0}, "--adam_learning_rate must be more than 0"),
    "beta": ({"optimizer": "adam", "adam_beta1": 1.0}, "--adam_beta1 must be at least 0 and less than 1, but is 1.0"),
    "epsilon": ({"optimizer": "adam", "adam_epsilon": -1e-8}, "--adam_epsilon must be more than 0"),
    "optimizer": ({"optimizer": "lion"}, "--optimizer must be one of sgd | adam, but is 'lion'"),
    "classes": ({"num_classes": 1}, "--num_classes must be at least 2, but is 1"),
    "batch": ({"train_batch_size": 0}, "--train_batch_size must be at least 1, but is 0"),
    "l2": ({"head_l2_reg": -0.1}, "--head_l2_reg must be 0 or more, but is -0.1"),
    "no head": ({"head_softmax": False}, "a head must be given"),
    "no base": ({"base_tflite": None}, "exactly one base must be given"),
    "two bases": ({"base_mobilenetv2": True}, "got --base_mobilenetv2, --base_tflite"),
    "absent base": ({"base_tflite": Path("gone.tflite")}, "--base_tflite gone.tflite is not a file"),
    "absent folder": ({"base_tflite": None, "base_model_dir": Path("gone")}, "--base_model_dir gone is not a folder"),
    "empty folder name": ({"base_tflite": None, "base_model_dir": Path()}, "holds no SavedModel (saved_model.pb)"),
    "keras ending": ({"base_tflite": None, "base_keras_model": Path(__file__)}, "must end in .keras or .h5"),
    "weights": ({"base_weights": Path("w.h5")}, "--base_weights goes with --base_mobilenetv2"),
    "alpha": ({"alpha": 1.0}, "--alpha goes with --base_mobilenetv2"),
    "quantize": ({"base_quantize": True}, "--base_quantize quantises while converting"),
    "representative": ({"representative_data": Path()}, "--representative_data goes with --base_quantize"),
    "pooling": ({"base_pooling": "max"}, "--base_pooling must be one of none | avg, but is 'max'"),
    "range": ({"input_range": "0,2"}, "--input_range must be one of 0,1 | -1,1 | 0,255, but is '0,2'"),
    "names": ({"class_names": ("a", "b")}, "--class_names must be 4 different names, but is a, b"),
    "same names": ({"class_names": ("a", "b", "c", "a")}, "--class_names must be 4 different names"),
    "range of mobilenet": (
        {"base_tflite": None, "base_mobilenetv2": True, "input_range": "0,1"},
        "--base_mobilenetv2 rescales inside its graph",
    ),
    "small image": ({"base_tflite": None, "base_mobilenetv2": True, "image_size": 16}, "must be at least 32"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options(good: dict[str, Any], name: str) -> None:
    changed, message = BAD[name]
    with pytest.raises(OptionError) as caught:
        ConversionOptions(**{**good, **changed}).check()
    assert message in str(caught.value)


def test_output_that_exists(good: dict[str, Any]) -> None:
    out: Path = good["out_model_dir"]
    out.mkdir()
    ConversionOptions(**good).check()  # an empty folder is no obstacle
    (out / "a").write_text("")
    with pytest.raises(OutputExistsError, match="is not empty; --overwrite"):
        ConversionOptions(**good).check()
    ConversionOptions(**good, overwrite=True).check()
    with pytest.raises(OutputExistsError, match="is a file"):
        ConversionOptions(**{**good, "out_model_dir": out / "a"}).check()
