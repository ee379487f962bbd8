"""One corrupted table for each rule of the reader, which only a file can break; each says what it tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.attacks.test_verifier_operators import window
from tests.parity.test_control import unary
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.decode import decode
from tflite_transfer.reference.tflite.encode import encode
from tflite_transfer.reference.tflite.errors import ModelError


def described(change: Callable[[Any], None], data: bytes | None = None) -> bytes:
    """A file of one operator, with other tables."""
    tree = decode(data or write(window("CONV_2D")), "the model")
    change(tree)
    return encode(tree)


def put(*path: Any) -> Callable[[Any], None]:
    """Put the last of a path where the others lead to."""

    def change(tree: Any) -> None:
        *way, last, value = path
        for key in way:
            tree = tree[key]
        tree[last] = value

    return change


GRAPH, FIRST = ("subgraphs", 0), ("subgraphs", 0, "operators", 0)
TWICE = [{"name": "x", "tensor_index": 0}] * 2

BROKEN = {  # what only a file can say
    "an operator code that is not there": (put(*FIRST, "opcode_index", 9), "operator 0: operator code 9 is asked for"),
    "an operator's input that is no tensor": (
        put(*FIRST, "inputs", [0, 1, 99]),
        r"sub-graph 0, operator 0 \(CONV_2D\): its list of inputs refers to tensor 99",
    ),
    "an operator's input before the first": (
        put(*FIRST, "inputs", [0, -2, 1]),
        "its list of inputs refers to tensor -2",
    ),
    "an operator's output that is left out": (put(*FIRST, "outputs", [-1]), "its list of outputs refers to tensor -1"),
    "an intermediate that is no tensor": (
        put(*FIRST, "intermediates", [4]),
        "its list of intermediates refers to tensor 4",
    ),
    "options behind the end of the file": (
        put(*FIRST, "large_custom_options_offset", 10**6),
        "a table of options of 0 bytes stands at byte 1000000",
    ),
    "an input of the graph that is left out": (
        put(*GRAPH, "inputs", [-1]),
        "sub-graph 0: the list of inputs refers to tensor -1",
    ),
    "an output of the graph that is no tensor": (
        put(*GRAPH, "outputs", [4]),
        "the list of outputs refers to tensor 4, .* are 4",
    ),
    "a buffer that is not there": (put(*GRAPH, "tensors", 1, "buffer", 77), "sub-graph 0: buffer 77 is asked for"),
    "a buffer behind the end of the file": (
        lambda tree: tree["buffers"][1].update(data=None, offset=10**6, size=48),
        "a buffer of 48 bytes stands at byte 1000000",
    ),
    "a constant of another size": (
        put(*GRAPH, "tensors", 1, "shape", [1, 2, 2, 4]),
        r"tensor 'w' is FLOAT32 \(1, 2, 2, 4\), and its constant has 48 bytes",
    ),
    "a constant of numbers of 4 bits": (put(*GRAPH, "tensors", 1, "type", 17), "tensor 'w' is INT4 .* has 48 bytes"),
    "a negative size": (put(*GRAPH, "tensors", 0, "shape", [1, -4, 4, 3]), "tensor 'x' has shape"),
    "sizes whose product has no end": (put(*GRAPH, "tensors", 0, "shape", [2**31 - 1] * 4), "tensor 'x' has shape"),
    "more axes than NumPy has": (put(*GRAPH, "tensors", 0, "shape", [1] * 65), "tensor 'x' has shape"),
    "a signature of shapes for other axes": (
        put(*GRAPH, "tensors", 0, "shape_signature", [1, 4]),
        "tensor 'x' has shape",
    ),
    "scales without zero points": (
        put(*GRAPH, "tensors", 1, "quantization", {"scale": [1.0, 2.0], "zero_point": [0]}),
        "has 2 scales and 1 zero points",
    ),
    "scales along an axis that is not there": (
        put(*GRAPH, "tensors", 1, "quantization", {"scale": [1.0, 2.0], "quantized_dimension": 4}),
        "has 2 scales along axis 4",
    ),
    "metadata in a buffer that is not there": (
        put("metadata", [{"name": "m", "buffer": 9}]),
        "metadata buffer 9 is asked for",
    ),
    "a signature of a sub-graph that is not there": (
        put("signature_defs", 0, "subgraph_index", 1),
        "sub-graph 1 is asked for, and there are 1",
    ),
    "a signature's argument that is no tensor": (
        put("signature_defs", 0, "inputs", 0, "tensor_index", 4),
        "signature 'run' refers to tensor 4, and there are 4",
    ),
    "a signature of two arguments of one name": (
        put("signature_defs", 0, "inputs", TWICE),
        "signature 'run' has two arguments, or two results, of one name",
    ),
    "no sub-graph": (put("subgraphs", []), "the model has no sub-graph"),
}


@pytest.mark.parametrize("tried", BROKEN)
def test_what_a_file_says_is_checked(tried: str) -> None:
    change, message = BROKEN[tried]
    with pytest.raises(ModelError, match=message):
        read(described(change))


@pytest.mark.parametrize(
    ("after", "byte", "message"),
    [(0, 1, "does not end with a zero"), (-1, 0xFF, "is not UTF-8")],
)
def test_a_text_is_checked(after: int, byte: int, message: str) -> None:
    """A C++ program would read on behind the first; nothing could print the second."""
    data = bytearray(write(replace(unary("NEG").model("run"), description="some words")))
    data[data.index(b"some words") + len(b"some words") + after] = byte
    with pytest.raises(ModelError, match=rf"the text at byte .* {message}"):
        read(bytes(data))
