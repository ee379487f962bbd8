"""``write`` and ``read`` are each other's inverse: nothing is lost, and the same model gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_transfer.reference.tflite import Model, Operator, Quantization, Signature, Subgraph, Tensor, read, write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.decode import SCALARS, decode
from tflite_transfer.reference.tflite.encode import encode
from tflite_transfer.reference.tflite.enums import UNIONS
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import DTYPES
from tflite_transfer.reference.tflite.schema import Field, tables

ROOT = Path(__file__).parents[2]
FOREIGN = [*sorted((ROOT / "tests" / "golden").glob("upstream_*/*.tflite")), ROOT / "demo" / "base.tflite"]


def same(a: Any, b: Any) -> bool:
    """Whether two models, or parts of them, hold the same; arrays by type, shape and bytes."""
    if is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, Mapping):
        return set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


def ranked(tensor: Tensor) -> Tensor:
    """With what the writer says of a tensor that was made by hand."""
    return replace(tensor, extra={"has_rank": True, **tensor.extra})


def every_kind() -> Model:
    """A model by hand with all that the dataclasses can hold."""
    rng = np.random.default_rng(0)
    scales = Quantization(
        np.array([0.5, 0.25], np.float32), np.array([3, -(2**40)]), 1, {"min": np.array([-1], np.float32)}
    )
    constants = [
        Tensor(f"constant {kind}", (2, 3), kind, rng.integers(0, 2, (2, 3)).astype(dtype))
        for kind, dtype in DTYPES.items()
    ]
    tensors = (
        Tensor("x", (1, 3), signature=(-1, 3)),
        Tensor("w", (2, 2), "INT8", np.array([[1, -2], [3, -4]], np.int8), quantization=scales),
        Tensor("state", (), is_variable=True),
        Tensor("text", (1,), "STRING", np.frombuffer(b"\1\0\0\0\x0c\0\0\0\x0d\0\0\0x", np.uint8)),
        Tensor("sparse", (4,), data=np.arange(8, dtype=np.uint8), extra={"sparsity": {
            "traversal_order": np.array([0], np.int32), "block_map": None, "dim_metadata": [{
                "format": 1, "dense_size": 0, "array_segments_type": 1,
                "array_segments": {"values": np.array([0, 2], np.int32)},
                "array_indices_type": 3, "array_indices": {"values": np.array([1, 3], np.uint8)},
            }],
        }}),
        Tensor("unicode é", (2, 0, 3)),
        *constants,
    )  # fmt: skip
    options = {"padding": 1, "stride_w": 2, "stride_h": -3, "fused_activation_function": 3, "dilation_w_factor": 1,
               "dilation_h_factor": 4, "quantized_bias_type": 0}  # fmt: skip
    operators = (
        Operator("CONV_2D", (0, 1, -1), (5,), options, "Conv2DOptions", 5),
        Operator("CUSTOM", (0,), (2,), custom_code="Mine", extra={"custom_options": np.arange(5, dtype=np.uint8)}),
        Operator("CUSTOM", (0,), (2,), custom_code="Other", extra={"intermediates": np.array([2], np.int32)}),
        Operator("STABLEHLO_SCATTER", (0,), (2,), {
            "indices_are_sorted": True, "update_window_dims": (2**40, -1), "inserted_window_dims": None,
            "scatter_dims_to_operand_dims": (), "index_vector_dim": -(2**50), "unique_indices": False,
            "update_computation_subgraph_index": 1,
        }, "StablehloScatterOptions"),
        Operator("RESHAPE", (0,), (5,), {"new_shape": (2, 0, 3)}, "ReshapeOptions"),
        Operator("SOFTMAX", (0,), (5,), {"beta": 0.75}, "SoftmaxOptions", 2, extra={"debug_metadata_index": 0}),
    )  # fmt: skip
    main = Subgraph(tuple(map(ranked, tensors)), operators, (0, 2), (5, 1), extra={"debug_metadata_index": 7})
    second = Subgraph((Tensor("y", (2,), extra={"has_rank": False}),), (), (0,), (0,), "second")
    signatures = (Signature("serve", {"a": 0, "b": 2}, {"c": 5}), Signature("other", {"y": 0}, {"y": 0}, 1))
    return Model((main, second), signatures, {"notes": b"any \0 bytes", "empty": b""}, "a description")


def filled(table: str, member: str) -> dict[str, Any]:
    """A table with something in each field; ``member`` stands in the union that has it, and a first one in others."""
    rng, found = np.random.default_rng(len(table)), {}
    for name, kind, _ in tables().get(table, ()):
        if kind == "union":
            found[name + "_type"] = max(UNIONS[name].index(member) if member in UNIONS[name] else 1, 1)
            found[name] = filled(UNIONS[name][found[name + "_type"]], member)
        elif name != "_" and name.removesuffix("_type") not in UNIONS:
            found[name] = value(kind, rng, member)
    return found


def value(kind: str, rng: np.random.Generator, member: str) -> Any:
    inner = kind.strip("[]")
    if inner in SCALARS:
        numbers = rng.integers(1, 2 if inner == "bool" else 127, 24, np.uint8).view(SCALARS[inner])[:3]
        return numbers if kind[0] == "[" else bool(numbers[0]) if inner == "bool" else numbers[0].item()
    if kind == "string":
        return "\u00fc" * 3
    return [filled(inner, member)] * 2 if kind[0] == "[" else filled(inner, member)


@pytest.mark.parametrize("member", sorted({m for members in UNIONS.values() for m in members[1:]}))
def test_every_field_of_every_table_comes_back(member):
    tree = filled("Model", member)
    assert same(decode(encode(tree), "the model"), tree)


def test_an_absent_field_has_its_default():
    operators = [{"builtin_options_type": 1, "builtin_options": {}}]
    tree = decode(encode({"operator_codes": [{}], "subgraphs": [{"operators": operators}]}), "the model")
    (operator,) = tree["subgraphs"][0]["operators"]
    assert tree["operator_codes"] == [
        {"deprecated_builtin_code": 0, "custom_code": None, "version": 1, "builtin_code": 0}
    ]
    assert (operator["debug_metadata_index"], operator["builtin_options"]["dilation_w_factor"]) == (-1, 1)


def test_a_model_with_everything_comes_back():
    model = every_kind()
    assert same(read(write(model)), model)


def test_a_model_of_the_builder_comes_back():
    g = GraphBuilder(batch=5)
    x = g.input("x", (-1, 3))
    g.output("y", g.op("MUL", [x, g.constant("two", np.float32(2))], "double", (-1, 3), fused_activation_function=1))
    read_again = read(write(g.model("double", {"notes": b"1"}, "doubles")))
    assert [(t.shape, t.signature) for t in read_again.main.tensors] == [
        ((5, 3), (-1, 3)),
        ((), None),
        ((5, 3), (-1, 3)),
    ]
    assert read_again.signatures == (Signature("double", {"x": 0}, {"y": 2}),)
    assert read_again.main.operators == (Operator("MUL", (0, 1), (2,), {"fused_activation_function": 1}, "MulOptions"),)
    assert (read_again.metadata, read_again.description) == ({"notes": b"1"}, "doubles")


def test_the_same_model_gives_the_same_bytes():
    content = write(every_kind())
    assert write(every_kind()) == content
    assert write(read(content)) == content


@pytest.mark.parametrize("path", FOREIGN, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_file_that_tensorflow_made_comes_back(path):
    model = read(path)
    assert same(read(write(model)), replace(model, source="the model"))


def buffers(content: bytes) -> list[int]:
    """Where each constant begins in the file."""
    start = np.frombuffer(content, np.uint8).ctypes.data
    found = [b["data"] for b in decode(content, "the model")["buffers"] if b["data"] is not None]
    return [data.ctypes.data - start for data in found]


@pytest.mark.parametrize("sizes", [(1, 3, 5, 17), (16, 2, 33, 8)])
def test_constants_are_aligned(sizes):
    tensors = tuple(Tensor(f"{n}", (n,), "INT8", np.ones(n, np.int8)) for n in sizes)
    places = buffers(write(Model((Subgraph(tensors, (), (), ()),), metadata={"odd": b"123"})))
    assert len(places) == len(sizes) + 1
    assert all(place % 16 == 0 for place in places)


def test_a_constant_that_tensors_share_stays_shared():
    shared, other = np.arange(1000, dtype=np.float32), np.arange(1000, dtype=np.float32)
    tensors = (Tensor("a", (1000,), data=shared), Tensor("b", (10, 100), data=shared.reshape(10, 100)))
    one, two = (Model((Subgraph((*tensors, *more), (), (), ()),)) for more in ((), (Tensor("c", (1000,), data=other),)))
    assert [len(buffers(write(m))) for m in (one, two)] == [1, 2]
    again = read(write(read(write(two)))).main.tensors
    assert np.shares_memory(again[0].data, again[1].data)
    assert not np.shares_memory(again[0].data, again[2].data)


NEWER = {  # where such a table stands in the model above
    "Model": lambda model: model,
    "SubGraph": lambda model: model["subgraphs"][0],
    "Tensor": lambda model: model["subgraphs"][0]["tensors"][0],
    "QuantizationParameters": lambda model: model["subgraphs"][0]["tensors"][0]["quantization"],
    "DimensionMetadata": lambda model: model["subgraphs"][0]["tensors"][4]["sparsity"]["dim_metadata"][0],
    "Operator": lambda model: model["subgraphs"][0]["operators"][0],
    "Conv2DOptions": lambda model: model["subgraphs"][0]["operators"][0]["builtin_options"],
}


@pytest.mark.parametrize("table", NEWER)
def test_a_field_of_a_newer_schema_is_passed_over_by_read_and_refused_by_write(table, monkeypatch):
    tree = decode(write(every_kind()), "the model")
    tree["subgraphs"][0]["tensors"][0]["quantization"] = {}
    NEWER[table](tree)["newer"] = 5
    with monkeypatch.context() as newer:
        newer.setitem(tables(), table, (*tables()[table], Field("newer", "int", 0)))
        content = encode(tree)
    with pytest.raises(ModelError, match=re.escape(f"this table {table} was made by a newer schema (fields [")):
        write(read(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda model: model["operator_codes"][0].update(builtin_code=500),
            "operator BUILTIN_500 is of a newer schema",
        ),
        (lambda model: NEWER["Tensor"](model).update(type=99), "'x' has a type of a newer schema (TYPE_99)"),
        (
            lambda model: NEWER["Operator"](model).update(large_custom_options_size=9),
            "operator CONV_2D keeps its options",
        ),
    ],
)
def test_what_the_writer_does_not_know_is_refused(change, message):
    tree = decode(write(every_kind()), "the model")
    change(tree)
    model = read(encode(tree))
    with pytest.raises(ModelError, match=re.escape(message)):
        write(model)


@pytest.mark.parametrize(
    ("union", "table", "message"),
    [
        ("builtin_options", "Operator", "operator CONV_2D has options of a newer schema (builtin_options_127)"),
        (
            "details",
            "QuantizationParameters",
            "this table QuantizationParameters was made by a newer schema (member 2)",
        ),
    ],
)
def test_a_member_of_a_newer_union_is_refused(union, table, message, monkeypatch):
    tree = decode(write(every_kind()), "the model")
    tree["subgraphs"][0]["tensors"][0]["quantization"] = {}
    NEWER[table](tree).update({union: {}, f"{union}_type": len(UNIONS[union])})
    with monkeypatch.context() as newer:
        newer.setitem(UNIONS, union, (*UNIONS[union], "NewestOptions"))
        content = encode(tree)
    with pytest.raises(ModelError, match=re.escape(message)):
        write(read(content))
