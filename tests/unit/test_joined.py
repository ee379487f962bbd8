"""Steps joined into one LiteRT graph are those of the two files, bit for bit; what cannot be joined runs apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import OpResolverType

from tests.cases import Head
from tests.small_networks import head
from tflite_transfer.backends.base import Steps
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.backends.joined import joinable, joined, steps_in_a_row
from tflite_transfer.backends.tflite import TFLiteBackend
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.converter.training.optimizers import SGD, Adam
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.bundle import Bundle, bundle, load_bundle
from tflite_transfer.reference.tflite.errors import ShapeError
from tflite_transfer.reference.tflite.graph import Model, Operator, Tensor
from tflite_transfer.reference.tflite.verify import verify
from tflite_transfer.reference.tflite.writer import write

STEPS = 7  # four in a row and three more


class Apart(TFLiteBackend):
    """The two files one after the other."""

    _train = GraphBackend._train


def trained(backend: GraphBackend, examples: int | None = None, integers: str = "int64", order: Any = "C") -> Steps:
    """Some steps from where Adam has been before."""
    files, rng = backend.bundle, np.random.default_rng(3)
    params = {k: rng.standard_normal(shape, np.float32) for k, shape in files.parameters.items()}
    slots = {k: np.asarray(rng.random(shape, np.float32), order=order) for k, shape in files.slots.items()}
    x = np.asarray(rng.random((40, files.features), np.float32), order=order)
    batches = rng.integers(0, len(x), (STEPS, examples or files.batch)).astype(integers)
    return backend.train(params, slots, x, rng.integers(0, files.classes, len(x)).astype(integers), batches)


def assert_same(found: Steps, expected: Steps) -> None:
    np.testing.assert_array_equal(found.losses, expected.losses)
    for tree, other in ((found.params, expected.params), (found.slots, expected.slots)):
        assert list(tree) == list(other)
        for name, value in tree.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.fixture(scope="module")
def models(
    tiny_models: Mapping[str, Path], upstream_models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Bundle]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "head.tflite").write_bytes(head(48))
    (folder / "base.tflite").write_bytes(load_bundle(tiny_models["sgd"]).contents["bottleneck"])
    own = ConversionOptions(
        folder / "model", "adam", base_tflite=folder / "base.tflite", head_tflite=folder / "head.tflite",
        train_batch_size=5,
    )  # fmt: skip
    found = {name: load_bundle(path) for name, path in tiny_models.items()}
    found |= {f"upstream {name}": load_bundle(path) for name, path in upstream_models.items()}
    found["own head"] = load_bundle(convert(own))
    found["large"] = Head("adam", 0.01, 4, 62_720, 20).bundle(Adam())
    found["wide"] = Head("sgd", 0.01, 100, 7, 20).bundle(SGD(0.1))
    return found


MODELS = ("sgd", "adam", "upstream sgd", "upstream sgd_l2", "upstream adam", "own head", "wide", "large")


@pytest.mark.parametrize("name", MODELS)
def test_joined_steps_are_the_two_files(
    name: str, models: Mapping[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = models[name]
    expected = trained(Apart(files, 1))
    together = TFLiteBackend(files, 1)
    monkeypatch.setattr(TFLiteBackend, "run", None)  # no file by itself
    assert_same(trained(together), expected)
    assert_same(trained(together), expected)  # nothing is left from before


@pytest.mark.parametrize("name", MODELS)
def test_any_batch_that_the_file_takes(name: str, models: Mapping[str, Bundle]) -> None:
    files = models[name]
    if name.startswith("upstream"):
        with pytest.raises(ShapeError, match=r"cannot run train_head\.tflite on these inputs: Attempting to resize"):
            trained(TFLiteBackend(files, 1), 3)
        return
    apart, together = Apart(files, 1), TFLiteBackend(files, 1)
    for examples in (3, None, 1):
        assert_same(trained(together, examples), trained(apart, examples))


@pytest.mark.parametrize("integers", ["int32", "uint64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_integers_and_any_strides(integers: str, order: str, models: Mapping[str, Bundle]) -> None:
    files = models["upstream adam"]
    assert_same(trained(TFLiteBackend(files, 1), None, integers, order), trained(Apart(files, 1)))


def test_small_steps_go_in_rows_and_large_ones_alone(models: Mapping[str, Bundle]) -> None:
    assert [steps_in_a_row(models[name]) for name in ("sgd", "upstream adam", "large")] == [4, 4, 1]


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_is_whole(name: str, models: Mapping[str, Bundle]) -> None:
    assert joinable(models[name])
    verify(joined(models[name], 3))


def test_threads_take_turns(models: Mapping[str, Bundle]) -> None:
    expected, together = trained(Apart(models["adam"], 1)), TFLiteBackend(models["adam"], 1)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: trained(together), range(20)):
            assert_same(found, expected)


def with_train_head(files: Bundle, model: Model) -> Bundle:
    content = write(replace(model, metadata=files.models["train_head"].metadata))
    return bundle({**files.contents, "train_head": content})


def test_random_numbers_are_drawn_run_after_run(models: Mapping[str, Bundle]) -> None:
    """Four copies of the operator would each begin anew."""
    model = models["sgd"].models["train_head"]
    g = GraphBuilder(model.main)
    drawn = g.op("RANDOM_UNIFORM", [g.constant("three", np.array([3], np.int32))], "drawn", (3,), seed=1, seed2=2)
    *others, last = model.main.outputs
    noisy = g.op("ADD", [last, drawn], "noisy", (3,), pot_scale_int16=True)
    graph = replace(model.main, tensors=tuple(g.tensors), operators=tuple(g.operators), outputs=(*others, noisy))
    files = with_train_head(models["sgd"], replace(model, subgraphs=(graph,), signatures=()))
    expected = trained(Apart(files, 1))
    assert len(set(expected.losses)) == STEPS
    assert_same(trained(TFLiteBackend(files, 1)), expected)


def one(tensor: Callable[[Tensor], Tensor]) -> Callable[[Model], Model]:
    """A model whose last tensor is another."""

    def changed(model: Model) -> Model:
        *rest, last = model.main.tensors
        return replace(model, subgraphs=(replace(model.main, tensors=(*rest, tensor(last))),))

    return changed


def through(model: Model) -> Model:
    """The first output is the last input."""
    outputs = (model.main.inputs[-1], *model.main.outputs[1:])
    return replace(model, subgraphs=(replace(model.main, outputs=outputs),))


def custom(model: Model) -> Model:
    *rest, last = model.main.operators
    unknown = Operator("CUSTOM", last.inputs, last.outputs, custom_code="Unknown")
    return replace(model, subgraphs=(replace(model.main, operators=(*rest, unknown)),))


APART: dict[str, Callable[[Model], Model]] = {
    "sub-graphs": lambda m: replace(m, subgraphs=(m.main, m.main)),
    "a variable": one(lambda t: replace(t, is_variable=True)),
    "a table": one(lambda t: replace(t, type="RESOURCE")),
    "an output that is an input": through,
    "an input twice": lambda m: replace(m, subgraphs=(replace(m.main, inputs=m.main.inputs[:1] * 4),)),
    "an output twice": lambda m: replace(m, subgraphs=(replace(m.main, outputs=m.main.outputs[:1] * 3),)),
    "a custom operator": custom,
}


@pytest.mark.parametrize("what", APART)
@pytest.mark.parametrize("role", ["train_head", "optimizer"])
def test_what_cannot_be_joined(role: str, what: str, models: Mapping[str, Bundle]) -> None:
    files = models["adam"]
    assert not joinable(replace(files, models={**files.models, role: APART[what](files.models[role])}))


def test_what_lies_between_the_files_keeps_its_memory() -> None:
    """Without delegates LiteRT would write ws's step over bs's gradient, whose memory it thinks free: bs is wrong.

    https://github.com/google-ai-edge/LiteRT/issues/8889
    """
    g = GraphBuilder(batch=5)
    x, y, ws, bs = g.input("x", (-1, 1)), g.input("y", (-1, 2)), g.input("ws", (1, 2)), g.input("bs", (2,))
    grad = g.op("ADD", [g.op("MUL", [bs, bs], "squares", (2,)), bs], "grad_bs", (2,))
    shape = g.constant("shape", np.array([1, 2], np.int32))
    told = g.op("MUL", [g.op("MUL", [x, ws], "product", (-1, 2)), y], "told", (-1, 2))
    g.output("loss", g.op("MEAN", [told, g.constant("axes", np.array([0, 1], np.int32))], "loss", ()))
    g.output("grad_ws", g.op("RESHAPE", [grad, shape], "grad_ws", (1, 2), new_shape=[1, 2]))
    g.output("grad_bs", grad)
    model = joined(with_train_head(Head("sgd", None, 2, 1, 5).bundle(SGD(0.1)), g.model("train_head")), 3)
    rng = np.random.default_rng(0)
    values = [rng.random(model.main.tensors[i].shape, np.float32) for i in model.main.inputs]
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    litert: Any = LiteRT(model_content=write(model), num_threads=1, experimental_op_resolver_type=plain)
    litert.allocate_tensors()
    for detail, value in zip(litert.get_input_details(), values, strict=True):
        litert.set_tensor(detail["index"], value)
    litert.invoke()
    expected = Interpreter(model).call(*values)
    for detail, value in zip(litert.get_output_details(), expected, strict=True):
        np.testing.assert_allclose(litert.get_tensor(detail["index"]), value, rtol=1e-6)  # 6e-8: a sum's order
