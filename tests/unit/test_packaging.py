"""What is built is what is here, and importing it costs next to nothing."""

import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import median

import tflite_transfer

ROOT = Path(__file__).parents[2]
LINKS = ("backends", "converter", "reference")


def test_every_package_is_named_in_pyproject() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    own = ROOT / "tflite_transfer"
    found = {".".join(init.parent.relative_to(ROOT).parts) for init in own.rglob("__init__.py")}  # not through links
    for top in LINKS:
        for init in (ROOT / top).rglob("__init__.py"):
            found.add(".".join(("tflite_transfer", *init.parent.relative_to(ROOT).parts)))
    assert set(named) == found


def test_links_lead_to_the_folders() -> None:
    for name in LINKS:
        link = ROOT / "tflite_transfer" / name
        assert link.is_symlink()
        assert not link.readlink().is_absolute()
        assert link.samefile(ROOT / name)


def test_the_demo_installs_neither_tensorflow_nor_tools() -> None:
    """The two commands of the README share .venv: each has its own mark there, so that neither hides the other."""
    told = {
        goal: subprocess.run(["make", "-nB", goal], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for goal in ("demo", "check")
    }
    assert "--editable '.[plot,report,tflite]'" in told["demo"]
    assert "[dev]" not in told["demo"]
    assert "--editable '.[dev]'" in told["check"]
    touched = [{line for line in lines.splitlines() if line.startswith("touch")} for lines in told.values()]
    assert not touched[0] & touched[1]


def test_version_is_that_of_pyproject() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == tflite_transfer.__version__


def test_exported_names_are_sorted_and_there() -> None:
    assert sorted(tflite_transfer.__all__) == tflite_transfer.__all__
    for name in tflite_transfer.__all__:
        assert getattr(tflite_transfer, name) is not None


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_brings_no_heavy_package() -> None:
    heavy = run(
        "import sys, tflite_transfer, tflite_transfer.errors\n"
        "heavy = 'numba', 'tensorflow', 'ai_edge_litert', 'matplotlib', 'jinja2', 'typer', 'rich'\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    assert heavy.strip() == "[]"


def test_import_costs_less_than_a_quarter_second_over_numpy() -> None:
    """The bound is the project's promise; seen: 0.02 s. A median of five, since the machine may be busy."""
    code = "import time, numpy; t = time.perf_counter(); import tflite_transfer; print(time.perf_counter() - t)"
    assert median(float(run(code)) for _ in range(5)) < 0.25


def test_importing_the_model_brings_neither_numba_nor_litert() -> None:
    heavy = run(
        "import sys; from tflite_transfer import TransferLearningModel\n"
        "print([m for m in ('numba', 'tensorflow', 'ai_edge_litert') if m in sys.modules])"
    )
    assert heavy.strip() == "[]"
