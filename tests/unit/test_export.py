"""Exporting: what is put together computes the same, and the file says what the model says, with labels."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small_networks import cnn, head
from tflite_transfer import TransferLearningModel
from tflite_transfer.backends import open_backend
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.deployment.export import exported, exported_content
from tflite_transfer.converter.deployment.folding import folded
from tflite_transfer.converter.deployment.fusing import fused
from tflite_transfer.converter.deployment.labels import KEY, SCHEMA, model_metadata
from tflite_transfer.converter.expressions import (
    Expression,
    Graph,
    conv_2d,
    depthwise_conv_2d,
    matmul,
    maximum,
    reshape,
    transpose,
)
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.parity import compared
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.decode import decode
from tflite_transfer.state import load_state

RNG = np.random.default_rng(0)
W, V, D, B, S = (RNG.normal(size=s).astype(np.float32) for s in ((5, 3, 3, 4), (4, 6), (1, 3, 3, 4), (5,), (4,)))


def function(make: Callable[[Graph, Expression], Expression], shape: tuple[int, ...] = (2, 6, 6, 4)) -> Function:
    g = Graph()
    x = g.argument("x", shape)
    return Function(g, x.number, {}, make(g, x).number)


def run(f: Function, x: np.ndarray) -> np.ndarray:
    f.graph.outputs = {"y": f.output}
    return Interpreter(f.graph.model("run"), jit=False).run("run", x=x)["y"]


def dense(g: Graph, x: Expression) -> Expression:
    return matmul(x, g.literal(V)) + g.literal(np.arange(6, dtype=np.float32))


def pixels(g: Graph, x: Expression) -> Expression:
    return reshape(dense(g, reshape(x, (-1, 4))), (2, 6, 6, 6))


def norm(y: Expression, channels: int) -> Expression:
    g, vector = y.graph, np.linspace(0.5, 2, channels, dtype=np.float32)
    return y * g.literal(vector) + g.literal(-vector)


def relu(y: Expression) -> Expression:
    return y.graph.write("RELU", [y], y.shape)


TOGETHER: dict[str, tuple[Callable[[Graph, Expression], Expression], tuple[int, ...], list[str]]] = {
    "a product": (lambda g, x: matmul(x, g.literal(V)), (2, 4), ["FULLY_CONNECTED"]),
    "a product by the transpose": (
        lambda g, x: matmul(x, g.literal(V.T.copy()), adj_y=True), (2, 4), ["FULLY_CONNECTED"],
    ),
    "a product of sequences": (lambda g, x: matmul(x, g.literal(V)), (2, 3, 4), ["FULLY_CONNECTED"]),
    "a dense layer": (dense, (2, 4), ["FULLY_CONNECTED"]),
    "a dense layer and its activation": (lambda g, x: relu(dense(g, x)), (2, 4), ["FULLY_CONNECTED"]),
    "a 1 x 1 convolution": (pixels, (2, 6, 6, 4), ["CONV_2D"]),
    "a convolution and a batch norm": (lambda g, x: norm(conv_2d(x, g.literal(W)), 5), (2, 6, 6, 4), ["CONV_2D"]),
    "a convolution, a batch norm and RELU": (
        lambda g, x: relu(norm(conv_2d(x, g.literal(W), g.literal(B)), 5)), (2, 6, 6, 4), ["CONV_2D"],
    ),
    "a depthwise convolution and a batch norm": (
        lambda g, x: norm(depthwise_conv_2d(x, g.literal(D)), 4), (2, 6, 6, 4), ["DEPTHWISE_CONV_2D"],
    ),
    "a bias that is taken away": (
        lambda g, x: conv_2d(x, g.literal(W)) - g.literal(B), (2, 6, 6, 4), ["CONV_2D"],
    ),
    "a 1 x 1 convolution and a batch norm": (lambda g, x: norm(pixels(g, x), 6), (2, 6, 6, 4), ["CONV_2D"]),
    "filters that are computed": (
        lambda g, x: conv_2d(x, transpose(g.literal(W.transpose(1, 2, 3, 0).copy()), (3, 0, 1, 2))), (2, 6, 6, 4),
        ["CONV_2D"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOGETHER)
def test_what_is_put_together_computes_the_same(case: str) -> None:
    make, shape, opcodes = TOGETHER[case]
    x = RNG.normal(size=shape).astype(np.float32)
    made = fused(folded(function(make, shape)))
    assert [o.opcode for o in made.graph.operators] == opcodes
    expected = run(function(make, shape), x)
    apart = np.abs(run(made, x) - expected).max() / np.abs(expected).max() * 2**24
    assert apart < 12  # 0 to 5.3


def two_readers(g: Graph, x: Expression) -> Expression:
    y = conv_2d(x, g.literal(W))
    return y * g.literal(B) + y


def after_relu(g: Graph, x: Expression) -> Expression:
    y = conv_2d(x, g.literal(W))
    g.operators[-1] = g.operators[-1].__class__(
        **{**vars(g.operators[-1]), "options": {**g.operators[-1].options, "fused_activation_function": 1}}
    )
    return y * g.literal(B)


APART: dict[str, tuple[Callable[[Graph, Expression], Expression], int]] = {
    "a layer with two readers": (two_readers, 3),
    "a scale behind a fused activation": (after_relu, 2),
    "a scale by the row and not by the channel": (
        lambda g, x: conv_2d(x, g.literal(W)) * g.literal(np.ones((4, 1), np.float32) * 2), 2,
    ),
    "a number minus the layer": (lambda g, x: 1.0 - conv_2d(x, g.literal(W)), 2),
    "the larger of two": (lambda g, x: maximum(conv_2d(x, g.literal(W)), g.literal(B)), 2),
    "a product of two inputs": (lambda _, x: matmul(reshape(x, (12, 24)), reshape(x, (24, 12))), 3),
}  # fmt: skip


@pytest.mark.parametrize("case", APART)
def test_what_is_no_part_of_the_layer_stays(case: str) -> None:
    make, count = APART[case]
    x = RNG.normal(size=(2, 6, 6, 4)).astype(np.float32)
    made = fused(folded(function(make)))
    assert len(made.graph.operators) == count
    np.testing.assert_array_equal(run(made, x), run(function(make), x))


# ---- whole models


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """A model of each kind that images go into, and a state that it learned."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "cnn.tflite").write_bytes(cnn())
    (folder / "head.tflite").write_bytes(head(64))
    common = {"optimizer": "adam", "base_tflite": folder / "cnn.tflite", "base_layer": "flat/rows", "num_classes": 3}
    softmax, own = {"head_softmax": True}, {"head_tflite": folder / "head.tflite"}
    made = {
        "network": make_trainable(cnn(), folder / "network.tflite", TrainingOptions(batch_size=4)),
        "five files": convert(ConversionOptions(folder / "five", **common, **softmax)),
        "five files, own head": convert(ConversionOptions(folder / "own", **common, **own)),
        "base and head": convert(ConversionOptions(None, **common, **softmax, one_file=folder / "one.tflite")),
        "base and own head": convert(ConversionOptions(None, **common, **own, one_file=folder / "two.tflite")),
    }
    states = {}
    images = np.random.default_rng(1).random((24, 8, 8, 3), np.float32)
    for kind, path in made.items():
        with TransferLearningModel(path, ["a", "b", "c"], seed=1, num_threads=1) as model:
            model.add_samples((image, "abc"[n % 3]) for n, image in enumerate(images))
            model.train(3).result()
            states[kind] = path, folder / f"{path.stem}.safetensors"
            model.save(states[kind][1])
    return states


KINDS = ("network", "five files", "five files, own head", "base and head", "base and own head")


@pytest.mark.parametrize("backend", ["numpy", "tflite"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_file_says_what_the_model_says(kind: str, backend: str, trained: Any) -> None:
    path, state = trained[kind]
    model = load_trainable(path)
    learned = load_state(state, model)
    x = np.random.default_rng(2).random((9, 8, 8, 3), np.float32)
    content = exported_content(model, learned.params)
    found = compared(model, dict(learned.params), content, x, backend)
    assert found.agreement == 1
    assert found.worst < 1e-6  # 1.2e-7
    first = dict(open_backend(backend, model).initialize()[0])
    assert compared(model, first, content, x, backend).worst > 1e-3  # what was learned is in the file


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_an_ordinary_one(kind: str, trained: Any) -> None:
    path, state = trained[kind]
    model = load_trainable(path)
    made = exported(model, load_state(state, model).params)
    opcodes = [o.opcode for o in made.main.operators]
    expected = ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert [o for o in opcodes if o not in ("MUL", "RELU")] == (
        expected if "own" not in kind else [*expected[:-1], "FULLY_CONNECTED", "SOFTMAX"]
    )
    image, output = (made.main.tensors[i] for i in (made.main.inputs[0], made.main.outputs[0]))
    assert (image.name, image.shape, output.name, output.shape) == ("image", (1, 8, 8, 3), "output", (1, 3))


def test_labels_are_packed_behind_the_file(trained: Any) -> None:
    path, state = trained["network"]
    model = load_trainable(path)
    params = load_state(state, model).params
    content = exported_content(model, params, ["katze", "hund", "mücke"])
    assert content == exported_content(model, params, ["katze", "hund", "mücke"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.read("labels.txt").decode() == "katze\nhund\nmücke\n"
    told = decode(read(content).metadata[KEY], "metadata", SCHEMA)
    (graph,) = told["subgraph_metadata"]
    (output,) = graph["output_tensor_metadata"]
    assert [(f["name"], f["type"]) for f in output["associated_files"]] == [("labels.txt", 2)]
    assert "associated_files" not in exported_content(model, params)[-400:].decode("latin1")


@pytest.mark.parametrize(("limits", "mean", "std"), [((0, 1), 0, 255), ((-1, 1), 127.5, 127.5), ((0, 255), 0, 1)])
def test_how_an_image_is_taken(limits: tuple[float, float], mean: float, std: float) -> None:
    told = decode(model_metadata(3, limits, labels=False), "metadata", SCHEMA)
    (image,) = told["subgraph_metadata"][0]["input_tensor_metadata"]
    (unit,) = image["process_units"]
    assert (unit["options"]["mean"].tolist(), unit["options"]["std"].tolist()) == ([mean], [std])
    assert image["content"]["content_properties"]["color_space"] == 1
