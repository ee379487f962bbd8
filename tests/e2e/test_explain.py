"""``explain`` on the command line: what it writes, what it refuses, and how."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.small_networks import cnn, head
from tests.unit.diagnostics.wrong_rules import UncorrectedAdam
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.converter.training.losses import LOSSES, Loss, categorical
from tflite_transfer.diagnostics.page import template


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "net.tflite").write_bytes(cnn())
    return tmp_path / "net.tflite"


def test_a_step_on_the_terminal(run: Callable, tiny_model: Path, tiny_photos: Path) -> None:
    ended = run("explain", tiny_model, "--data", tiny_photos, "--step", 2, "--batch")
    assert ended.code == 0, ended.err
    for words in (
        "p_c = exp(z_c − m) / Σ_k exp(z_k − m)",
        "LiteRT: p agrees",
        "the mean of its samples'",
        "w' = w − η g",
    ):
        assert words in ended.out
    assert "differs" not in ended.out
    assert "\x1b" not in ended.out  # no colours in a file


def test_a_page_and_text(run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    page = tmp_path / "step.html"
    ended = run("explain", tiny_model, "--data", tiny_photos, "--out", page, "--precision", "float64")
    assert (ended.code, ended.out) == (0, "")
    assert "Where rounding enters" in page.read_text()
    ended = run("explain", tiny_model, "--data", tiny_photos, "--out", page, "--text")
    assert ended.code == 0
    assert "where rounding enters" not in ended.out
    assert "loss 1.09861 →" in ended.out  # ln 3
    assert page.read_text().startswith("<!doctype html>")


def test_own_arrays_and_noise(run: Callable, tiny_model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((4, 4, 4, 3), np.float32))
    np.save(tmp_path / "y.npy", np.array([0, 1, 2, 1]))
    files = [f"{name}={tmp_path / name}.npy" for name in "xy"]
    ended = run("explain", tiny_model, "--input", files[0], "--input", files[1], "--step", 3)
    assert ended.code == 0, ended.err
    assert "the sample: x[0], a red" in ended.out
    assert "the sample: noise 0" in run("explain", tiny_model).out
    np.save(tmp_path / "y.npy", np.array([0, 1, 2, 3]))
    ended = run("explain", tiny_model, "--input", files[0], "--input", files[1])
    assert (ended.code, ended.out) == (1, "")
    assert "class numbers must be 0 to 2, but are 0 to 3" in ended.err


def test_a_state_is_gone_on_from(run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    state = tmp_path / "learned.safetensors"
    told = json.loads(run("train", tiny_model, tiny_photos, "--state", state, "--epochs", 3, "--seed", 4, "--json").out)
    ended = run("explain", tiny_model, "--data", tiny_photos, "--state", state)
    assert ended.code == 0, ended.err
    loss = float(ended.out.partition("loss ")[2].partition(" ")[0])
    assert loss < told["losses"][0]
    new = run("explain", tiny_model, "--data", tiny_photos, "--seed", 4, "--step", 10).out
    assert new.partition("loss ")[2].partition(" ")[0] == ended.out.partition("loss ")[2].partition(" ")[0]


def test_any_file_operator_by_operator(run: Callable, net: Path, tmp_path: Path) -> None:
    ended = run("explain", net, "--out", tmp_path / "net.html", "--text")
    assert ended.code == 0, ended.err
    assert [op in ended.out for op in ("CONV_2D", "MAX_POOL_2D", "SOFTMAX")] == [True] * 3
    assert "ops.conv.conv_2d" in (tmp_path / "net.html").read_text()
    ended = run("explain", net, "--op", 1, "--precision", "float64")
    assert "net.tflite: operator 1, MAX_POOL_2D" in ended.out
    assert "tflite: pool agrees" in ended.out


def test_a_network_that_trains(run: Callable, tiny_photos: Path, tmp_path: Path) -> None:
    whole = make_trainable(cnn(), tmp_path / "whole.tflite", TrainingOptions(class_names=("blue", "green", "red")))
    ended = run("explain", whole, "--data", tiny_photos, "--step", 2, "--batch", "--precision", "float64")
    assert ended.code == 0, ended.err
    for words in (
        "step 2 · Adam in Keras' form", "g_θ = Σ_i J_iᵀ W d_i, J_i = (∂ x_i) / (∂ θ)", "conv/filters 4 × 3 × 3 × 3",
        "LiteRT: g_conv/filters agrees", "w' = w − η m̂ / (√v̂ + ε / √(1 − β_2ᵗ))", "LiteRT: W' agrees",
        "the mean of its samples'", "where rounding enters", "a blue",
    ):  # fmt: skip
        assert words in ended.out, words
    assert "differs" not in ended.out
    inside = run("explain", whole, "--data", tiny_photos, "--signature", "train").out
    moved = re.search(r"variable dense/weights 3 × 64: moved by (\S+) at most", inside)
    assert moved is not None
    assert float(moved[1]) == pytest.approx(1e-3, rel=1e-2)  # Adam's first step is its learning rate


def test_a_rule_of_its_own(run: Callable, tiny_photos: Path, tmp_path: Path) -> None:
    """An Adam whose means keep their bias is no rule with a formula: its numbers are told all the same."""
    other = make_trainable(cnn(), tmp_path / "other.tflite", TrainingOptions(optimizer=UncorrectedAdam()))
    ended = run("explain", other, "--data", tiny_photos, "--text", "--out", tmp_path / "other.html")
    assert ended.code == 0, ended.err
    for words in ("step 1 · a rule of its own", "8  The step: by a rule of the file's own", "s1_W'  and after"):
        assert words in ended.out
    assert "LiteRT: s0_W' agrees" in ended.out
    assert "differs" not in ended.out
    assert 'id="own-rule"' in (tmp_path / "other.html").read_text()


def test_a_network_of_another_form(
    run: Callable, tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operator by operator, and why."""
    monkeypatch.setitem(
        LOSSES, "categorical_crossentropy", Loss(lambda z, y: categorical(z, y * 0.9 + 0.1 / 3), "SOFTMAX")
    )
    other = make_trainable(cnn(), tmp_path / "other.tflite", TrainingOptions("categorical_crossentropy"))
    ended = run("explain", other, "--data", tiny_photos, "--text", "--out", tmp_path / "other.html")
    assert ended.code == 0, ended.err
    why = "Operator by operator: its loss is another than the mean cross-entropy of a softmax and the labels."
    assert why in ended.out
    assert why in (tmp_path / "other.html").read_text()
    assert "CONV_2D" in ended.out
    (tmp_path / "head.tflite").write_bytes(head(10))
    other = make_trainable(tmp_path / "head.tflite", tmp_path / "numbers.tflite", TrainingOptions("mean_squared_error"))
    assert "Operator by operator: it learns no classes." in run("explain", other).out
    ended = run("explain", other, "--data", tiny_photos)
    assert (ended.code, "--data goes with a model that learns classes" in ended.err) == (2, True)


def test_classes_of_what_is_no_image(run: Callable, tmp_path: Path) -> None:
    """Features in, classes out: the same walk, without a picture."""
    (tmp_path / "head.tflite").write_bytes(head(10))
    file = make_trainable(tmp_path / "head.tflite", tmp_path / "numbers.tflite", TrainingOptions())
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(6, 10)))
    np.save(tmp_path / "y.npy", np.array([0, 1, 2, 0, 1, 2]))
    given = [word for name in "xy" for word in ("--input", f"{name}={tmp_path / name}.npy")]
    ended = run("explain", file, *given, "--step", 2, "--text", "--out", tmp_path / "page.html")
    assert ended.code == 0, ended.err
    assert "the sample: x[0], a class 0" in ended.out
    assert "1  The network turns what it sees into features" in ended.out
    assert "LiteRT: g_hidden/weights agrees" in ended.out
    assert "differs" not in ended.out
    assert "<figcaption>x[0]<br>a class 0" in (tmp_path / "page.html").read_text()
    assert "the sample: noise 0" in run("explain", file).out
    assert "infer · given: x\n" in run("explain", file, "--signature", "infer", *given[:2]).out
    np.save(tmp_path / "x.npy", rng.normal(size=(6, 10, 2)))
    ended = run("explain", file, *given)
    assert (ended.code, "x must be (B, 10) and y (B,) class numbers" in ended.err) == (1, True)


REFUSED = [
    (["--op", "77"], 2, "--op must be 0 to 4"),
    (["--out", "page.txt"], 2, "--out must name a page, PAGE.html"),
    (["--precision", "float16"], 2, "--precision must be one of file, float64"),
    (["--backend", "cuda"], 2, "--backend must be one of"),
    (["--signature", "absent"], 1, "no signature 'absent'"),
    (["--input", "y=y.npy"], 1, "cannot be read as a .npy file"),
    (["--step", "0"], 2, "--step"),
    (["--step", "2"], 2, "--step goes with a model that trains, and "),
    (["--batch"], 2, "--batch goes with a model that trains, and "),
    (["--class_names", "a,b"], 2, "--class_names goes with a model that trains, and "),
    (["--data", ".", "--input", "x=x.npy"], 2, "--data and --input exclude each other."),
    (["--backend", "numpy-float64"], 2, "--backend numpy-float64 is --precision float64"),
]


@pytest.mark.parametrize(("words", "code", "told"), REFUSED, ids=[" ".join(w) for w, _, _ in REFUSED])
def test_what_cannot_be_asked(run: Callable, net: Path, words: list[str], code: int, told: str) -> None:
    ended = run("explain", net, *words)
    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err


def test_what_is_not_installed(run: Callable, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as m:
        m.setitem(sys.modules, "ai_edge_litert.interpreter", None)
        ended = run("explain", net, "--op", 4)
        assert ended.code == 0
        assert "Nothing is held against tflite: the TFLite backend needs ai-edge-litert" in ended.out
    template._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    ended = run("explain", net, "--out", tmp_path / "page.html")
    assert (ended.code, "pip install jinja2" in ended.err) == (1, True)
    assert not (tmp_path / "page.html").exists()


def test_a_comparison_s_page(run: Callable, net: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = run("compare", net, "--report", page)
    assert ended.code == 0, ended.err
    assert "Both compute the same" in page.read_text()
    ended = run("compare", net, "--report", net)
    assert ended.code == 2
    assert run("compare", net, "--report", page).code == 0  # a page is replaced
    (tmp_path / "notes.html").write_text("mine")
    ended = run("compare", net, "--report", tmp_path / "notes.html")
    assert (ended.code, "is another kind of file" in ended.err) == (2, True)
