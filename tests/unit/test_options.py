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
    "adam's with sgd": ({"adam_beta1": 0.5}, "--adam_beta1 goes with --optimizer adam, but the optimizer is sgd"),
    "adam's rate with sgd": ({"adam_learning_rate": 0.1}, "--adam_learning_rate goes with --optimizer adam"),
    # What the files hold is float32.
    "beta of 1": (
        {"optimizer": "adam", "adam_beta2": 0.99999999},
        "--adam_beta2 must be at least 0 and less than 1, but is 0.99999999, which in float32 is 1.",
    ),
    "rate of 0": ({"sgd_learning_rate": 1e-50}, "must be more than 0, but is 1e-50, which in float32 is 0."),
    "infinite rate": ({"sgd_learning_rate": 1e39}, "must be more than 0, but is 1e+39, which in float32 is inf."),
    "epsilon of 0": ({"optimizer": "adam", "adam_epsilon": 1e-46}, "--adam_epsilon must be more than 0, but is 1e-46"),
    "infinite l2": ({"head_l2_reg": 1e39}, "--head_l2_reg must be 0 or more, but is 1e+39, which in float32 is inf."),
    "twice l2": ({"head_l2_reg": 2e38}, "twice --head_l2_reg must be 0 or more, but is 4e+38, which"),
    "optimizer": ({"optimizer": "lion"}, "--optimizer must be one of sgd | adam, but is 'lion'"),
    "classes": ({"num_classes": 1}, "--num_classes must be at least 2, but is 1"),
    "batch": ({"train_batch_size": 0}, "--train_batch_size must be at least 1, but is 0"),
    "l2": ({"head_l2_reg": -0.1}, "--head_l2_reg must be 0 or more, but is -0.1"),
    "no head": ({"head_softmax": False}, "exactly one head must be given"),
    "no base": ({"base_tflite": None}, "exactly one base must be given"),
    "two bases": ({"base_mobilenetv2": True}, "got --base_mobilenetv2, --base_tflite"),
    "absent base": ({"base_tflite": Path("gone.tflite")}, "--base_tflite gone.tflite is not a file"),
    "absent folder": ({"base_tflite": None, "base_model_dir": Path("gone")}, "--base_model_dir gone is not a folder"),
    "empty folder name": (
        {"base_tflite": None, "base_model_dir": Path()},
        "holds no SavedModel: saved_model.pb is not a file",
    ),
    "keras ending": ({"base_tflite": None, "base_keras_model": Path(__file__)}, "must end in .keras or .h5"),
    "weights": ({"base_weights": Path("w.h5")}, "--base_weights goes with --base_mobilenetv2"),
    "alpha": ({"alpha": 1.0}, "--alpha goes with --base_mobilenetv2"),
    "quantize": ({"base_quantize": True}, "--base_quantize quantises while converting"),
    "representative": ({"representative": lambda _: []}, "--representative_data goes with --base_quantize"),
    "pooling": ({"base_pooling": "max"}, "--base_pooling must be one of none | avg, but is 'max'"),
    "range": ({"input_range": "0,2"}, "--input_range must be one of 0,1 | -1,1 | 0,255, but is '0,2'"),
    "names": ({"class_names": ("a", "b")}, "--class_names must be 4 different names, but is a, b"),
    "same names": ({"class_names": ("a", "b", "c", "a")}, "the class names must all be different"),
    "names of two lines": ({"class_names": ("a", "b\n", "c", "d")}, "of one line each"),
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


def test_sgd_rate_with_adam_is_passed_over(good: dict[str, Any]) -> None:
    """As in the original converter."""
    ConversionOptions(**{**good, "optimizer": "adam"}).check()


@pytest.mark.parametrize(
    "base", ["base_tflite", "base_keras_model", "base_weights", "base_model_dir", "saved_model.pb"]
)
@pytest.mark.parametrize("what", ["open", "stat"])
def test_a_base_that_may_not_be_read(
    base: str, what: str, good: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so that the refusal is made up here."""
    path = tmp_path / {"base_keras_model": "a.keras", "base_weights": "a.h5", "base_model_dir": "dir"}.get(base, "a")
    given: dict[str, Any] = {**good, "base_tflite": None, base: path}
    if base in ("base_model_dir", "saved_model.pb"):
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"")
        given = {**good, "base_tflite": None, "base_model_dir": path}
    else:
        path.write_bytes(b"")
    if base == "base_weights":
        given["base_mobilenetv2"] = True
    secret = path / base if base == "saved_model.pb" else path
    for method in {"open": ("open", "iterdir"), "stat": ("stat",)}[what]:
        monkeypatch.setattr(Path, method, refusing(secret, getattr(Path, method)))
    with pytest.raises(OptionError, match=f"{secret.name} cannot be read: Permission denied"):
        ConversionOptions(**given).check()


def refusing(secret: Path, method: Any) -> Any:
    def call(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self == secret:
            raise PermissionError(13, "Permission denied")
        return method(self, *args, **kwargs)

    return call


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


def test_output_that_may_not_be_looked_into(good: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    out: Path = good["out_model_dir"]
    out.mkdir()
    monkeypatch.setattr(Path, "iterdir", refusing(out, Path.iterdir))
    with pytest.raises(OptionError, match="out cannot be used: Permission denied"):
        ConversionOptions(**good).check()
