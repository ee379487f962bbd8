"""A float model against its quantised forms, as TensorFlow makes them, and with faults planted in these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.parity.models import MODELS
from tests.unit.diagnostics.test_planted_kernels import faulty
from tflite_transfer.diagnostics import Comparison, compare
from tflite_transfer.reference import binding
from tflite_transfer.reference.kernels.table import FAST_QUANTIZED
from tflite_transfer.reference.ops.quantized.table import QUANTIZED
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Model, Operator, Quantization, Tensor

pytestmark = pytest.mark.tensorflow
KINDS = ("int8", "dynamic range", "float16")
ENGINES = (("numpy", "numpy"), ("tflite", "tflite"), ("tflite-ref", "tflite-ref"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small residual network, by kind."""
    folder = tmp_path_factory.mktemp("stored")
    for kind in ("float32", *KINDS):
        (folder / f"{kind}.tflite").write_bytes(MODELS["ResNet"].file(kind))
    return {kind: folder / f"{kind}.tflite" for kind in ("float32", *KINDS)}


def told(found: Comparison) -> list[str]:
    return [f"{f.place}: {f.fault}" for f in found.faults]


@pytest.mark.parametrize(("a", "b"), ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_quantised_form_agrees_operator_by_operator(kind: str, a: str, b: str, files: dict[str, Path]) -> None:
    found = compare(files["float32"], files[kind], a=a, b=b)
    assert found.agrees, (told(found), found.unmatched)
    assert len(found.findings) > 20
    assert all(f.isolated is not None and f.isolated.share is not None for f in found.findings)
    assert max(f.isolated.share for f in found.findings if f.isolated) > 0.01
    noise = [f.cumulative.snr for f in found.findings if f.cumulative and f.op == "CONV_2D"]
    low, high = {"int8": (15, 45), "dynamic range": (25, 60), "float16": (50, 90)}[kind]
    assert low < min(noise) < high


def between_floats(model: Model) -> bytes:
    """A model of stored integers, with floats for its argument and its result, and before its third operator."""
    main, operators, tensors = model.main, list(model.main.operators), list(model.main.tensors)

    def floats(i: int) -> int:
        tensors.append(Tensor(f"float{i}", tensors[i].shape, "FLOAT32"))
        return len(tensors) - 1

    (x,), (y,), middle = main.inputs, main.outputs, operators[2].inputs[0]
    given, result, between = floats(x), floats(y), floats(middle)
    again = len(tensors)
    tensors.append(replace(tensors[middle], name="again"))
    third = replace(operators[2], inputs=(again, *operators[2].inputs[1:]))
    operators[2:3] = [
        Operator("DEQUANTIZE", (middle,), (between,)), Operator("QUANTIZE", (between,), (again,)), third
    ]  # fmt: skip
    operators = [
        Operator("QUANTIZE", (given,), (x,)), *operators, Operator("DEQUANTIZE", (y,), (result,))
    ]  # fmt: skip
    graph = replace(main, tensors=tuple(tensors), operators=tuple(operators), inputs=(given,), outputs=(result,))
    return write(replace(model, subgraphs=(graph,), signatures=()))


def test_operators_behind_floats_are_judged_alone_too(files: dict[str, Path], tmp_path: Path) -> None:
    right, wrong = read(files["int8"]), tmp_path / "wrong.tflite"
    (tmp_path / "right.tflite").write_bytes(between_floats(right))
    found = compare(files["float32"], tmp_path / "right.tflite", a="numpy", b="numpy")
    assert found.agrees, (told(found), found.unmatched)
    assert [f.place for f in found.findings if f.isolated is None or f.isolated.share is None] == []
    number = right.main.operators[0].inputs[1]
    tensors = tuple(order(t) if i == number else t for i, t in enumerate(right.main.tensors))
    wrong.write_bytes(between_floats(replace(right, subgraphs=(replace(right.main, tensors=tensors),))))
    found = compare(files["float32"], wrong, a="numpy", b="numpy")
    assert [f.operator for f in found.faults] == [0], told(found)


def weights_only(model: Model) -> Model:
    """Weights of convolutions and dense layers as int8, which a DEQUANTIZE widens; all else as it is."""
    main, tensors, widened = model.main, list(model.main.tensors), list[Operator]()
    for weights in dict.fromkeys(o.inputs[1] for o in main.operators if o.opcode in ("CONV_2D", "FULLY_CONNECTED")):
        tensor = tensors[weights]
        assert tensor.data is not None
        scale = np.abs(tensor.data).max() / np.float32(127)
        stored, steps = np.round(tensor.data / scale).astype(np.int8), Quantization(np.array([scale]), np.zeros(1, int))
        tensors.append(replace(tensor, name=f"stored{weights}", type="INT8", data=stored, quantization=steps))
        tensors[weights] = replace(tensor, data=None)
        widened.append(Operator("DEQUANTIZE", (len(tensors) - 1,), (weights,)))
    graph = replace(main, tensors=tuple(tensors), operators=(*widened, *main.operators))
    return replace(model, subgraphs=(graph, *model.subgraphs[1:]))


@pytest.mark.parametrize(("a", "b"), [*ENGINES, ("tflite", "numpy"), ("numpy", "tflite")])
def test_weights_alone_in_8_bits(a: str, b: str, files: dict[str, Path], tmp_path: Path) -> None:
    """XNNPACK widens them itself, and leaves DEQUANTIZE's result as the memory was."""
    path, wrong = tmp_path / "weights.tflite", tmp_path / "wrong.tflite"
    model = weights_only(read(files["float32"]))
    path.write_bytes(write(model))
    for found in (compare(path, a=a, b=b), compare(files["float32"], path, a=a, b=b)):
        assert found.agrees, (told(found), found.unmatched)
        assert len(found.findings) > 20
    number = len(model.main.tensors) - 1
    tensors = tuple(order(t) if i == number else t for i, t in enumerate(model.main.tensors))
    wrong.write_bytes(write(replace(model, subgraphs=(replace(model.main, tensors=tensors), *model.subgraphs[1:]))))
    assert [f.op for f in compare(files["float32"], wrong, a=a, b=b).faults] == ["FULLY_CONNECTED"]


def test_the_float_model_is_the_first(files: dict[str, Path]) -> None:
    with pytest.raises(OptionError, match=r"compare the float model against it, by its name first"):
        compare(files["int8"], files["float32"], a="numpy", b="numpy")
    assert not compare(files["dynamic range"], files["float32"], a="numpy", b="numpy").agrees


def order(tensor: Tensor) -> Tensor:
    assert tensor.data is not None
    return replace(tensor, data=tensor.data[::-1].copy())


def scaled(tensor: Tensor) -> Tensor:
    assert tensor.quantization is not None
    return replace(tensor, quantization=replace(tensor.quantization, scale=tensor.quantization.scale * np.float32(1.1)))


@pytest.mark.parametrize(("opcode", "place"), [("CONV_2D", 3), ("FULLY_CONNECTED", 0)])
@pytest.mark.parametrize(("kind", "change"), [("int8", order), ("int8", scaled), ("dynamic range", order)])
def test_wrong_weights_of_the_quantised_form_are_found(
    kind: str, change: Callable[[Tensor], Tensor], opcode: str, place: int, files: dict[str, Path], tmp_path: Path
) -> None:
    model = read(files[kind])
    operators = [o for o in model.main.operators if o.opcode == opcode]
    number = operators[place].inputs[1]
    tensors = tuple(change(t) if i == number else t for i, t in enumerate(model.main.tensors))
    (tmp_path / "other.tflite").write_bytes(
        write(replace(model, subgraphs=(replace(model.main, tensors=tensors), *model.subgraphs[1:])))
    )
    found = compare(files["float32"], tmp_path / "other.tflite", a="numpy", b="numpy")
    assert [f.op for f in found.faults] == [opcode], told(found)
    assert found.first is not None
    assert (
        found.first.operator
        == [n for n, o in enumerate(read(files["float32"]).main.operators) if o.opcode == opcode][place]
    )


@pytest.mark.parametrize("opcode", ["ADD", "MEAN", "SOFTMAX"])
def test_a_fault_of_a_quantised_kernel_is_found(
    opcode: str, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps too many, as of a zero point that is another one; against the float model, and against LiteRT."""
    right = QUANTIZED[opcode]
    wrong = faulty(right, lambda right, *values, **options: right(*values, **options) + np.int8(3))
    monkeypatch.setattr(binding, "FAST_QUANTIZED", {**FAST_QUANTIZED, opcode: wrong})
    for found in (
        compare(files["float32"], files["int8"], a="numpy", b="numpy"),
        compare(files["int8"], a="tflite-ref", b="numpy"),
    ):
        assert {f.op for f in found.faults} == {opcode}, told(found)
        assert len(found.faults) == sum(o.opcode == opcode for o in read(files["int8"]).main.operators)
