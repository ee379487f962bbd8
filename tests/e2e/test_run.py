"""``run``: any .tflite on arrays from files, by either backend."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_transfer.cli.run import _file_name

ROOT = Path(__file__).parents[2]
DENSE = ROOT / "tests" / "golden" / "flex" / "dense_sgd.tflite"
BASE = ROOT / "demo" / "base.tflite"
FAILED, USAGE = 1, 2
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "tflite"])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good and bad arrays."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("x.npy", rng.random((2, 8, 8), np.float32))
    np.save("y.npy", np.eye(4, dtype=np.float32)[:2])
    np.save("image.npy", rng.random((1, 160, 160, 3), np.float32))
    np.save("path.npy", np.array("saved.ckpt"))
    np.save("shape.npy", np.ones((2, 3), np.float32))
    np.save("type.npy", np.ones((2, 8, 8), complex))
    np.save("pickled.npy", np.array([{}], object))
    np.savez("several.npz", x=np.ones(3))
    Path("text.npy").write_text("no array")
    Path("empty.npy").touch()
    Path("cut.npy").write_bytes(Path("x.npy").read_bytes()[:200])
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,)}"
    Path("huge.npy").write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode())
    Path("folder").mkdir()
    return tmp_path


@BACKENDS
def test_a_signature(run: Callable, place: Path, backend: str) -> None:
    words = ("run", DENSE, "--signature", "infer", "--input", "x=x.npy", "--backend", backend)
    ended = run(*words, "--output", "out/new", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["backend"], found["signature"], list(found["outputs"])) == (backend, "infer", ["logits", "output"])
    logits, output = np.load("out/new/logits.npy"), np.load("out/new/output.npy")
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(output, expected, rtol=1e-6)
    told = found["outputs"]["output"]
    assert (told["shape"], told["dtype"]) == ([2, 4], "float32")
    assert told["max"] == output.max()
    assert re.match(r"logits  float32 2x4  \[\[[-.\d ]+\]  \[[-.\d ]+\]\]\noutput  float32 2x4  ", run(*words).out)


@BACKENDS
def test_a_file_with_one_signature_needs_no_name(run: Callable, place: Path, backend: str) -> None:
    ended = run("run", BASE, "--input", "image=image.npy", "--backend", backend)
    assert ended.code == 0, ended.err
    assert ended.out.count("\n") == 1


def test_both_backends_agree(run: Callable, place: Path) -> None:
    for backend in ("numpy", "tflite"):
        words = ("--input", "x=x.npy", "--backend", backend, "--output", backend)
        assert run("run", DENSE, "--signature", "infer", *words).code == 0
    np.testing.assert_allclose(np.load("numpy/output.npy"), np.load("tflite/output.npy"), rtol=1e-5)


def test_a_checkpoint_there_and_back(run: Callable, place: Path) -> None:
    for signature in ("save", "restore"):
        ended = run(
            "run", DENSE, "--signature", signature, "--input", "checkpoint_path=path.npy", "--output", signature
        )
        assert ended.code == 0, ended.err
    assert (place / "saved.ckpt").is_file()
    assert np.load("save/checkpoint_path.npy") == b"saved.ckpt"
    assert np.load("restore/dense_kernel_0.npy").shape == (64, 16)


INFER = f"run {DENSE} --signature infer --input"
TABLE: list[Any] = [
    (f"run {DENSE}", USAGE, "has several signatures; give --signature, one of .'infer', 'restore', 'save', 'train'."),
    (f"run {DENSE} --signature gone", FAILED, "has no signature 'gone'; it has"),
    (f"run {DENSE} --signature infer", USAGE, "takes --input for each of .'x'., and was given .."),
    (f"{INFER} z=x.npy", USAGE, "takes --input for each of .'x'., and was given .'z'."),
    (f"{INFER} x=x.npy --input x=x.npy", USAGE, "--input names x more than once"),
    (f"{INFER} x.npy", USAGE, "--input x.npy must be NAME=FILE.npy"),
    (f"{INFER} x=shape.npy", FAILED, r"must have shape \('any', 8, 8\), but has \(2, 3\)"),
    (f"{INFER} x=shape.npy --backend tflite", FAILED, r"must have shape \('any', 8, 8\), but has \(2, 3\)"),
    (f"{INFER} x=type.npy", FAILED, "must be float32, but is complex128"),
    (f"{INFER} x=gone.npy", FAILED, "gone.npy cannot be read as a .npy file: No such file or directory"),
    (f"{INFER} x=folder", FAILED, "folder cannot be read as a .npy file: Is a directory"),
    (f"{INFER} x=pickled.npy", FAILED, "pickled.npy cannot be read as a .npy file: Object arrays cannot be loaded"),
    (f"{INFER} x=several.npz", FAILED, "several.npz cannot be read as a .npy file: the magic string is not correct"),
    (f"{INFER} x=text.npy", FAILED, "text.npy cannot be read as a .npy file: the magic string is not correct"),
    (f"{INFER} x=empty.npy", FAILED, "empty.npy cannot be read as a .npy file: EOF"),
    (f"{INFER} x=cut.npy", FAILED, "cut.npy cannot be read as a .npy file: .*18"),
    (f"{INFER} x=huge.npy", FAILED, "huge.npy cannot be read as a .npy file"),
    (f"{INFER} x=x.npy --output x.npy", USAGE, "--output x.npy must name a folder that can be written"),
    (f"{INFER} x=x.npy --output x.npy/new", USAGE, "--output x.npy/new must name a folder that can be written"),
    (f"{INFER} x=x.npy --output /proc/new", "any", "--output /proc/new "),
    (f"{INFER} x=x.npy --json_out x.npy", USAGE, "--json_out x.npy is named for something else too"),
    (f"{INFER} x=x.npy --backend torch", USAGE, "backend must be numpy or tflite, but is 'torch'"),
    (f"{INFER} x=x.npy --num_threads 0", USAGE, "num_threads must be at least 1"),
    (f"run {DENSE} --signature save --input checkpoint_path=x.npy", FAILED, "must hold texts, but holds float32"),
    (f"run {DENSE} --signature restore --input checkpoint_path=path.npy", FAILED, "saved.ckpt cannot be read"),
    ("run gone.tflite", FAILED, "gone.tflite cannot be read: No such file or directory"),
    ("run folder", FAILED, "folder cannot be read: it is not a file"),
    ("run x.npy", FAILED, "x.npy is not a .tflite file"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code", "message"), TABLE)
def test_bad_input(run: Callable, place: Path, line: str, code: Any, message: str) -> None:
    before = sorted(place.rglob("*"))
    ended = run(*line.split())
    assert ended.code == code or (code == "any" and ended.code in (FAILED, USAGE))
    assert ended.out == ""
    assert re.search(f"^tflite-transfer: error: .*{message}", ended.err)
    assert ended.err.count("\n") == 1
    assert sorted(place.rglob("*")) == before


def test_results_names_are_made_files() -> None:
    taken: set[str] = set()
    for name in ("a/b:0", "a:b/0", "../x", "\0", "n" * 300):
        file = _file_name(name, taken)
        assert "/" not in file
        assert len(file) < 255
        taken.add(file)
    assert taken >= {"a_b_0.npy", "a_b_0_.npy", ".._x.npy", "_.npy"}


def test_inspect_prints_no_control_characters(run: Callable) -> None:
    """A flatbuffer in the metadata, as TensorFlow's converter puts one there, is decoded as text without an error."""
    shown = run("inspect", Path(__file__).parents[1] / "golden" / "flex" / "cnn_adam.tflite").out
    assert "  metadata CONVERSION_METADATA: 92 bytes" in shown
    assert all(line.isprintable() for line in shown.splitlines())
