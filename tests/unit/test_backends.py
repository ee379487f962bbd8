"""Both backends alike: positions before names, any batch, one way to refuse a wrong array; all that lacks at once."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.diagnostics.wrong_files import forgetful
from tflite_transfer import TransferLearningModel
from tflite_transfer.backends import numpy as numpy_backend
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import one_hot
from tflite_transfer.backends.graphs import GraphBackend as Backend
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.head import softmax
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.bundle import bundle, load_bundle
from tflite_transfer.reference.tflite.errors import BundleError, ModelError, ShapeError, UnsupportedOpError
from tflite_transfer.reference.tflite.graph import Model
from tflite_transfer.reference.tflite.writer import write

BACKENDS = ("numpy", "tflite")
RNG = np.random.default_rng(2)
X, IMAGES = RNG.random((5, 48), np.float32), RNG.random((3, 4, 4, 3), np.float32)
Y = one_hot(np.arange(5) % 3, 3)


def baked(sizes: list[int], image: tuple[int, ...] = (-1, 4, 4, 3)) -> bytes:
    """A base that takes the softmax over an image's pixels, its RESHAPE to ``sizes`` baked in."""
    g = GraphBuilder()
    shape = g.constant("sizes", np.array(sizes, np.int32))
    flat = g.op("RESHAPE", [g.input("image", image), shape], "flat", (1, 48), new_shape=sizes)
    g.output("out", g.op("SOFTMAX", [flat], "out", (1, 48), beta=1.0))
    return write(g.model("base"))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "base",
    [baked([1, 48]), baked([1, -1]), baked([-1, 48]), baked([-1, 48], (1, 4, 4, 3))],
    ids=["one row", "one row of any size", "any batch", "image of one row"],
)
def test_any_batch_whatever_is_baked_in(backend: str, base: bytes, tmp_path: Path) -> None:
    """A signature that leaves the batch free is no promise."""
    (tmp_path / "base.tflite").write_bytes(base)
    options = ConversionOptions(
        out_model_dir=tmp_path / "model", optimizer="adam", base_tflite=tmp_path / "base.tflite", head_softmax=True
    )
    folder = convert(options)
    runs = open_backend(backend, load_bundle(folder))
    for count in (1, 3, 1, 2):
        expected = softmax(IMAGES[:count].reshape(count, -1))
        np.testing.assert_allclose(runs.bottlenecks(IMAGES[:count]), expected, rtol=1e-5)
    with TransferLearningModel(folder, list("abcd"), backend=backend) as model:
        assert len(model.predict_batch(list(IMAGES))) == 3
        assert model.evaluate([(image, "a") for image in IMAGES]).samples == 3


def nameless(model: Model) -> Model:
    """All tensors of one name, no signature, no metadata: what a stripped file looks like."""
    tensors = tuple(replace(t, name="t") for t in model.main.tensors)
    return replace(model, subgraphs=(replace(model.main, tensors=tensors),), signatures=(), metadata={})


def a_step(backend: Backend, slots: Mapping[str, Any]) -> list[Any]:
    params, _ = backend.initialize()
    loss, grads = backend.gradients(params, X, Y)
    new, state = backend.update(params, grads, slots)
    found = [backend.bottlenecks(IMAGES), loss, *grads.values(), *new.values(), *state.values()]
    return [*found, backend.predict(new, X)]


@pytest.mark.parametrize("matched", [True, False], ids=["kernels", "interpreter"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_positions_count_and_names_do_not(
    optimizer: str, matched: bool, tiny_models: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = load_bundle(tiny_models[optimizer])
    stripped = bundle({role: write(nameless(model)) for role, model in files.models.items()})
    if not matched:
        monkeypatch.setattr(numpy_backend, "recognize", lambda _: numpy_backend.Recognized(None, None, False))
    results = []
    for name, five in (("numpy", files), ("numpy", stripped), ("tflite", stripped)):
        slots = {k: np.zeros(shape, np.float32) for k, shape in five.slots.items()}
        results.append(a_step(open_backend(name, five), slots))
    for named, ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, named)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_of_another_shape_than_declared(backend: str, tiny_model: Path) -> None:
    """LiteRT and the interpreter go by the FILL's constant, 6 here, and never look at what the file declares."""
    files = load_bundle(tiny_model)
    initialize = files.models["initialize"]
    tensors = [replace(t, data=np.array([6], np.int32)) if t.name == "bs/shape" else t for t in initialize.main.tensors]
    wrong = replace(initialize, subgraphs=(replace(initialize.main, tensors=tuple(tensors)),))
    runs = open_backend(backend, bundle({**files.contents, "initialize": write(wrong)}))
    with pytest.raises(BundleError, match=r"declares bs as float32 \(3,\), but gives float32 \(6,\)"):
        runs.initialize()


PARAMS = {"ws": np.zeros((48, 3), np.float32), "bs": np.zeros(3, np.float32)}
CLASSES, BATCHES = np.arange(5) % 3, np.array([[0, 1], [4, 2]])
WRONG: dict[str, tuple[Callable[[Backend], object], str]] = {
    "features": (lambda b: b.predict(PARAMS, X[:, 1:]), r"bottlenecks must be .* \(B, 48\), but is float32 \(5, 47\)"),
    "no rows": (lambda b: b.predict(PARAMS, X[:0]), r"\(B, 48\), but is float32 \(0, 48\)"),
    "float64": (lambda b: b.gradients(PARAMS, X.astype(float), Y), r"\(B, 48\), but is float64 \(5, 48\)"),
    "a list": (lambda b: b.predict(PARAMS, X.tolist()), r"but is list \(5, 48\)"),
    "image": (lambda b: b.bottlenecks(IMAGES[:, 1:]), r"images must be .*\(B, 4, 4, 3\), but is .*\(3, 3, 4, 3\)"),
    "one image": (lambda b: b.bottlenecks(IMAGES[0]), r"but is float32 \(4, 4, 3\)"),
    "bytes": (lambda b: b.bottlenecks(IMAGES.astype(np.uint8)), r"but is uint8 \(3, 4, 4, 3\)"),
    "labels": (lambda b: b.gradients(PARAMS, X, Y[:, :1]), r"labels must be float32 \(5, 3\), but is float32 \(5, 1\)"),
    "fewer labels": (lambda b: b.gradients(PARAMS, X, Y[:4]), r"\(5, 3\), but is float32 \(4, 3\)"),
    "parameter": (lambda b: b.predict({**PARAMS, "bs": Y}, X), r"params\['bs'\] must be float32 \(3,\), but is"),
    "parameters": (lambda b: b.predict({"ws": X}, X), r"params must hold \['bs', 'ws'\], but holds \['ws'\]"),
    "gradient": (lambda b: b.update(PARAMS, {**PARAMS, "ws": X}, {}), r"grads\['ws'\] must be float32 \(48, 3\)"),
    "slots": (lambda b: b.update(PARAMS, PARAMS, PARAMS), r"slots must hold \[\], but holds \['bs', 'ws'\]"),
    "samples": (lambda b: b.train(PARAMS, {}, X[:, 1:], CLASSES, BATCHES), r"\(N, 48\), but is float32 \(5, 47\)"),
    "double": (lambda b: b.train(PARAMS, {}, X.astype(float), CLASSES, BATCHES), "but is float64"),
    "classes": (lambda b: b.train(PARAMS, {}, X, CLASSES[:4], BATCHES), r"classes must be integers \(5,\), but is int"),
    "a class": (lambda b: b.train(PARAMS, {}, X, CLASSES + 1, BATCHES), "classes must be 0 to 2, but goes from 1 to 3"),
    "a row": (lambda b: b.train(PARAMS, {}, X, CLASSES, BATCHES - 1), "batches must be 0 to 4, but goes from -1 to 3"),
    "rows": (lambda b: b.train(PARAMS, {}, X, CLASSES, 1.0 * BATCHES), r"must be integers \(K, B\), but is float64"),
}  # fmt: skip


@pytest.fixture(scope="module")
def opened(tiny_models: Mapping[str, Path]) -> dict[str, Backend]:
    return {name: open_backend(name, load_bundle(tiny_models["sgd"])) for name in BACKENDS}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_refused_alike(case: str, backend: str, opened: Mapping[str, Backend]) -> None:
    call, message = WRONG[case]
    with pytest.raises(ShapeError, match=message):
        call(opened[backend])


def test_litert_changes_no_size_that_the_file_fixes(upstream_models: Mapping[str, Path]) -> None:
    """The original converter bakes the training batch in, 5 here; LiteRT by itself resizes whatever it is told to."""
    runs = open_backend("tflite", load_bundle(upstream_models["sgd"]))
    x, y = np.zeros((4, 12), np.float32), np.zeros((4, 4), np.float32)
    with pytest.raises(ShapeError, match=r"cannot run train_head\.tflite on these inputs: Attempting to resize"):
        runs.gradients(runs.initialize()[0], x, y)


@pytest.mark.parametrize(
    ("backend", "told"),
    [("numpy", "without a value: m_hidden/bias, m_hidden/weights, "), ("tflite", "variable != nullptr was not true")],
)
def test_variables_that_nothing_assigns_are_refused(backend: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        open_backend(backend, forgetful("CALL_ONCE")).initialize()


def test_all_missing_operators_of_all_files_are_named_at_once(tiny_model: Path) -> None:
    files = load_bundle(tiny_model)
    contents = dict(files.contents)
    for role, opcode in (
        ("bottleneck", "CONCAT_EMBEDDINGS"),
        ("inference", "SKIP_GRAM"),
        ("optimizer", "CONCAT_EMBEDDINGS"),
    ):
        model = files.models[role]
        first, *rest = model.main.operators
        strange = replace(first, opcode=opcode, inputs=first.inputs[:1], options={}, options_table="NONE")
        contents[role] = write(replace(model, subgraphs=(replace(model.main, operators=(strange, *rest)),)))
    with pytest.raises(UnsupportedOpError) as caught:
        open_backend("numpy", bundle(contents))
    assert caught.value.missing == ("CONCAT_EMBEDDINGS", "SKIP_GRAM")
    for role, opcode in (
        ("bottleneck", "CONCAT_EMBEDDINGS"),
        ("inference", "SKIP_GRAM"),
        ("optimizer", "CONCAT_EMBEDDINGS"),
    ):
        assert f"{role}.tflite needs the operator(s) {opcode}" in str(caught.value)
