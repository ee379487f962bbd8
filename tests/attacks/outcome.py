"""What a damaged file comes to, and ways to damage one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.errors import TransferError

LARGE = 10**5  # values of an input, which the caller would have to make


def outcome(data: bytes, budget: Budget, folder: Path = Path(), *, jit: bool = True) -> str:
    """Open a file and run it on ones: each signature, or its graph. What is no TransferError passes through.

    ``folder`` is where the file may save and restore.
    """
    refused = 0
    try:
        interpreter = Interpreter(data, jit=jit, budget=budget, folder=folder)
    except TransferError:
        return "refused"
    tensors = interpreter.graph.tensors
    inputs = {str(n): (tensors[i].shape, tensors[i].dtype) for n, i in enumerate(interpreter.graph.inputs)}
    for key, signature in sorted(interpreter.signatures.items(), key=lambda s: s[0] == "restore") or [(None, None)]:
        specs = {name: (spec.shape, spec.dtype) for name, spec in signature.inputs.items()} if signature else inputs
        if any(math.prod(max(n, 1) for n in shape) > LARGE for shape, _ in specs.values()):
            return "wants a large input"
        given = {name: _ones(*spec) for name, spec in specs.items()}
        try:
            interpreter.run(key, **given) if signature else interpreter.call(*given.values())
        except TransferError:
            refused += 1
    return "refused" if refused else "ran"


def _ones(shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    """Ones, or texts; of free sizes 1."""
    return np.full([1 if n < 0 else n for n in shape], b"a" if dtype.kind == "O" else 1, dtype)


def prefixes(data: bytes) -> Iterator[bytes]:
    """Each beginning of a file."""
    return (data[:end] for end in range(len(data)))


def words(data: bytes) -> Iterator[bytes]:
    """A file with each word of four bytes as 0, -1, the largest and the least number."""
    for at in range(0, len(data) - 3, 4):
        for value in (0, 2**32 - 1, 2**31 - 1, 2**31):
            yield data[:at] + value.to_bytes(4, "little") + data[at + 4 :]


def flips(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """A file with one to three other bytes, so many times."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        yield bytes(damaged)
