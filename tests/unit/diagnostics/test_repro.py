"""The first operator that differs, in a folder of its own: its script, run by another Python, shows the same again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tflite_transfer.diagnostics import compare
from tflite_transfer.diagnostics.repro import save_repro
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.graph import Quantization

ROOT = Path(__file__).parents[3]
X = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)


def network(weights: np.ndarray) -> bytes:
    """EXP, FULLY_CONNECTED with a bias, RELU. (2, 4) -> (2, 4)."""
    g = GraphBuilder()
    y = g.op("EXP", [g.input("x", (2, 4))], "e", (2, 4))
    bias = g.constant("bias", np.arange(4, dtype=np.float32))
    y = g.op("FULLY_CONNECTED", [y, g.constant("weights", weights), bias], "fc", (2, 4))
    g.output("y", g.op("RELU", [y], "y", (2, 4)))
    return write(g.model("net"))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The same network, with its weights as they are and transposed."""
    weights = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
    paths = tmp_path / "one.tflite", tmp_path / "other.tflite"
    for path, w in zip(paths, (weights, np.ascontiguousarray(weights.T)), strict=True):
        path.write_bytes(network(w))
    return paths


def shown(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wrong_constant_is_shown_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    found = compare(*files, inputs={"x": X})
    assert found.first is not None
    assert found.cut is not None
    saved = save_repro(found.cut, tmp_path / "repro")
    assert [p.name for p in saved] == ["operator.tflite", "against.tflite", "x0.npy", "run.py"]
    for path, transposed in zip(saved[:2], (False, True), strict=True):
        main = read(path).main
        assert [o.opcode for o in main.operators] == ["FULLY_CONNECTED"]
        weights = np.asarray(main.tensors[main.operators[0].inputs[1]].data)
        np.testing.assert_array_equal(weights.T if transposed else weights, read(files[0]).main.tensors[3].data)
    np.testing.assert_allclose(np.load(saved[2]), np.exp(X), rtol=1e-6)
    assert len((tmp_path / "repro" / "run.py").read_text().splitlines()) == 3
    assert f"operator 0 (FULLY_CONNECTED) -> fc: {found.first.fault}" in shown(tmp_path / "repro")


def test_two_engines_that_differ_are_shown_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    """EXP of NaN: XNNPACK gives a number (LiteRT 2.3; when this fails, it is mended)."""
    x = X.copy()
    x[1, 2] = np.nan
    found = compare(files[0], inputs={"x": x})
    assert found.cut is not None
    saved = save_repro(found.cut, tmp_path / "repro")
    assert [p.name for p in saved] == ["operator.tflite", "x0.npy", "run.py"]
    assert "operator 0 (EXP) -> e: not finite in one alone" in shown(tmp_path / "repro")


def quantised(weights: np.ndarray) -> bytes:
    """RELU and FULLY_CONNECTED in int8, between floats."""

    def steps(size: float) -> Quantization:
        return Quantization(np.array([size], np.float32), np.zeros(1, np.int64))

    g = GraphBuilder()
    sizes = {"q": 0.1, "r": 0.1, "fc": 0.2}
    x, r, y = (g.tensor(name, (2, 4), "INT8", quantization=steps(size)) for name, size in sizes.items())
    stored = np.round(weights / 0.02).astype(np.int8)
    w = g.tensor("weights", (4, 4), "INT8", data=stored, quantization=steps(0.02))
    bias = g.tensor("bias", (4,), "INT32", data=np.arange(4, dtype=np.int32) * 500, quantization=steps(0.002))
    g.operator("QUANTIZE", [g.input("x", (2, 4))], [x])
    g.operator("RELU", [x], [r])
    g.operator("FULLY_CONNECTED", [r, w, bias], [y])
    g.output("y", g.op("DEQUANTIZE", [y], "y", (2, 4)))
    return write(g.model("net"))


def test_a_wrong_constant_of_stored_integers_is_shown_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    weights = np.random.default_rng(1).uniform(-1, 1, (4, 4)).astype(np.float32)
    g = GraphBuilder()
    bias = g.constant("bias", np.arange(4, dtype=np.float32))
    r = g.op("RELU", [g.input("x", (2, 4))], "r", (2, 4))
    g.output("fc", g.op("FULLY_CONNECTED", [r, g.constant("weights", weights), bias], "fc", (2, 4)))
    files[0].write_bytes(write(g.model("net")))
    files[1].write_bytes(quantised(weights))
    assert compare(*files, a="numpy", b="numpy", inputs={"x": X}).agrees
    files[1].write_bytes(quantised(weights.T))
    found = compare(*files, a="numpy", b="numpy", inputs={"x": X})
    assert found.cut is not None
    save_repro(found.cut, tmp_path / "repro")
    assert f"operator 0 (FULLY_CONNECTED) -> fc: {found.faults[0].fault}" in shown(tmp_path / "repro")


def test_what_agrees_has_nothing_to_cut(files: tuple[Path, Path]) -> None:
    assert compare(files[0], inputs={"x": X}).cut is None
    assert compare(*files, inputs={"x": X}, mode="cumulative").cut is None
