"""What the interpreter hands to the compiled operators, and what it must not lose by them."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_transfer.inspection import inspect_file
from tflite_transfer.reference.budget import Budget, Room
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.kernels import conv, threads
from tflite_transfer.reference.kernels.table import FAST, FAST_QUANTIZED
from tflite_transfer.reference.ops.elementwise import ACTIVATIONS as FUSED
from tflite_transfer.reference.ops.limit import ALLOWED, Allowance
from tflite_transfer.reference.ops.quantized.table import QUANTIZED
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.plan import plans
from tflite_transfer.reference.tflite import Quantization, write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.enums import ACTIVATIONS

UNIT = 2.0**-24
DEMO = Path(__file__).parents[2] / "demo" / "base.tflite"


def test_what_is_in_the_table_is_known_without_numba() -> None:
    script = f"""
import sys
from pathlib import Path
from tflite_transfer.inspection import inspect_file
from tflite_transfer.reference.kernels.table import FAST, FAST_QUANTIZED
assert "CONV_2D" in FAST and "ADD" not in FAST and FAST.get("ADD") is None and len(FAST) == len(list(FAST)) == 5
assert len(FAST_QUANTIZED) == 4
assert {{o["kernel"] for o in inspect_file(Path({str(DEMO)!r}))["operators"]}} == {{"numba", "numpy"}}
assert "numba" not in sys.modules
FAST["CONV_2D"]
assert "numba" in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("opcode", "tables"), [(o, t) for t in ((TABLE, FAST), (QUANTIZED, FAST_QUANTIZED)) for o in t[1]]
)
def test_takes_the_options_of_the_definition(opcode: str, tables: Any) -> None:
    plain, fast = (inspect.signature(t[opcode]).parameters for t in tables)
    assert {n: (p.kind, p.default) for n, p in fast.items() if n not in ("bounds", "packed")} == {
        n: (p.kind, p.default) for n, p in plain.items()
    }


@pytest.mark.parametrize("activation", ["NONE", *FUSED])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("opcode", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_interpreter_gives_a_kernel_the_activation_and_the_filters(
    opcode: str, constant: bool, activation: str
) -> None:
    rng = np.random.default_rng(0)
    shapes = {"CONV_2D": (5, 3, 3, 4), "DEPTHWISE_CONV_2D": (1, 3, 3, 4), "FULLY_CONNECTED": (5, 4)}
    given = {"x": rng.standard_normal((2, 4) if opcode == "FULLY_CONNECTED" else (2, 6, 6, 4), np.float32)}
    filters = rng.standard_normal(shapes[opcode], np.float32)
    g = GraphBuilder()
    x = g.input("x", given["x"].shape)
    if constant:
        w = g.constant("w", filters)
    else:
        w, given["w"] = g.input("w", filters.shape), filters
    window: dict[str, Any] = {} if opcode == "FULLY_CONNECTED" else {"padding": 0, "stride_h": 1, "stride_w": 1}
    window |= {} if opcode == "FULLY_CONNECTED" else {"dilation_h_factor": 1, "dilation_w_factor": 1}
    shape = (*given["x"].shape[:-1], 4 if opcode == "DEPTHWISE_CONV_2D" else 5)
    y = g.op(opcode, [x, w, -1], "y", shape, fused_activation_function=ACTIVATIONS.index(activation), **window)
    g.output("y", y)
    fast, plain = (Interpreter(g.model("run"), jit=jit).run("run", **given)["y"] for jit in (True, False))
    np.testing.assert_allclose(fast, plain, atol=1e-5)


STORED = {"CONV_2D": (5, 3, 3, 4), "DEPTHWISE_CONV_2D": (1, 3, 3, 4), "FULLY_CONNECTED": (5, 4), "ADD": (2, 6, 6, 4)}


@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("opcode", FAST_QUANTIZED)
def test_interpreter_gives_a_kernel_of_stored_integers_the_activation_and_the_filters(
    opcode: str, constant: bool, activation: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    shape = (2, 4) if opcode == "FULLY_CONNECTED" else (2, 6, 6, 4)
    given, filters = ({k: rng.integers(-128, 128, s).astype(np.int8)} for k, s in (("x", shape), ("w", STORED[opcode])))
    g = GraphBuilder()
    x = g.inputs["x"] = g.tensor("x", shape, "INT8", quantization=quantization(0.05, -3))
    stands = quantization([0.02], 0)
    w = g.tensor("w", STORED[opcode], "INT8", data=filters["w"] if constant else None, quantization=stands)
    if not constant:
        g.inputs["w"], given = w, given | filters
    window: dict[str, Any] = {"padding": 0, "stride_h": 1, "stride_w": 1} if opcode.endswith("2D") else {}
    window |= {"dilation_h_factor": 1, "dilation_w_factor": 1} if window else {}
    y = g.tensor("y", (1,), "INT8", quantization=quantization(0.04, 5))
    window["fused_activation_function"] = ACTIVATIONS.index(activation)
    g.operator(opcode, [x, w] if opcode == "ADD" else [x, w, -1], [y], **window)
    g.output("y", y)
    fast, plain = (Interpreter(g.model("run"), jit=jit).run("run", **given)["y"] for jit in (True, False))
    np.testing.assert_array_equal(fast, plain)
    kernel = plans(g.model("run"), Budget(), Room(2**20), jit=True)[0].steps[0].kernel
    assert isinstance(kernel, partial) == (constant and opcode != "ADD")  # its filters are packed
    assert getattr(kernel, "func", kernel) is FAST_QUANTIZED[opcode]
    (tmp_path / "model.tflite").write_bytes(write(g.model("run")))
    assert [o["kernel"] for o in inspect_file(tmp_path / "model.tflite")["operators"]] == ["numba"]


def quantization(scale: Any, zero: int) -> Quantization:
    return Quantization(np.atleast_1d(np.asarray(scale, np.float32)), np.array([zero], np.int64))


def test_demo_base() -> None:
    """53 layers deep, errors have no bound from the inputs alone: 22 2^-24 of the largest feature were seen."""
    images = np.random.default_rng(0).random((3, 160, 160, 3), np.float32)
    fast, plain = (Interpreter(DEMO, jit=jit).run(None, image=images)["bottleneck"] for jit in (True, False))
    assert np.abs(plain).max() > 1
    assert np.abs(fast - plain).max() <= 64 * UNIT * np.abs(plain).max()


def test_an_interpreter_shares_its_work_between_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit the same; 16 images, since of one no operator is worth a thread."""
    images = np.random.default_rng(0).random((16, 160, 160, 3), np.float32)
    alone = Interpreter(DEMO).run(None, image=images)["bottleneck"]
    told: list[str] = []
    conv_kernel = conv._conv
    monkeypatch.setattr(conv, "_conv", lambda *a: (told.append(threading.current_thread().name), conv_kernel(*a)))
    for count in (2, 3):
        told.clear()
        shared = Interpreter(DEMO, num_threads=count).run(None, image=images)["bottleneck"]
        np.testing.assert_array_equal(shared, alone)
        assert any(name.startswith("kernels") for name in told)


@pytest.mark.parametrize(("count", "workers"), [(1, 2), (5, 2), (6, 3), (1000, 7)])
def test_parts_make_up_the_whole(count: int, workers: int) -> None:
    token = ALLOWED.set(Allowance(threads=workers))
    parts: list[tuple[int, int]] = []
    try:
        threads.each(count, threads.WORTH, parts.append)
    finally:
        ALLOWED.reset(token)
    assert [n for a, b in sorted(parts) for n in range(a, b)] == list(range(count))
    assert len(parts) >= min(count, workers)


def test_threads_share_an_interpreter() -> None:
    interpreter = Interpreter(DEMO)
    images = np.random.default_rng(0).random((8, 1, 160, 160, 3), np.float32)
    alone = [interpreter.run(None, image=i)["bottleneck"] for i in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: interpreter.run(None, image=i)["bottleneck"], images))
    np.testing.assert_array_equal(together, alone)
