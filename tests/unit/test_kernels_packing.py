"""Packed filters: when they are made, and that few outputs do without."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.kernels import conv
from tflite_transfer.reference.ops import conv as definition
from tflite_transfer.reference.tflite.builder import GraphBuilder

Array = Any
HALF = conv.PANEL // 2
DEEP = conv.SPARE // conv.PANEL + 1  # the first depth at which few filters are not packed
OUTPUTS = [1, HALF - 1, HALF, conv.PANEL, conv.PANEL + 1, 3 * conv.PANEL + 1]
OPTIONS: dict[str, Any] = {"padding": "VALID", "stride_h": 1, "stride_w": 1}


@pytest.mark.parametrize("depth", [1, 1280, DEEP])
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_packing_at_most_doubles_the_size(outputs: int, depth: int) -> None:
    w = np.ones((outputs, depth), np.float32)
    weights = conv.fully_connected.__dict__["prepare"](w)
    assert (weights is None) == (outputs < HALF)
    filters = conv.conv_2d.__dict__["prepare"](w[:, None, None])
    assert (filters is None) == (outputs < HALF and depth == DEEP)
    for packed in (weights, filters):
        assert packed is None or packed.nbytes <= max(2 * w.nbytes, 4 * conv.SPARE)


@pytest.mark.parametrize("outputs", [1, HALF - 1])
@pytest.mark.parametrize("depth", [DEEP - 1, DEEP])
def test_deep_filters_of_few_outputs(outputs: int, depth: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.random((1, 2, 3, depth), np.float32), rng.random((outputs, 1, 1, depth), np.float32)
    b = rng.random(outputs, np.float32)
    plain = np.clip(definition.conv_2d(x, w, b, **OPTIONS), 0, 2000)
    assert (plain == 2000).any()
    for packed in (None, conv.pack(w)):
        np.testing.assert_allclose(conv.conv_2d(x, w, b, **OPTIONS, bounds=(0, 2000), packed=packed), plain, rtol=1e-5)


@pytest.mark.parametrize("opcode", ["FULLY_CONNECTED", "CONV_2D"])
@pytest.mark.parametrize("constant", [True, False])
def test_a_large_layer_of_one_output_takes_no_memory(opcode: str, constant: bool) -> None:
    """2^20 features are 4 MB; packed they were 128 MB."""
    rng = np.random.default_rng(0)
    shape = (1, 2**20) if opcode == "FULLY_CONNECTED" else (1, 1, 1, 2**20)
    x, w = rng.random(shape, np.float32), rng.random(shape, np.float32)
    g = GraphBuilder()
    into = [g.input("x", shape), g.constant("w", w) if constant else g.input("w", shape), -1]
    window = {} if opcode == "FULLY_CONNECTED" else {"padding": 1, "stride_h": 1, "stride_w": 1}
    g.output("y", g.op(opcode, into, "y", (*shape[:-1], 1), **window))
    model = g.model("run")
    tracemalloc.start()
    try:
        y = Interpreter(model).run("run", x=x, **({} if constant else {"w": w}))["y"]
        assert tracemalloc.get_traced_memory()[1] < 2 * w.nbytes
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(y.ravel(), [np.dot(x.ravel().astype(np.float64), w.ravel())], rtol=1e-5)


@pytest.mark.parametrize("half", [True, False])
def test_a_trace_gives_the_bits_of_a_run(half: bool) -> None:
    """Filters are packed for both, those that a folded DEQUANTIZE widens too; unpacked, sums have other bits."""
    rng = np.random.default_rng(0)
    x, w = rng.random((3, 1280), np.float32), rng.random((64, 1280), np.float32)
    g = GraphBuilder()
    given, stored = g.input("x", x.shape), g.constant("w", w.astype(np.float16) if half else w)
    weights = g.op("DEQUANTIZE", [stored], "wide", w.shape) if half else stored
    g.output("y", g.op("FULLY_CONNECTED", [given, weights, -1], "y", (3, 64)))
    interpreter = Interpreter(g.model("run"))
    *_, last = interpreter.trace(x=x)
    np.testing.assert_array_equal(last.outputs["y"], interpreter.run(x=x)["y"])
    wide = w.astype(np.float16).astype(np.float32) if half else w
    assert (conv.fully_connected(x, wide) != last.outputs["y"]).any()
