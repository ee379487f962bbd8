"""The graphs that the converter writes around the head keep the original's contract, byte for byte read by LiteRT.

B training batch, S bottleneck without the batch, F = prod(S) features, C classes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.parity import training
from tflite_transfer.converter.convert import build
from tflite_transfer.converter.head import Head, softmax_head
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.converter.training.optimizers import SGD, Adam, optimizer_graph
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.writer import write

Array = Any
Shape = tuple[int, ...]

OPTIMIZERS = {"sgd": SGD(0.05), "adam": Adam()}
BUILTINS = {  # role -> every operator that may stand in it
    "initialize": {"FILL"},
    "inference": {"RESHAPE", "BATCH_MATMUL", "ADD", "SOFTMAX"},
    "train_head": {
        "RESHAPE", "BATCH_MATMUL", "ADD", "SOFTMAX", "LOG_SOFTMAX", "SUB", "MUL", "DIV", "SUM", "NEG", "MEAN", "SHAPE",
        "GATHER", "CAST", "SQUARE",
    },
    "optimizer": {"ADD", "SUB", "MUL", "DIV", "POW", "SQRT"},
}  # fmt: skip
# |a - b| <= c 2^-24 sum|terms|: see tests/parity/test_training_steps.py. Largest c seen here: 0.3 and 1.2.
LOSS_C, GRADIENT_C = 3.0, 8.0


def graphs(head: Head, optimizer: SGD | Adam) -> dict[str, bytes]:
    """The four files beside the base."""
    made = {
        "initialize": head.initialize(), "train_head": head.train_head(), "inference": head.inference(),
        "optimizer": optimizer_graph(optimizer, head.parameters),
    }  # fmt: skip
    return {role: write(g.model(role)) for role, g in made.items()}


def loaded(content: bytes) -> Any:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def shapes(content: bytes) -> tuple[list[Shape], list[Shape]]:
    """Of LiteRT's inputs and outputs, all of which must be float32."""
    interpreter = loaded(content)
    sides = interpreter.get_input_details(), interpreter.get_output_details()
    assert all(d["dtype"] == np.float32 for side in sides for d in side)
    inputs, outputs = ([tuple(map(int, d["shape"])) for d in side] for side in sides)
    return inputs, outputs


def run(content: bytes, *values: Array) -> list[Array]:
    """By position, resized to the values' shapes."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    for detail, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.resize_tensor_input(detail["index"], np.shape(value))
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(detail["index"], np.asarray(value, np.float32))
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


@pytest.mark.parametrize("l2", [None, 0.1])
@pytest.mark.parametrize(("bottleneck", "classes", "batch"), [((64,), 5, 128), ((7, 7, 1280), 5, 128), ((1,), 2, 1)])
def test_the_originals_shapes(bottleneck: Shape, classes: int, batch: int, l2: float | None) -> None:
    """What the original's own tests ask of a softmax head: a base of 64 features, and MobileNetV2's."""
    params: list[Shape] = [(math.prod(bottleneck), classes), (classes,)]
    head = softmax_head(bottleneck, classes, batch, l2)
    sgd, adam = (graphs(head, optimizer) for optimizer in OPTIMIZERS.values())
    assert shapes(sgd["initialize"]) == ([()], params)
    assert shapes(sgd["train_head"]) == ([(batch, *bottleneck), (batch, classes), *params], [(), *params])
    assert shapes(sgd["inference"]) == ([(1, *bottleneck), *params], [(1, classes)])
    assert shapes(sgd["optimizer"]) == ([*params, *params], params)
    assert shapes(adam["optimizer"]) == ([*params * 4, ()], [*params * 3, ()])


def test_the_bases_shape_is_the_heads() -> None:
    base = GraphBuilder()
    base.output("out", base.op("RELU", [base.input("in", (-1, 8, 8, 3))], "out", (-1, 8, 8, 3)))
    options = ConversionOptions(
        Path("unused"), "adam", 5, 128, base_tflite=Path("base.tflite"), head_softmax=True, head_l2_reg=0.1
    )
    files = build(write(base.model("base")), options)
    assert list(files) == ["initialize", "bottleneck", "train_head", "inference", "optimizer"]
    assert shapes(files["bottleneck"]) == ([(1, 8, 8, 3)], [(1, 8, 8, 3)])
    expected = graphs(softmax_head((8, 8, 3), 5, 128, 0.1), Adam())
    for role, content in expected.items():
        assert described(files[role]) == described(content)


def described(content: bytes) -> Any:
    """Names, shapes and where they are free, types, constants, and operators with their wiring."""
    graph = read(content).main
    tensors = [
        (t.name, t.shape, t.free_shape, t.type, None if t.data is None else t.data.tolist()) for t in graph.tensors
    ]
    operators = [(o.opcode, o.inputs, o.outputs, dict(o.options)) for o in graph.operators]
    return tensors, operators, graph.inputs, graph.outputs


def named(prefix: str = "") -> dict[str, Shape]:
    """The parameters of 12 features and 5 classes, in order."""
    return {f"{prefix}ws": (12, 5), f"{prefix}bs": (5,)}


X = {"bottleneck": (-1, 4, 3)}
SIDES: dict[str, tuple[dict[str, Shape], dict[str, Shape]]] = {
    "initialize": ({"zero": ()}, named()),
    "train_head": ({**X, "labels": (-1, 5), **named()}, {"loss": (), **named("grad_")}),
    "inference": ({**X, **named()}, {"output": (-1, 5)}),
    "optimizer": ({**named(), **named("grad_")}, named("new_")),
}
ADAM_SIDES = {
    **SIDES,
    "optimizer": (
        {**named(), **named("grad_"), **named("m_"), **named("v_"), "step": ()},
        {**named("new_"), **named("new_m_"), **named("new_v_"), "new_step": ()},
    ),
}


@pytest.mark.parametrize("l2", [None, 0.1])
@pytest.mark.parametrize(("optimizer", "expected"), [("sgd", SIDES), ("adam", ADAM_SIDES)], ids=OPTIMIZERS)
def test_names_positions_and_free_sizes(optimizer: str, expected: Any, l2: float | None) -> None:
    files = graphs(softmax_head((4, 3), 5, 20, l2), OPTIMIZERS[optimizer])
    assert list(files) == list(expected)
    for role, (inputs, outputs) in expected.items():
        interpreter = loaded(files[role])
        sides = interpreter.get_input_details(), interpreter.get_output_details()
        for details, wanted in zip(sides, (inputs, outputs), strict=True):
            # LiteRT may leave the signature of a tensor of fixed shape empty.
            found = [
                (d["name"], tuple(d["shape_signature"] if len(d["shape_signature"]) else d["shape"])) for d in details
            ]
            assert found == list(wanted.items())
        assert interpreter.get_signature_list() == {role: {"inputs": sorted(inputs), "outputs": sorted(outputs)}}


@pytest.mark.parametrize("l2", [None, 0.1])
@pytest.mark.parametrize("bottleneck", [(12,), (4, 3)], ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_only_builtin_operators(optimizer: str, bottleneck: Shape, l2: float | None) -> None:
    files = graphs(softmax_head(bottleneck, 5, 20, l2), OPTIMIZERS[optimizer])
    for role, content in files.items():
        operators = read(content).main.operators
        assert operators
        assert all(o.custom_code is None for o in operators)
        assert {o.opcode for o in operators} <= BUILTINS[role]


def test_the_parameters_begin_with_what_initialize_is_given() -> None:
    content = graphs(softmax_head((64,), 5, 20), SGD(0.1))["initialize"]
    assert len(content) < 2000  # the zeros are made, not stored
    for value in (0.0, 1.5):
        ws, bs = run(content, np.float32(value))
        np.testing.assert_array_equal(ws, np.full((64, 5), value, np.float32))
        np.testing.assert_array_equal(bs, np.full(5, value, np.float32))


def problem(b: int, shape: Shape, c: int) -> tuple[Array, Array, Array, Array]:
    """Bottlenecks, soft labels, ws, bs."""
    rng = np.random.default_rng(b)
    y = rng.random((b, c), np.float32) ** 3
    ws = rng.standard_normal((math.prod(shape), c), np.float32) / np.float32(np.sqrt(math.prod(shape)))
    return (
        rng.standard_normal((b, *shape), np.float32), y / y.sum(axis=1, keepdims=True), ws,
        rng.standard_normal(c, np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("l2", [None, 0.1])
@pytest.mark.parametrize("examples", [1, 7, 20, 128])
def test_the_gradient_is_divided_by_the_batch_that_comes(examples: int, l2: float | None) -> None:
    content = graphs(softmax_head((4, 3), 5, 20, l2), SGD(0.1))["train_head"]
    x, y, ws, bs = problem(examples, (4, 3), 5)
    found = dict(zip(("loss", "grad_ws", "grad_bs"), run(content, x, y, ws, bs), strict=True))
    decay = {} if l2 is None else {"l2": float(np.float32(l2)), "l2/twice": float(np.float32(2 * l2))}
    exact = training.gradients(decay, {"ws": ws, "bs": bs}, x.reshape(examples, 12), y)
    for name, value in found.items():
        assert training.needed(value, exact[name]) <= (LOSS_C if name == "loss" else GRADIENT_C), name


def test_l2_is_in_the_loss_and_in_the_weights_gradient_only() -> None:
    inputs = problem(20, (4, 3), 5)
    ws, l2 = inputs[2], 0.5  # a power of two: products with it are exact
    plain, decayed = (run(graphs(softmax_head((4, 3), 5, 20, x), SGD(0.1))["train_head"], *inputs) for x in (None, l2))
    np.testing.assert_array_equal(decayed[1], plain[1] + ws)  # 2 l2 w, not divided by the batch
    np.testing.assert_array_equal(decayed[2], plain[2])
    squares = l2 * np.vdot(ws.astype(np.float64), ws.astype(np.float64))
    extra = float(decayed[0]) - float(plain[0])
    assert abs(extra - squares) <= LOSS_C * training.UNIT * (squares + float(decayed[0]))  # seen: c = 0.3


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_l2_is_not_in_the_optimizer(optimizer: str) -> None:
    one, other = (graphs(softmax_head((12,), 5, 20, l2), OPTIMIZERS[optimizer])["optimizer"] for l2 in (None, 0.1))
    assert one == other


def test_zero_l2_is_given_l2() -> None:
    """As in the original: 0 adds terms that are 0, None adds none."""
    inputs = problem(20, (12,), 5)
    files = [graphs(softmax_head((12,), 5, 20, l2), SGD(0.1))["train_head"] for l2 in (None, 0.0)]
    assert len(read(files[1]).main.operators) == len(read(files[0]).main.operators) + 6
    for plain, zero in zip(*(run(content, *inputs) for content in files), strict=True):
        np.testing.assert_array_equal(plain, zero)


@pytest.mark.parametrize("examples", [1, 7])
def test_inference_takes_any_batch(examples: int) -> None:
    content = graphs(softmax_head((4, 3), 5, 20), SGD(0.1))["inference"]
    x, _, ws, bs = problem(examples, (4, 3), 5)
    (p,) = run(content, x, ws, bs)
    z = x.reshape(examples, 12).astype(np.float64) @ ws + bs
    exact = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, exact, rtol=2e-6)  # seen: 2.4e-7
