"""Other frameworks, each in an environment of its own and a process of its own: no dependency of theirs meets ours.

``python -m bench.peers [NAME ...]`` makes the environments, in ``.peers`` or where ``BENCH_PEERS`` says.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from bench.timing import Clock
from tflite_transfer.backends.base import Array

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("BENCH_PEERS", HERE.parents[1] / ".peers"))
NAMES = {  # of its environment file and program -> what it is called
    "torch": "PyTorch", "keras": "Keras", "jax": "JAX", "sklearn": "scikit-learn",
    "onnxruntime": "ONNX Runtime Training", "onert": "onert",
}  # fmt: skip
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Of a loss, which a step changes by 4e-2. Seen: 6e-4 with onert, whose Adam has an epsilon of its own; else 6e-5.
APART = 2e-3


def interpreter(name: str) -> Path:
    """A peer's Python, there or not."""
    return FOLDER / name / "bin" / "python"


class Given(NamedTuple):
    """A head, and the batch that it learns from: see ``protocol.py``."""

    arrays: Mapping[str, Array]
    file: bytes
    optimizer: str
    rate: float


class Peer:
    """A running peer. See ``protocol.py``."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._process: Any = subprocess.Popen(
            command, env=os.environ | ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def head(self, given: Given, losses: Array) -> Clock:
        """The clock of its steps on one batch, the first three of which gave these losses."""
        with TemporaryDirectory() as folder:
            arrays, file = Path(folder) / "head.npz", Path(folder) / "head.tflite"
            np.savez(arrays, allow_pickle=False, **given.arrays)
            file.write_bytes(given.file)
            rule = {"optimizer": given.optimizer, "rate": given.rate}
            found = self._answer(arrays=str(arrays), file=str(file), **rule)["losses"]
        np.testing.assert_allclose(found, losses, rtol=APART, err_msg=self.name)
        return lambda steps: self._answer(steps=steps)["seconds"]

    def _answer(self, **asked: Any) -> dict[str, Any]:
        """Raises RuntimeError where the peer ended instead."""
        with suppress(BrokenPipeError):
            print(json.dumps(asked), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended; what it said is above")
        return json.loads(line)

    def close(self) -> None:
        """It ends when nothing more can be asked."""
        self._process.communicate()


@contextmanager
def installed() -> Iterator[dict[str, Peer]]:
    """The peers whose environments are there, running, by what they are called."""
    with ExitStack() as stack:
        found = {}
        for name, told in NAMES.items():
            if interpreter(name).exists():
                command = [str(interpreter(name)), str(HERE / f"with_{name}.py")]
                found[told] = Peer(told, command)
                stack.callback(found[told].close)
        yield found
