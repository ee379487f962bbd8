"""Damaged and hostile .tflite files are read and run, or raise a TransferError: fast, and in little room.

Most operators stand in one of the files that are damaged, so that damage reaches their options, shapes and constants.
"""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import flatbuffers
import numpy as np
import pytest

from tests.attacks.outcome import flips, outcome, prefixes, words
from tests.attacks.zoo import FILES
from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.tflite import read
from tflite_transfer.reference.tflite.errors import ModelError, TransferError

BUDGET = Budget(bytes=2**28, operators=10_000, trips=1_000, seconds=1)
SECONDS = 1  # of CPU for one file. The slowest of those here took 10 ms to run, 60 ms to read
ROOM = 40  # times the file's size, while reading: well-formed files took 8 to 22 (dicts, dataclasses), hostile ones 35


def peak(call: Callable[..., object], *arguments: object) -> int:
    """The most bytes that a call takes at a time."""
    tracemalloc.start()
    try:
        call(*arguments)
    except TransferError:
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


def outcomes(file: str, damaged: Iterator[bytes]) -> Counter[str]:
    assert outcome(FILES[file], Budget()) == "ran"
    found: Counter[str] = Counter()
    for number, data in enumerate(damaged):
        start = time.process_time()
        try:
            found[outcome(data, BUDGET)] += 1
        except Exception as e:
            e.add_note(f"{file}, number {number}")
            raise
        assert time.process_time() - start < SECONDS, (file, number)
    return found


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("damage", [prefixes, words])
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_runs_or_is_refused_within_a_second(file: str, damage: Callable) -> None:
    found = outcomes(file, damage(FILES[file]))
    assert found["refused"] > 0
    assert found["ran"] > 0 or damage is prefixes


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("file", FILES)
def test_52_000_files_with_other_bytes_run_or_are_refused_within_a_second(file: str, seed: int) -> None:
    found = outcomes(file, flips(FILES[file], 650, seed))
    assert min(found["refused"], found["ran"]) > 0


@pytest.mark.parametrize("damage", [prefixes, words, lambda data: flips(data, 650, 0)])
@pytest.mark.parametrize("file", FILES)
def test_reading_a_damaged_file_takes_a_small_multiple_of_its_size(file, damage):
    for number, data in enumerate(damage(FILES[file])):
        if number % 50 == 7:
            assert peak(read, data) < ROOM * len(data) + 10_000, (file, number)


def refused(data: bytes, message: str) -> None:
    start = time.process_time()
    with pytest.raises(ModelError, match=message):
        read(data)
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x08\0\0\0TFL2" + bytes(64)])
def test_a_file_without_the_identifier_is_no_tflite_file(content):
    refused(content, r"^the model is not a \.tflite file: bytes 4 to 8 must be TFL3, and the file has .* bytes\.$")


def test_a_file_of_the_identifier_alone_is_damaged():
    refused(
        b"\x08\0\0\0TFL3", r"^the model is damaged: a value of 4 bytes stands at byte 8, and the file has 8 bytes\.$"
    )


@pytest.mark.parametrize("word", [*range(0, 68, 2), 2**16, 2**31, 2**32 - 4, 2**32 - 1])
def test_a_file_whose_words_all_point_at_one_another_is_refused(word):
    """Offsets, lengths and vtables are all the same word: 0 points at itself, -4 at what stands before it."""
    refused(word.to_bytes(4, "little") + b"TFL3" + word.to_bytes(4, "little") * 5_000, "the model")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (2, 4, "field . of table Model at byte .* lies outside the table"),
        (4, 0, "schema version 0; .* reads version 3"),
    ],
)
def test_a_root_table_that_is_wrong_is_refused(place, value, message):
    """Its vtable: bytes of the vtable, bytes of the table, where each field is."""
    data = bytearray(FILES["products"])
    root = int.from_bytes(data[:4], "little")
    at = root - int.from_bytes(data[root : root + 4], "little", signed=True) + place
    data[at : at + 2] = value.to_bytes(2, "little")
    refused(bytes(data), message)


def vector(b: flatbuffers.Builder, offsets: list[int], length: int | None = None) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    b.vectorNumElems = len(offsets) if length is None else length
    return b.EndVector()


def table(b: flatbuffers.Builder, slots: int, **fields: int) -> int:
    b.StartObject(slots)
    for slot, offset in fields.items():
        b.PrependUOffsetTRelativeSlot(int(slot[1:]), offset, 0)
    return b.EndObject()


def one_table_for_all(tensors: int, subgraphs: int, length: int | None = None, rank: int = 0) -> bytes:
    """A file whose sub-graphs are all one table, as are the tensors of each, with ``rank`` ones for a shape."""
    b = flatbuffers.Builder()
    shape = b.CreateNumpyVector(np.ones(rank, np.int32))
    graph = table(b, 6, _0=vector(b, [table(b, 10, _0=shape)] * tensors, length))
    graphs, buffers = vector(b, [graph] * subgraphs), vector(b, [table(b, 3)])
    b.StartObject(8)
    b.PrependUint32Slot(0, 3, 0)
    b.PrependUOffsetTRelativeSlot(2, graphs, 0)
    b.PrependUOffsetTRelativeSlot(4, buffers, 0)
    b.Finish(b.EndObject(), file_identifier=b"TFL3")
    return bytes(b.Output())


def test_the_hand_made_file_can_be_read_when_it_is_modest():
    assert [t.shape for t in read(one_table_for_all(3, 2, rank=2)).subgraphs[1].tensors] == [(1, 1)] * 3


@pytest.mark.parametrize("length", [2**31, 2**32 - 1, 5_000])
def test_a_vector_that_is_longer_than_the_file_is_refused(length):
    refused(one_table_for_all(3, 1, length), f"the vector at byte .* has {length} entries, and the file has")


@pytest.mark.parametrize(("tensors", "subgraphs", "rank"), [(20_000, 1, 0), (2_000, 2_000, 0), (500, 1, 10_000)])
def test_a_file_that_would_blow_up_on_reading_is_refused(tensors, subgraphs, rank):
    data = one_table_for_all(tensors, subgraphs, rank=rank)
    refused(data, "its tables point at one another so often that reading it would not end")
    assert peak(read, data) < ROOM * len(data)
