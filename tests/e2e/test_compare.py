"""``compare`` on the command line: what it prints, its JSON, its exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small_networks import cnn
from tflite_transfer.cli.commands import app, run_command
from tflite_transfer.cli.findings import COLUMNS
from tflite_transfer.converter import make_trainable
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.builder import GraphBuilder

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and standard error of a command line."""

    told = "INFO:", "compiling the kernels"  # by LiteRT, and once by numba
    monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist sets it

    def command(*words: Any) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tflite-transfer", "compare", *map(str, words)])
        code = run_command(app, "tflite-transfer")
        out, err = capfd.readouterr()
        return code, out, "".join(line for line in err.splitlines(keepends=True) if not line.startswith(told))

    return command


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "net.tflite").write_bytes(cnn())
    return tmp_path / "net.tflite"


@pytest.fixture
def wrong(net: Path) -> Path:
    """The same network, with a bias that is another one."""
    model = read(net)
    tensors = tuple(
        replace(t, data=t.data + np.float32([0, 0, 0.5, 0])) if t.name == "conv/bias" and t.data is not None else t
        for t in model.main.tensors
    )
    path = net.with_name("wrong.tflite")
    path.write_bytes(write(replace(model, subgraphs=(replace(model.main, tensors=tensors),))))
    return path


def test_two_that_agree(run: Run, net: Path) -> None:
    code, out, err = run(net)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [w for w in COLUMNS[1:] if w not in lines[0]] == []
    assert len(lines) == 1 + 5 + 1
    assert all(line.startswith("ok ") for line in lines[1:-1])
    assert lines[-1] == f"{net}: tflite (A) and numpy (B), isolated: agrees in 5 tensors"


def test_a_training_model_against_a_plain_one(run: Run, net: Path) -> None:
    """What infers, forward; operators that one alone has are a difference, and are counted."""
    file = make_trainable(net, net.with_name("train.tflite"))
    code, out, _ = run(file, "--against", net)
    assert code == 1
    unmatched = [line for line in out.splitlines() if line.startswith("unmatched: ")]
    assert any("READ_VARIABLE" in line for line in unmatched)
    assert out.splitlines()[-1].endswith(f"tensors differ, {len(unmatched)} operators unmatched")
    assert ", isolated: " in out
    code, out, err = run(file, "--against", net, "--steps", 1)
    assert (code, out) == (2, "")
    assert f"steps must be 0, for {net} does not train, but is 1" in err


@pytest.mark.parametrize(
    "y", [np.zeros((2, 7), np.float32), np.array(["a", "b"]), np.zeros(2, np.float32), np.zeros((2, 4), bool)]
)
def test_labels_that_are_none(y: Any, run: Run, tiny_models: Mapping[str, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4, 3), np.float32))
    code, out, err = run(tiny_models["adam"], f"--input=x={tmp_path / 'x.npy'}", f"--input=y={tmp_path / 'y.npy'}")
    assert (code, out) == (3, "")
    assert f"y must be whole class numbers, or floats (N, 3), but is {y.dtype} {y.shape}." in err


def test_a_narrow_terminal_has_fewer_columns(run: Run, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    header, *lines = run(net)[1].splitlines()[:-1]
    assert header.split() == ["step", "part", "operator", "tensor", "max", "abs", "of", "allowed"]
    assert all(len(line) <= 80 for line in lines)
    assert {line.split()[0] for line in lines} == {"ok"}


def test_two_that_differ(run: Run, net: Path, wrong: Path) -> None:
    code, out, _ = run(net, "--against", wrong, "--a", "tflite", "--b", "tflite")
    assert code == 1
    lines = out.splitlines()
    assert lines[1].split()[:4] == ["differs", "cnn", "0", "CONV_2D"]  # worst first
    assert [line.split()[0] for line in lines[2:6]] == ["ok"] * 4
    assert lines[6].startswith("first: cnn: operator 0 (CONV_2D) -> conv: CONV_2D alone: 0.")
    assert "float64" in lines[7]
    assert "A is nearer" in lines[7]
    assert lines[-1].endswith("isolated: 1 of 5 tensors differ")


def test_a_training(run: Run, tiny_models: Mapping[str, Path], tiny_photos: Path) -> None:
    code, out, err = run(tiny_models["adam"], "--data", tiny_photos, "--steps", 2)
    assert (code, err) == (0, "")
    assert "teacher_forced, 2 training steps: agrees in" in out.splitlines()[-1]
    assert "more tensors, which --json has too" in out


def test_json_is_the_same_each_time(run: Run, net: Path, wrong: Path, tmp_path: Path) -> None:
    texts = [run(net, "--against", wrong, "--json", "--json_out", tmp_path / f"{n}.json")[1] for n in "ab"]
    assert texts[0] == texts[1] == (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    told = json.loads(texts[0])
    assert told["schema"] == "tflite-transfer compare 1"
    assert told["a"] == {"model": str(net), "engine": "tflite"}
    assert (told["agrees"], told["first"], told["steps"], told["mode"]) == (False, 0, 0, "isolated")
    first = told["findings"][told["first"]]
    assert (first["op"], first["operator"], first["name"], first["dtype"]) == ("CONV_2D", 0, "conv", "float32")
    assert first["isolated"]["share"] > 1000
    assert first["isolated"]["worst"]["nearer"] == "a"
    assert len(first["isolated"]["histogram"]) == 12


def test_the_page_names_every_key_of_the_json(run: Run, net: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text()
    told = json.loads(run(net, "--json")[1])
    finding = told["findings"][0]
    names = {*told, *finding, *finding["isolated"]} | {"index", "nearer", "exact"}
    assert sorted(n for n in names if f"`{n}`" not in page) == []


def test_the_page_names_every_option(run: Run) -> None:
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text()
    options = set(re.findall(r"--\w+", run("--help")[1])) - {"--help"}
    assert len(options) >= 13
    assert sorted(o for o in options if o not in page.split("A is MODEL")[0]) == []


def test_inputs_from_files(run: Run, net: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8, 3), np.float32))
    code, out, _ = run(net, "--input", f"image={tmp_path / 'x.npy'}", "--json", "--mode", "cumulative")
    assert code == 0
    assert json.loads(out)["findings"][0]["isolated"] is None
    assert run(net, "--random", 7, "--json")[1] != run(net, "--random", 8, "--json")[1]


def test_an_operator_that_an_engine_lacks(run: Run, tmp_path: Path) -> None:
    g = GraphBuilder()
    g.output("y", g.op("ELU", [g.input("x", (1, 4))], "y", (1, 4)))
    (tmp_path / "elu.tflite").write_bytes(write(g.model("run")))
    assert run(tmp_path / "elu.tflite")[0] == 0
    code, out, err = run(tmp_path / "elu.tflite", "--b", "tflite-ref")
    assert (code, out) == (3, "")
    assert "LiteRT refuses elu.tflite: Didn't find op for builtin opcode 'ELU'" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing.tflite"], 3, "there is no model nothing.tflite"),
        (["{net}", "--a", "gpu"], 2, "a must be one of numpy,"),
        (["{net}", "--mode", "alone"], 2, "mode must be one of isolated,"),
        (["{net}", "--steps", "2"], 2, "does not train"),
        (["{net}", "--steps", "-1"], 2, "steps must be 0 or more"),
        (["{net}", "--random", "-1"], 2, "seed must be 0 or more"),
        (["{net}", "--input", "y={net}"], 3, "cannot be read as a .npy file"),
        (["{net}", "--input", "image"], 2, "must be NAME=FILE.npy"),
        (["{net}", "--input", "y={x}"], 2, "takes ['image'], and was given ['y']"),
        (["{net}", "--input", "image={x}"], 3, "image must have shape"),
        (["{net}", "--input", "image={x}", "--random", "1"], 2, "exclude each other"),
        (["{net}", "--against", "{folder}"], 3, "has no initialize.tflite"),
        (["{net}", "--data", "nowhere"], 3, "nowhere is not a folder"),
        (["{net}", "--json_out", "{net}"], 2, "needs a file of its own"),
        (["{x}"], 3, "is not a .tflite"),
    ],
    ids=lambda v: " ".join(v[1:]) if isinstance(v, list) else "",
)
def test_what_cannot_be_asked_or_run_is_one_line(words: list[str], code: int, said: str, run: Run, net: Path) -> None:
    np.save(net.with_name("x.npy"), np.zeros((2, 3), np.float32))
    names = {"net": net, "x": net.with_name("x.npy"), "folder": net.parent}
    found, out, err = run(*(w.format(**names) for w in words))
    assert (found, out) == (code, "")
    assert err.startswith("tflite-transfer: error: ")
    assert said in err
    assert err.count("\n") == 1
