"""What ``compare`` does besides: the gradient check, the operator that differs, node data for Model Explorer."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.diagnostics.test_repro import X, files
from tests.unit.diagnostics.wrong_files import constant, forgetful, golden
from tflite_transfer.diagnostics.page.numbers import short

__all__ = ["files"]
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
DIFFER, USAGE, COULD_NOT_RUN = 1, 2, 3
OURS = ("--a", "numpy", "--b", "numpy-nojit")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """Five files of the original converter whose head was made for a batch of 10, and the rest for 5."""
    folder = tmp_path / "wrong"
    folder.mkdir()
    for role, content in golden("upstream_sgd", "train_head", constant(0.2, 0.1)).contents.items():
        (folder / f"{role}.tflite").write_bytes(content)
    return folder


def test_gradients_of_a_file_that_cannot_run_are_told(run: Callable, tmp_path: Path) -> None:
    """LiteRT stops where a variable has no value, and says not which."""
    path = tmp_path / "forgetful.tflite"
    path.write_bytes(forgetful("CALL_ONCE").content)
    ended = run("compare", path, "--gradients", "--random", 0)
    assert ended.code == COULD_NOT_RUN
    assert ended.err.splitlines()[-1].startswith("variable without a value at m_hidden/bias: ")


def test_gradients_that_are_slopes(run: Callable) -> None:
    words = ("compare", GOLDEN / "upstream_adam", *OURS, "--gradients")
    ended = run(*words)
    assert ended.code == 0, ended.err
    last = ended.out.splitlines()[-3:]
    assert last[0].startswith("agree   gradient of ws 12x4: ")
    assert last[2] == "train_head.tflite: 2 of 2 gradients are the slope of the loss, which is 1.52203 over 5 examples"
    found = json.loads(run(*words, "--json").out)["gradients"]
    assert found["agrees"] is True
    assert [(c["parameter"], c["verdict"]) for c in found["checks"]] == [("ws", "agree"), ("bs", "agree")]
    assert "gradients" not in json.loads(run(*words[:-1], "--json").out)


def test_the_wrong_batch_is_named(run: Callable, wrong: Path) -> None:
    words = ("compare", wrong, *OURS)
    assert run(*words).code == 0  # both engines run what the file says
    ended = run(*words, "--gradients")
    assert ended.code == DIFFER
    assert "wrong batch at ws: its gradient is 0.5 times the slope of the loss: it is divided by 10 where" in ended.out
    (fault,) = json.loads(run(*words, "--gradients", "--json").out)["gradients"]["faults"]
    assert (fault["name"], fault["where"], fault["number"]) == ("wrong batch", "ws", pytest.approx(0.5, rel=1e-5))


def test_gradients_on_the_page(run: Callable, wrong: Path, tmp_path: Path) -> None:
    """Every number of the table, those furthest off first, and the fault by name; and of a healthy file none."""
    page = tmp_path / "report.html"
    ended = run("compare", wrong, *OURS, "--steps", "1", "--gradients", "--json", "--report", page)
    told, content = json.loads(ended.out)["gradients"], page.read_text()
    (fault,) = told["faults"]
    shown = [re.findall(r"<td>(.*?)</td>", line) for line in table(content, "central difference")]
    checks = sorted(told["checks"], key=lambda c: -c["error"])
    assert [line[3] for line in shown] == ['<span class="bad">differs</span>', '<span class="good">agrees</span>']
    for check, cells in zip(checks, shown, strict=True):
        wanted = [(check["gradient"], 6), (check["slope"], 6), (check["error"], 2), (check["h"], 2)]
        assert cells[:3] + cells[4:] == [short(value, digits) for value, digits in wanted]
    text = html.unescape(content)
    for words in (fault["name"], fault["where"], fault["seen"], fault["advice"], "and the file trains wrong"):
        assert words in text
    assert run("compare", GOLDEN / "upstream_adam", *OURS, "--steps", "1", "--gradients", "--report", page).code == 0
    content = page.read_text()
    assert len(table(content, "central difference")) == 2
    assert "trains wrong" not in content
    assert 'class="bad"' not in content
    assert run("compare", GOLDEN / "upstream_adam", *OURS, "--steps", "1", "--report", page).code == 0
    assert "central difference" not in page.read_text()


def table(content: str, heading: str) -> list[str]:
    """The lines of the page's table that has this heading."""
    (found,) = re.findall(rf"<thead>(?:(?!</thead>).)*{heading}.*?</thead><tbody>(.*?)</tbody>", content, re.DOTALL)
    return re.findall(r"<tr>(.*?)</tr>", found, re.DOTALL)


def test_gradients_on_given_data(run: Callable, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.random((5, 4, 4, 3), np.float32))
    np.save(tmp_path / "y.npy", np.array([0, 1, 2, 3, 0]))
    given = (f"--input=x={tmp_path / 'x.npy'}", f"--input=y={tmp_path / 'y.npy'}")
    words = ("compare", GOLDEN / "upstream_sgd", *OURS, "--gradients", "--steps", "0")
    losses = [json.loads(run(*words, *more, "--json").out)["gradients"]["loss"] for more in ((), given)]
    assert losses[0] != losses[1]


def test_gradients_of_what_does_not_train(run: Callable, files: tuple[Path, Path]) -> None:
    ended = run("compare", files[0], *OURS, "--gradients")
    assert ended.code == COULD_NOT_RUN
    assert "one.tflite is no training model" in ended.err


def test_an_operator_that_differs_is_saved(run: Callable, files: tuple[Path, Path], tmp_path: Path) -> None:
    words = ("compare", *OURS, "--random", "1", "--save_repro", tmp_path / "repro")
    same = run(*words, files[0])
    assert same.code == 0
    assert same.out.endswith(f"nothing in {tmp_path / 'repro'}: no operator differs by itself\n")
    assert not (tmp_path / "repro").exists()
    ended = run(*words, files[0], "--against", files[1])
    assert ended.code == DIFFER
    assert ended.out.endswith(f"{tmp_path / 'repro'}: an operator that differs; cd there, and python run.py shows it\n")
    saved = {"against.tflite", "operator.tflite", "run.py", "x0.npy"}
    assert {p.name for p in (tmp_path / "repro").iterdir()} == saved
    again = run(*words, files[0], "--against", files[1])
    assert (again.code, again.out) == (ended.code, ended.out)
    own = tmp_path / "repro" / "operator.tflite"
    refused = run("compare", own, "--save_repro", own.parent)
    assert refused.code == USAGE
    assert "must be a folder of its own, but operator.tflite is in it" in refused.err
    before = {p.name: p.read_bytes() for p in files[0].parent.glob("*.tflite")}
    refused = run(*words[:-1], files[0].parent, files[0])
    assert refused.code == USAGE
    assert "must be new or empty, or have an earlier repro alone, but has " in refused.err
    assert {p.name: p.read_bytes() for p in files[0].parent.glob("*.tflite")} == before
    refused = run("compare", files[0], "--save_repro", files[1])
    assert refused.code == USAGE
    assert "must name a folder that can be written" in refused.err


@pytest.mark.parametrize("option", ["--json_out", "--model_explorer"])
def test_what_cannot_be_written_is_no_difference(run: Callable, files: tuple[Path, Path], option: str) -> None:
    ended = run("compare", *OURS, files[0], option, "/dev/full")
    assert ended.code == COULD_NOT_RUN
    assert "/dev/full cannot be written: No space left on device." in ended.err


def test_a_reader_that_leaves_changes_no_verdict(files: tuple[Path, Path]) -> None:
    command = f"{sys.executable} -m tflite_transfer compare {files[0]} --a numpy --b numpy-nojit | true"
    ended = subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_node_data(run: Callable, files: tuple[Path, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    words = ("compare", files[0], *OURS, f"--input=x={tmp_path / 'x.npy'}", "--model_explorer")
    ended = run(*words, tmp_path / "out.json")
    assert ended.code == 0
    assert ended.out.endswith(f"{tmp_path / 'out.json'}: node data for Model Explorer\n")
    assert set(json.loads((tmp_path / "out.json").read_text())["net"]["results"]) == {"0", "1", "2"}
    refused = run(*words, files[0])
    assert refused.code == USAGE
    assert "is named for something else too" in refused.err
