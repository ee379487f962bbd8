"""The course: each notebook runs, its exercises take the solutions and refuse what is wrong, and it is its script."""

import base64
import io
import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from docs.make_notebooks import COURSE, ROOT, SCRIPTS, cells

FOLDER = COURSE[0].parent


@pytest.fixture
def checking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The course's own modules, in the notebooks' folder; ``asked`` holds what the notebook asks."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(FOLDER)
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(pyplot, "show", lambda: None)
    import checking  # pyright: ignore[reportMissingImports]

    checking.asked.clear()
    with pyplot.rc_context():
        yield checking
    pyplot.close("all")


@pytest.mark.parametrize("script", COURSE, ids=lambda p: p.stem)
def test_a_notebook_runs_and_its_exercises_tell_right_from_wrong(
    script: Path, checking: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(script))
    assert len(checking.asked) >= 3
    assert capsys.readouterr().out.count(checking.YOUR_TURN) == len(checking.asked)
    for exercise in checking.asked:
        assert exercise.judge(exercise.solution) == checking.RIGHT
        assert exercise.wrong
        for said, mistake in exercise.wrong.items():
            assert exercise.judge(mistake) == f"Not yet. {said}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (..., "Your turn: "),
        ([1, 2.0000001], "Right."),
        ([1, 2.1], "Not yet. You have 2.1 at [1], where it is furthest off."),
        ([2, 1], "Not yet. Turned round."),
        ([[1, 2]], "Not yet. Its shape is (1, 2), and (2,) is asked for."),
        ([1, float("nan")], "Not yet. It holds infinities or NaN."),
        ("one", "Not yet. Numbers are asked for, and this is str."),
        (None, "Not yet. "),
        (lambda x: x, "Not yet. Numbers are asked for, and this is function."),
    ],
)
def test_what_is_said_of_numbers(answer: Any, said: str, checking: Any) -> None:
    assert checking.Exercise([1, 2], [1, 2], {"Turned round.": [2, 1]}).judge(answer).startswith(said)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: x + x, "Right."),
        (lambda x: x * x, "Not yet. You have 9."),  # right for the first input
        (lambda x: x + 2, "Not yet. Doubled is not two more."),
        (lambda _: None, "Not yet. It gives None: does it return something?"),
        (lambda x: x[0], "Not yet. It raises TypeError: "),
        (4, "Not yet. A function is asked for, and this is int."),
    ],
)
def test_what_is_said_of_functions(answer: Any, said: str, checking: Any) -> None:
    double = checking.Exercise(
        lambda x: 2 * x, None, {"Doubled is not two more.": lambda x: x + 2}, on=[(2,), (3,)], tolerance=1e-6
    )
    assert double.judge(answer).startswith(said)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_the_notebook_is_the_script(script: Path) -> None:
    made = json.loads(script.with_suffix(".ipynb").read_text())["cells"]
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in made]
    assert found == [(cell["cell_type"], cell["source"]) for cell in cells(script).cells]


def test_a_script_becomes_a_notebook_with_what_it_gave(tmp_path: Path) -> None:
    """Run in its own folder, as Jupyter would."""
    code = "import matplotlib.pyplot as plt\nfrom beside import text\n\nprint(text)\nplt.plot([1, 2])\nplt.show()\n"
    (tmp_path / "beside.py").write_text("text = 'found'")
    (tmp_path / "small.py").write_text(f"# %% [markdown]\n# A *text*\n\n# %% tags=['one']\n{code}")
    command = [sys.executable, "-m", "docs.make_notebooks", str(tmp_path / "small.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, ran = json.loads((tmp_path / "small.ipynb").read_text())["cells"]
    assert (text["cell_type"], text["source"]) == ("markdown", ["A *text*"])
    assert ran["metadata"] == {"tags": ["one"]}
    assert "".join(ran["source"]) == code.strip()
    printed, drawn = ran["outputs"]
    assert (printed["name"], printed["text"]) == ("stdout", ["found\n"])
    with Image.open(io.BytesIO(base64.b64decode(drawn["data"]["image/png"]))) as picture:
        assert picture.mode == "P"


@pytest.mark.parametrize("script", COURSE, ids=lambda p: p.stem)
def test_the_notebook_was_run_without_an_answer(script: Path) -> None:
    """As a student opens it."""
    ran = [c for c in json.loads(script.with_suffix(".ipynb").read_text())["cells"] if c["cell_type"] == "code"]
    outputs = [output for cell in ran for output in cell["outputs"]]
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    assert {output["output_type"] for output in outputs} == {"stream", "display_data"}  # no error, no object's name
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}  # no warning
    assert script.with_suffix(".ipynb").stat().st_size < 400_000
