"""The bench: every case runs, wrong answers are not timed, and README says what the committed run found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.case import ONCE, Case
from bench.cases import CASES
from bench.heads import Problem
from bench.peers import HERE, NAMES, Given, Peer
from bench.plots import growing, overview
from bench.readme import PAGE, README, page, section, shown
from bench.results import Goal, Results, Row, load, save
from bench.table import figure, lines
from tests.cases import Head
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Steps


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.name, marks=[pytest.mark.full] if c.full else []) for c in CASES]
)
def test_every_case_runs(case: Case) -> None:
    values = case.measure(ONCE)
    assert all(value > 0 for side in values.values() for value in side)
    sides = {name for goal in case.goals for name in (goal.side, *goal.others)}
    assert sides - set(values) <= set(NAMES.values()), "a goal's side is neither measured nor a peer"
    shown = list(lines(Row(case.name, case.unit, values, case.goals)))
    assert len(shown) >= 1 + len(values)


def test_without_the_tools_for_tests_it_is_one_line() -> None:
    script = "import sys; sys.modules['pytest'] = None; from bench.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=README.parent, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "python -m bench: error: pytest is missing: pip install '.[dev]', or make bench.\n"


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_wrong_step_is_not_timed(optimizer: str) -> None:
    problem = Problem(Head(optimizer, None, 3, 50, 4), 8)
    slots = {name: slot.copy() for name, slot in problem.slots.items()}
    right = open_backend("numpy", problem.bundle).train(
        problem.params, slots, problem.x, problem.classes, problem.batches[:1]
    )
    problem.check(right)
    for name, value in right.params.items():
        wrong = value.copy()
        wrong.flat[1] += 1e-3
        with pytest.raises(AssertionError, match=f"{name} is .* from float64"):
            problem.check(Steps(right.losses, {**right.params, name: wrong}, right.slots))
    with pytest.raises(AssertionError, match="loss is"):
        problem.check(right._replace(losses=right.losses + np.float32(1e-3)))


ROW = Row(
    "a case",
    "s",
    {"ours": [1.0, 2.0, 4.0], "theirs": [4.0, 8.0, 8.0], "slower": [40.0, 8.0, 9.0], "small": [1e-6] * 3},
    (
        Goal("faster", "ours", ("slower", "theirs"), 5.0),
        Goal("within", "ours", ("theirs", "small"), 0.5),
        Goal("at most", "ours", number=2.0),
        Goal("faster", "ours", ("PyTorch",), 1.0),
    ),
)


def test_outcomes_are_medians_of_the_rounds_ratios() -> None:
    found = [(o.figure, o.other, o.met) for _, o in ROW.outcomes()]
    assert found == [(4.0, "theirs", False), (0.25, "theirs", True), (2.0, "", True)]  # and none for the peer
    _, first = ROW.outcomes()[0]
    assert (first.low, first.high) == (2.0, 4.0)


def test_figures_have_three_digits_and_a_unit() -> None:
    told = [figure(s, "s") for s in (33.14, 1.0, 0.0123456, 1.2345e-3, 7.5e-5, 1.2e-7)]
    assert told == ["33.1 s", "1.00 s", "12.3 ms", "1.23 ms", "75.0 µs", "0.120 µs"]
    assert [figure(b, "bytes") for b in (2e9, 779.6e6, 512.0)] == ["2.00 GB", "780 MB", "0.512 kB"]


def test_results_are_kept(tmp_path: Path) -> None:
    results = Results({"cpu": "one"}, [ROW], {"another": "it needs TensorFlow"})
    save(results, tmp_path / "a.json")
    assert load(tmp_path / "a.json") == results
    assert "it needs TensorFlow" in page(results, "a")


def test_readme_and_the_page_say_what_was_measured() -> None:
    _, path, table, _ = shown(README.read_text())
    results, name = load(path), str(path.relative_to(README.parent).with_suffix(""))
    mend = "python -m bench.readme writes both again"
    assert table == section(results, name), mend
    assert PAGE.read_text() == page(results, name), mend


def test_pictures_show_every_case_that_litert_runs(tmp_path: Path) -> None:
    _, path, *_ = shown(README.read_text())
    overview(load(path), tmp_path / "a.svg")
    growing(load(path), tmp_path / "b.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert [
        r.name for r in load(path).rows if "LiteRT" in r.values and "numpy" in r.values and r.name not in drawn
    ] == []
    assert "tflite backend" in (tmp_path / "b.svg").read_text()


FAKE = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from protocol import serve
losses = iter([0.5, 0.25, 0.125])
serve(lambda head: lambda: next(losses, head.rate))
"""


@pytest.fixture
def fake() -> Iterator[Peer]:
    peer = Peer("fake", [sys.executable, "-c", FAKE])
    yield peer
    peer.close()


ARRAYS = {"x": np.ones((2, 3)), "labels": np.ones(2, int), "ws": np.ones((3, 2)), "bs": np.ones(2)}
GIVEN = Given(ARRAYS, b"", "sgd", 0.1)


def test_a_peer_answers(fake: Peer) -> None:
    assert fake.head(GIVEN, np.array([0.5, 0.25, 0.125]))(3) > 0


def test_a_peer_with_wrong_losses_is_not_timed(fake: Peer) -> None:
    with pytest.raises(AssertionError, match="fake"):
        fake.head(GIVEN, np.array([0.5, 0.25, 0.126]))


def test_a_peer_that_ended_is_told_of() -> None:
    peer = Peer("fake", [sys.executable, "-c", ""])
    with pytest.raises(RuntimeError, match="fake ended"):
        peer.head(GIVEN, np.array([0.5]))
    peer.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_peer_has_its_program_and_its_environment(name: str) -> None:
    assert (HERE / f"with_{name}.py").exists()
    assert "==" in (HERE / f"{name}.txt").read_text()
