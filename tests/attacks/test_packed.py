"""Constants of INT4 and sparse ones whose sizes, segments or indices do not fit: refused, by name, before any array."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.attacks.outcome import flips, outcome
from tests.parity.operators import halves
from tests.parity.sparse import compressed, layout
from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import Quantization, write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError, UnsupportedOpError

X = np.zeros((4, 8), np.float32)
X[0, :4] = X[2, 4:] = X[3, :4] = 1


def file(change: Callable[[dict[str, Any]], Any] = lambda _: None, shape: tuple[int, ...] = (4, 8)) -> bytes:
    """The matrix X in rows of blocks of 4, and what ``change`` makes of its table."""
    values, table = compressed(X, layout([0, 1, 2], [1], {1: 4}))
    change(table)
    g = GraphBuilder()
    w = g.tensor("w", shape, data=values, extra={"sparsity": table})
    g.output("y", g.op("DENSIFY", [w], "y", shape))
    return write(g.model("run"))


def numbers(name: str, values: list[int]) -> Callable[[dict[str, Any]], None]:
    return lambda table: table.update({name: np.array(values, np.int32)})


def level(number: int, **fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        for key, value in fields.items():
            entry = table["dim_metadata"][number]
            entry[key] = value if np.isscalar(value) else {"values": np.array(value, np.int32)}
            if not np.isscalar(value):
                entry[f"{key}_type"] = 1

    return change


def test_the_file_itself_is_whole() -> None:
    np.testing.assert_array_equal(Interpreter(file()).call()[0], X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (numbers("traversal_order", [0, 1]), "3 levels, in the order"),  # one level without a place
        (numbers("traversal_order", [0, 0, 2]), "in the order"),  # an axis twice
        (numbers("traversal_order", [0, 2, 1]), "in the order"),  # a block before its axis
        (numbers("traversal_order", [0, 1, 2**31 - 1]), "in the order"),  # an axis that is not there
        (numbers("traversal_order", []), "in the order"),
        (numbers("block_map", [2]), "blocks of"),  # a block of an axis that is not there
        (numbers("block_map", [-1]), "blocks of"),
        (numbers("block_map", [1, 1]), "blocks of"),  # two blocks of one axis
        (lambda t: t["dim_metadata"].pop(), "2 levels"),
        (lambda t: t["dim_metadata"].append({"format": 0, "dense_size": 1}), "4 levels"),
        (level(0, dense_size=3), "size 3"),  # fewer rows than the shape has
        (level(0, dense_size=2**31 - 1), "size 2147483647"),
        (level(0, dense_size=-1), "size -1"),
        (level(0, format=2), "format 2"),
        (level(2, dense_size=3), "blocks of .3."),  # 8 columns in blocks of 3
        (level(2, dense_size=0), "blocks of .0."),
        (level(2, dense_size=-4), "blocks of .-4."),
        (level(2, format=1), "format 1"),  # a block that is not dense, and has no segments
        (level(1, format=0, dense_size=2), "it has 12 values, and its indices are 32"),  # CSR called dense
        (level(1, array_segments=[0, 1, 2, 3]), "4 segments for 4 places"),
        (level(1, array_segments=[0, 1, 1, 2, 3, 3]), "6 segments for 4 places"),
        (level(1, array_segments=[1, 1, 1, 2, 3]), "segments that do not part 3"),  # the first begins late
        (level(1, array_segments=[0, 2, 1, 2, 3]), "segments that do not part 3"),  # one ends before it begins
        (level(1, array_segments=[0, 1, 1, 2, 9]), "segments that do not part 3"),  # the last ends behind the indices
        (level(1, array_segments=[0, 1, 1, 2, 2]), "segments that do not part 3"),  # an index that no row has
        (level(1, array_segments=[0, -1, 1, 2, 3]), "segments that do not part 3"),
        (level(1, array_indices=[0, 1, 2]), "indices that do not ascend from 0 to 1"),  # a block outside of the row
        (level(1, array_indices=[0, 1, -1]), "indices that do not ascend from 0 to 1"),
        (level(1, array_segments=[0, 2, 2, 2, 3], array_indices=[1, 0, 0]), "indices that do not ascend"),
        (level(1, array_segments=[0, 2, 2, 2, 3], array_indices=[1, 1, 0]), "indices that do not ascend"),  # one twice
        (level(1, array_segments=[0, 1, 1, 2, 2], array_indices=[0, 1]), "12 values, and its indices are 8"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(change: Callable[[dict[str, Any]], Any], message: str) -> None:
    with pytest.raises(ModelError, match=f"sub-graph 0, tensor 'w' cannot be read: .*{message}"):
        Interpreter(file(change))


def test_a_sparse_constant_larger_than_the_budget_is_refused_before_it_is_made() -> None:
    """2^40 numbers, of which the file has one."""
    size = 2**20
    table = {"traversal_order": np.array([0, 1], np.int32), "block_map": None}
    for segments in (np.array([0, 1], np.int32), np.array([0, 1], np.int32)):
        entry = {"format": 1, "array_segments_type": 1, "array_segments": {"values": segments}}
        entry |= {"array_indices_type": 1, "array_indices": {"values": np.array([5], np.int32)}}
        table.setdefault("dim_metadata", []).append(entry)
    g = GraphBuilder()
    w = g.tensor("w", (size, size), data=np.ones(1, np.float32), extra={"sparsity": table})
    g.output("y", g.op("DENSIFY", [w], "y", (size, size)))
    data = write(g.model("run"))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=r"the constant 'w' cannot be read: .*more memory"):
            Interpreter(data, budget=Budget(bytes=2**26))
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["INT4", "sparse"])
def test_many_constants_over_one_buffer_stay_within_the_budget(kind: str) -> None:
    """Each tensor costs the file a hundred bytes, and memory its whole size."""
    g, values = GraphBuilder(), np.zeros(2**16, np.uint8)
    table = {"traversal_order": np.zeros(1, np.int32), "block_map": None}
    table["dim_metadata"] = [{"format": 0, "dense_size": values.size}]
    for n in range(600):
        if kind == "INT4":
            w = g.tensor(f"w{n}", (2 * values.size,), "INT4", data=values)
            g.output(f"y{n}", g.op("CAST", [w], f"y{n}", (2 * values.size,)))
        else:
            w = g.tensor(f"w{n}", values.shape, "INT8", data=values, extra={"sparsity": table})
            g.output(f"y{n}", g.op("DENSIFY", [w], f"y{n}", values.shape, "INT8"))
    data = write(g.model("run"))
    assert len(data) < 1e6
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="more memory"):
            Interpreter(data, budget=Budget(bytes=2**25))
        assert tracemalloc.get_traced_memory()[1] < 2**25 + 40 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8])
def test_an_int4_constant_has_half_a_byte_for_each_number(count: int) -> None:
    stored = np.arange(count).astype(np.int8) - 4
    for extra in (-1, 0, 1):
        content = np.resize(halves(stored), max((count + 1) // 2 + extra, 0))
        if content.size == 0:  # a constant without data
            continue
        g = GraphBuilder()
        w = g.tensor("w", (count,), "INT4", data=content)
        g.output("y", g.op("CAST", [w], "y", (count,)))
        if extra:
            with pytest.raises(ModelError, match=rf"tensor 'w' is INT4 \({count},\), and its constant has"):
                Interpreter(write(g.model("run")))
        else:
            np.testing.assert_array_equal(Interpreter(write(g.model("run"))).call()[0], stored)


@pytest.mark.parametrize(
    ("opcode", "kind", "missing"),
    [("ABS", "INT4", "ABS on int4"), ("CAST", "INT4", "CAST on int4"), ("RESHAPE", "INT4", "output of type int4")],
)
def test_int4_is_a_type_of_constants(opcode: str, kind: str, missing: str) -> None:
    """What computes gives none, and no array of it goes in or out."""
    g = GraphBuilder()
    w = g.tensor("w", (4,), "INT4", data=np.zeros(2, np.uint8))
    y = g.op(opcode, [w], "y", (4,), kind)
    g.output("y", y)
    with pytest.raises(UnsupportedOpError, match=missing):
        Interpreter(g.model("run"))


def test_weights_with_scales_for_blocks_are_named() -> None:
    """``details`` of a newer schema: without them the numbers would be taken as they are."""
    g = GraphBuilder()
    none = Quantization(np.zeros(0, np.float32), np.zeros(0, np.int64), extra={"details_type": 2})
    w = g.tensor("w", (4, 4), "INT4", data=np.zeros(8, np.uint8), quantization=none)
    g.output("y", g.op("FULLY_CONNECTED", [g.input("x", (1, 4)), w], "y", (1, 4)))
    with pytest.raises(UnsupportedOpError, match="FULLY_CONNECTED on blockwise int4"):
        Interpreter(g.model("run"))


def test_damaged_bytes_of_sparse_files_are_refused_or_run() -> None:
    """4,000 files, each with one to three bytes changed."""
    start = time.process_time()
    outcomes = {outcome(damaged, Budget(bytes=2**26, seconds=1)) for damaged in flips(file(), 4000, seed=0)}
    assert outcomes == {"ran", "refused"}
    assert time.process_time() - start < 60
