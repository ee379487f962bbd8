"""Whole files against LiteRT: the demo's base, TensorFlow's files, and weights stored in fewer bits.

``apart`` counts in units of 2^-24 of the largest value of an output. The bounds are about twice the largest difference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.operators import RESOLVERS, Array, halves, litert, normal
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import Quantization, read, write
from tflite_transfer.reference.tflite.builder import GraphBuilder

ROOT = Path(__file__).parents[2]
BASE = ROOT / "demo" / "base.tflite"
UPSTREAM = sorted((ROOT / "tests" / "golden").glob("upstream_*/*.tflite"))


def all_outputs(data: bytes, given: dict[str, Array], resolver: str) -> dict[str, Array]:
    interpreter = LiteRT(model_content=data, experimental_op_resolver_type=RESOLVERS[resolver], num_threads=1)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], given[details["name"]])
    interpreter.invoke()
    return {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}


def apart(ours: Array, theirs: Array) -> float:
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max() * 2**24)


def test_all_upstream_files_are_here():
    assert len(UPSTREAM) == 15


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("path", UPSTREAM, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_files_that_tensorflow_made_agree_with_litert(path, jit, resolver):
    graph = read(path).main
    given = {graph.tensors[t].name: np.abs(normal(*graph.tensors[t].shape, seed=n)) for n, t in enumerate(graph.inputs)}
    ours, theirs = Interpreter(path, jit=jit).run(**given), all_outputs(path.read_bytes(), given, resolver)
    assert set(ours) == set(theirs)
    assert all(np.abs(y).max() > 0 for y in theirs.values())
    bound = 0 if path.stem in ("initialize", "optimizer") else 4  # 0; 1.6
    assert max(apart(ours[name], theirs[name]) for name in ours) <= bound


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("path", [*UPSTREAM, BASE], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_file_that_was_read_and_written_again_computes_the_same_bits(path, resolver):
    graph = read(path).main
    given = {graph.tensors[t].name: np.abs(normal(*graph.tensors[t].shape, seed=n)) for n, t in enumerate(graph.inputs)}
    before, after = (all_outputs(c, given, resolver) for c in (path.read_bytes(), write(read(path))))
    assert set(before) == set(after) != set()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("jit", [False, True])
def test_the_demo_s_base_agrees_with_litert(jit, resolver):
    """EfficientNet-Lite0's layers, with weights in float16."""
    given = {"image": np.random.default_rng(0).random((1, 160, 160, 3), np.float32)}
    ours, theirs = Interpreter(BASE, jit=jit).run(**given), all_outputs(BASE.read_bytes(), given, resolver)
    assert apart(ours["bottleneck"], theirs["bottleneck"]) < 56  # default 22, reference 26


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("jit", [False, True])
def test_weights_in_float16_are_widened(jit, resolver):
    """As TensorFlow writes them: DEQUANTIZE in front of each convolution."""
    g = GraphBuilder()
    x, stored = g.input("x0", (1, 7, 8, 3)), normal(4, 3, 3, 3).astype(np.float16)
    filters = g.op("DEQUANTIZE", [g.constant("w", stored)], "wide", stored.shape)
    window = {"padding": 0, "stride_h": 2, "stride_w": 2}
    g.output("y", g.op("CONV_2D", [x, filters, g.constant("b", normal(4))], "y", (1, 4, 4, 4), **window))
    data, given = write(g.model("run")), {"x0": normal(1, 7, 8, 3, seed=1)}
    assert apart(Interpreter(data, jit=jit).run(**given)["y"], litert(data, [given["x0"]], resolver)[0]) < 5  # 2.1, 1.0


def quantized(g: GraphBuilder, w: Array, kind: str, per_output: bool) -> tuple[int, Array]:
    """A constant of INT8 or INT4, and the numbers that it stands for."""
    axes = tuple(range(1, w.ndim)) if per_output else None
    scale = (np.abs(w).max(axis=axes, keepdims=True) / (127 if kind == "INT8" else 7)).astype(np.float32)
    stored = np.round(w / scale).astype(np.int8)
    quantization = Quantization(scale.reshape(-1), np.zeros(scale.size, np.int64), 0)
    data = stored if kind == "INT8" else halves(stored)
    return g.tensor("w", w.shape, kind, data=data, quantization=quantization), stored * scale


def dynamic_range(
    opcode: str, kind: str, per_output: bool, w: Array, x: Array, **options: Any
) -> tuple[bytes, bytes, Array]:
    """A file with weights of few bits, the same with their values in float32, and those."""
    contents = []
    for stored in (True, False):
        g = GraphBuilder()
        given = g.input("x0", x.shape)
        number, values = quantized(g, w, kind, per_output)
        weights = number if stored else g.constant("wide", values)
        shape = (*x.shape[:-1], len(w))
        g.output("y", g.op(opcode, [given, weights, g.constant("b", normal(len(w)))], "y", shape, **options))
        contents.append(write(g.model("run")))
    return contents[0], contents[1], values


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("per_output", [False, True])
@pytest.mark.parametrize("kind", ["INT8", "INT4"])
@pytest.mark.parametrize("opcode", ["CONV_2D", "FULLY_CONNECTED"])
def test_weights_of_few_bits_are_widened_where_litert_also_rounds_the_inputs(opcode, kind, per_output, jit, resolver):
    """LiteRT's hybrid kernels round each example's inputs to 8 bits: to within half a step of max|x| / 127.

    So its outputs are off by at most ``max|x| / 254 sum|w|``, and ours are not: they are those of the float32 file.
    """
    conv = opcode == "CONV_2D"
    x, w = (normal(3, 7, 8, 3), normal(6, 3, 3, 3)) if conv else (normal(3, 40), normal(10, 40))
    options = {"padding": 0, "stride_h": 1, "stride_w": 1} if conv else {}
    data, wide, values = dynamic_range(opcode, kind, per_output, w, x, **options)
    ours, theirs = Interpreter(data, jit=jit).run(x0=x)["y"], litert(data, [x], resolver)[0]
    np.testing.assert_array_equal(ours, Interpreter(wide, jit=jit).run(x0=x)["y"])
    half_step = np.abs(x).max(axis=tuple(range(1, x.ndim)), keepdims=True) / 254
    share = np.abs(ours - theirs) / (half_step * np.abs(values).sum(axis=tuple(range(1, w.ndim))))
    assert 0.1 < share.max() < 1  # 0.19 to 0.54
