"""Where attacks run: in an empty folder, which must be empty afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.attacks.giants import WINDOW
from tests.attacks.slow import BIT8, stored
from tests.attacks.zoo import FILES
from tests.parity.operators import case, content
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
    pixels, sums = stored(1, 4, 4, 4), {"out": BIT8, **WINDOW}
    for made in (
        case("CONV_2D", pixels, stored(4, 1, 1, 4, in_file=True), None, **sums),
        case("DEPTHWISE_CONV_2D", pixels, stored(1, 3, 3, 4, in_file=True), None, **sums),
        case("ADD", pixels, pixels, out=BIT8),
    ):
        data, given = content(made, shape=(1,))
        Interpreter(data).call(*given)
