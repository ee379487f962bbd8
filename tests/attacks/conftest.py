"""Where attacks run: in an empty folder, which must be empty afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.attacks.zoo import FILES
from tflite_transfer.reference.interpreter import Interpreter


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A damaged model once saved its variables into a file of a strange name, in the working directory."""
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    yield
    left = sorted(here.rglob("*"))
    assert not left, f"files in the working directory: {left}"


@pytest.fixture(scope="session")
def compiled() -> None:
    """The kernels of convolutions, whose compiling takes longer than what is measured."""
    for name in ("windows", "products"):
        interpreter = Interpreter(FILES[name])
        interpreter.call(*(np.ones(interpreter.graph.tensors[i].shape, np.float32) for i in interpreter.graph.inputs))
