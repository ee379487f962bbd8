"""The conversion from a .tflite base: names, cuts and pooling, the same bytes again, nothing left after a failure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_transfer.converter.convert import build, convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.bundle import ROLES, bundle, load_bundle
from tflite_transfer.reference.tflite.errors import BundleError, ModelError, OptionError, OutputExistsError
from tflite_transfer.reference.tflite.metadata import metadata
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.writer import write

RNG = np.random.default_rng(5)
FILTERS = RNG.normal(size=(6, 3, 3, 3)).astype(np.float32)


def base_graph(image: tuple[int, ...] = (-1, 8, 8, 3)) -> GraphBuilder:
    """Image -> convolution -> relu -> (1, 4, 4, 6), with a constant that only the last operator uses."""
    g = GraphBuilder()
    x = g.input("input", image)
    window = {"padding": 0, "stride_h": 2, "stride_w": 2, "dilation_h_factor": 1, "dilation_w_factor": 1}
    inputs = [x, g.constant("filters", FILTERS), g.constant("bias", np.arange(6, dtype=np.float32))]
    conv = g.op("CONV_2D", inputs, "conv", (image[0], 4, 4, 6), **window)
    relu = g.op("RELU", [conv], "relu", (image[0], 4, 4, 6))
    g.output("out", g.op("MUL", [relu, g.constant("scale", np.float32(3))], "scaled", (image[0], 4, 4, 6)))
    return g


BASE = write(base_graph().model("serve"))


def options(**changed: Any) -> ConversionOptions:
    given: dict[str, Any] = {
        "out_model_dir": Path("unused"), "optimizer": "adam", "base_tflite": Path("base.tflite"), "head_softmax": True,
        **changed,
    }  # fmt: skip
    return ConversionOptions(**given)


def test_names_signatures_and_metadata() -> None:
    files = bundle(build(BASE, options(class_names=("a", "b", "c", "d"))))
    names = {
        role: (tuple(m.signatures[0].inputs), tuple(m.signatures[0].outputs), m.signatures[0].key)
        for role, m in files.models.items()
    }
    params, state = ("ws", "bs"), ("m_ws", "m_bs", "v_ws", "v_bs", "step")
    grads = ("grad_ws", "grad_bs")
    assert names == {
        "initialize": (("zero",), params, "initialize"),
        "bottleneck": (("image",), ("bottleneck",), "bottleneck"),
        "train_head": (("bottleneck", "labels", *params), ("loss", *grads), "train_head"),
        "inference": (("bottleneck", *params), ("output",), "inference"),
        "optimizer": (
            (*params, *grads, *state),
            ("new_ws", "new_bs", *(f"new_{s}" for s in state)),
            "optimizer",
        ),
    }
    for model in files.models.values():  # positions, and tensor names, are those of the signature
        graph = model.main
        assert [graph.tensors[i].name for i in graph.inputs] == list(model.signatures[0].inputs)
        assert [graph.tensors[i].name for i in graph.outputs] == list(model.signatures[0].outputs)
    described = metadata(files.models["train_head"])
    assert described is not None
    assert described.role == "train_head"
    assert described.classes == ("a", "b", "c", "d")
    assert described.bottleneck_shape == (4, 4, 6) == files.bottleneck_shape
    assert described.head == {"type": "softmax", "classes": 4, "batch": 20, "l2": None}
    assert described.optimizer == {
        "type": "adam", "learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
    }  # fmt: skip
    assert len(described.bundle) == 16


def test_the_same_bytes_again_and_another_id_for_anything_else() -> None:
    first = build(BASE, options())
    assert first == build(BASE, options())
    ids = {bundle(first).id}
    for changed in (
        {"num_classes": 5}, {"train_batch_size": 7}, {"head_l2_reg": 0.0}, {"adam_beta1": 0.8}, {"base_pooling": "avg"},
        {"base_layer": "relu"}, {"input_range": "-1,1"}, {"class_names": ("a", "b", "c", "d")},
    ):  # fmt: skip
        ids.add(bundle(build(BASE, options(**changed))).id)
    assert len(ids) == 9


@pytest.mark.parametrize("layer", [None, "scaled", "relu", "conv"])
@pytest.mark.parametrize("pooling", ["none", "avg"])
def test_cut_and_pooled_base_computes_that_layer(layer: str | None, pooling: str) -> None:
    image = RNG.random((3, 8, 8, 3), np.float32)
    graph = base_graph()
    for name in ("conv", "relu"):
        graph.output(name, next(i for i, t in enumerate(graph.tensors) if t.name == name))
    whole = Interpreter(graph.model("all"), jit=False).run("all", input=image)
    expected = whole[{None: "out", "scaled": "out"}.get(layer, layer)]
    expected = expected.mean(axis=(1, 2)) if pooling == "avg" else expected
    cut = read(build(BASE, options(base_layer=layer, base_pooling=pooling))["bottleneck"])
    got = Interpreter(cut, jit=False).run("bottleneck", image=image)["bottleneck"]
    np.testing.assert_array_equal(got, expected)
    used = {i for o in cut.main.operators for i in (*o.inputs, *o.outputs)}
    assert used == set(range(len(cut.main.tensors))), "what a cut leaves unused goes"


def test_litert_runs_the_cut_base() -> None:
    from ai_edge_litert.interpreter import Interpreter as LiteRT

    image = RNG.random((2, 8, 8, 3), np.float32)
    content = build(BASE, options(base_pooling="avg"))["bottleneck"]
    theirs = LiteRT(model_content=content).get_signature_runner("bottleneck")(image=image)["bottleneck"]
    ours = Interpreter(content).run("bottleneck", image=image)["bottleneck"]
    terms = np.abs(FILTERS).sum() * 3
    assert np.abs(ours - theirs).max() <= 2.0**-24 * terms  # seen: 0.06 of it


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base_layer": "rule"}, "computes no tensor 'rule'; the nearest names: relu"),
        ({"base_tflite": Path("flat.tflite"), "base_layer": "flat", "base_pooling": "avg"}, "computes no tensor"),
    ],
)
def test_a_layer_that_is_not_there(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build(BASE, options(**changed))


def test_a_layer_must_come_from_the_image() -> None:
    """Widened weights are computed too, and so is what is made of them alone."""
    g = base_graph((1, 8, 8, 3))
    narrow = g.constant("narrow", np.ones((1, 6), np.float16))
    wide = g.op("DEQUANTIZE", [narrow], "wide", (1, 6))
    g.op("RELU", [wide], "still constant", (1, 6))
    g.op("ADD", [g.outputs["out"], wide], "both", (1, 4, 4, 6))
    content = write(g.model("serve"))
    for layer in ("wide", "still constant", "narrow", "filters", "input"):
        with pytest.raises(OptionError, match=f"does not compute the tensor '{layer}' from the image; the nearest"):
            build(content, options(base_layer=layer))
    assert bundle(build(content, options(base_layer="both"))).bottleneck_shape == (4, 4, 6)
    g.outputs = {"wide": wide}
    with pytest.raises(ModelError, match="its output 'wide' does not depend on the image"):
        build(write(g.model("serve")), options())


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (-1, -1)])
def test_a_layer_must_have_the_batch_in_front(shape: tuple[int, ...]) -> None:
    g = base_graph()
    g.output("out", g.op("RESHAPE", [g.outputs["out"], g.constant("to", np.array([2, 3], np.int32))], "odd", shape))
    with pytest.raises(ModelError, match=r"the bottleneck 'odd' must be float32 \(1, \.\.\.\) of a fixed size, but is"):
        build(write(g.model("serve")), options())


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((1, 8), "FLOAT32"), ((1, 8, 8, 4), "FLOAT32"), ((1, 8, 8, 3), "INT8"), ((1, -1, -1, 3), "FLOAT32"),
        ((4, 8, 8, 3), "FLOAT32"), ((0, 8, 8, 3), "FLOAT32"),
    ],
)  # fmt: skip
def test_a_base_that_is_no_image_model(shape: tuple[int, ...], kind: str) -> None:
    g = GraphBuilder()
    g.output("y", g.op("RELU", [g.input("x", shape, kind)], "y", shape, kind))
    with pytest.raises(ModelError, match=r"no image model|size free"):
        build(write(g.model("serve")), options())


def test_files_go_in_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "base.tflite"
    base.write_bytes(BASE)
    made = options(base_tflite=base, out_model_dir=tmp_path / "a" / "b" / "model")
    written: list[Path] = []
    real = Path.write_bytes

    def fails(self: Path, content: bytes) -> int:
        written.append(self)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        return real(self, content)

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(ModelError, match="No space left"):
        convert(made)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == [base]

    folder = convert(made)
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{r}.tflite" for r in ROLES)
    assert load_bundle(folder).classes == 4
    with pytest.raises(OutputExistsError, match="--overwrite"):
        convert(made)
    (folder / "mine.txt").write_text("kept")
    convert(replace(made, overwrite=True, num_classes=3))
    assert load_bundle(folder).classes == 3
    assert (folder / "mine.txt").read_text() == "kept"


def test_files_of_two_conversions_are_told_apart(tmp_path: Path) -> None:
    mixed = build(BASE, options()) | {"optimizer": build(BASE, options(adam_beta1=0.5))["optimizer"]}
    with pytest.raises(BundleError, match="come from different conversions"):
        bundle(mixed)
    with pytest.raises(BundleError, match=r"inference.tflite was written as train_head.tflite"):
        bundle(mixed | {"inference": mixed["train_head"]})
    (tmp_path / "initialize.tflite").write_bytes(mixed["initialize"])
    with pytest.raises(BundleError, match=r"has no bottleneck\.tflite, "):
        load_bundle(tmp_path)
