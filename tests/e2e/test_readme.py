"""The README's code is run as it stands."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_networks import head

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """What the README supposes: demo/, a folder of photos and a new one."""
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    (tmp_path / "photos").symlink_to(ROOT / "demo" / "photos" / "train")
    shutil.copy(ROOT / "demo" / "photos" / "test" / "Trouser" / "00.png", tmp_path / "new.png")
    return tmp_path


def test_the_commands_and_the_python_example(workplace: Path) -> None:
    commands = blocks("sh")[0] + "".join(blocks("sh")[2:])
    scripts = Path(sys.executable).parent
    shell = f"set -e; PATH={scripts}:$PATH\n{commands}"
    done = subprocess.run(["bash", "-c", shell], cwd=workplace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accuracy 0.9") == 2
    assert done.stdout.count("top-1 the same in 100%") == 4
    assert "photos/test/Bag/00.png: Bag" in done.stdout
    assert "bottleneck.tflite: operator 4, CONV_2D" in done.stdout
    assert "One training step" in (workplace / "explain.html").read_text()
    assert "operator by operator" in (workplace / "personal.html").read_text()
    assert "tflite (A) and numpy (B), teacher_forced, 3 training steps: agrees in" in done.stdout
    assert done.stdout.endswith("they differ\n")

    example = blocks("python")[0]
    done = subprocess.run([sys.executable, "-c", example], cwd=workplace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[19].startswith("19 ")
    assert lines[20].startswith("Prediction(class_name='Trouser'")


def test_the_example_of_a_whole_network(tmp_path: Path) -> None:
    """On a regression of 10 numbers to 2."""
    (tmp_path / "net.tflite").write_bytes(head(10, classes=2))
    code = blocks("python")[1] + "print(len(losses), losses[-1] < losses[0])\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "5 True\n"
    assert (tmp_path / "state.safetensors").exists()


def test_the_interpreter_s_example(tmp_path: Path) -> None:
    """On a model of the on-device-training tutorial; six images of 8 x 8, four classes."""
    shutil.copy(ROOT / "tests" / "golden" / "flex" / "dense_sgd.tflite", tmp_path / "model.tflite")
    given = "import numpy as np\nimages, labels = np.ones((6, 8, 8)), np.eye(4)[[0, 1, 2, 3, 0, 1]]\n"
    code = given + blocks("python")[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "SOFTMAX" in done.stdout


def test_the_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
