"""What runs one sub-graph and tells every tensor of it: the engines that can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Array, Model, Subgraph

Read = Callable[[int], Array]  # a tensor's number -> its value

# name -> what it is, for people and for the error.
ENGINES: Mapping[str, str] = {
    "numpy": "the reference with its numba kernels",
    "numpy-nojit": "the reference's plain definitions",
    "numpy-float64": "the reference in float64: the oracle",
    "tflite": "LiteRT as it comes, with XNNPACK",
    "tflite-xnnpack": "the same, by its name",
    "tflite-ref": "LiteRT's reference kernels",
}
ORACLE = "numpy-float64"


@dataclass(frozen=True)
class Source:
    """A function in a file: the file's bytes, which LiteRT takes, what they say, and a signature's key.

    With None it is the main sub-graph.
    """

    content: bytes
    model: Model
    key: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.model.source


class Side(Protocol):
    """One engine with one sub-graph of one file. Values are by tensor number."""

    engine: str

    @property
    def graph(self) -> Subgraph:
        """As the file has it."""
        ...

    def run(self, values: Sequence[Array]) -> Mapping[int, Array]:
        """All that the engine keeps of a run: inputs by position -> tensors. Raises ShapeError, ModelError."""
        ...

    def alone(self, number: int, read: Read) -> tuple[Array, ...] | None:
        """An operator's results on other inputs; None where it has no meaning alone, as a loop or a variable."""
        ...

    def variables(self) -> dict[str, Array]:
        """A copy of each resource variable, by name."""
        ...

    def assign(self, values: Mapping[str, Array]) -> None:
        """Set variables by name."""
        ...


def is_litert(engine: str) -> bool:
    """Does LiteRT run it?"""
    return engine.startswith("tflite")


def check_engine(option: str, engine: str) -> None:
    """Raises OptionError for an engine that is not there."""
    if engine not in ENGINES:
        raise OptionError(f"{option} must be one of {', '.join(ENGINES)}, but is {engine!r}.")


def open_side(engine: str, source: Source) -> Side:
    """The engine, ready. Raises ModelError, MissingExtraError where LiteRT is not installed."""
    if is_litert(engine):
        from tflite_transfer.diagnostics.litert import LiteRTSide

        return LiteRTSide(engine, source)
    from tflite_transfer.diagnostics.ours import NumpySide

    return NumpySide(engine, source)
