"""What a model keeps from one run to the next: variables, hash tables, random numbers' streams, recurrent states."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.errors import ModelError, ShapeError
from tflite_transfer.reference.tflite.graph import DTYPES, Array, Model, Subgraph


@dataclass(frozen=True)
class Handle:
    """The value of a resource tensor: whose variable or table is meant."""

    name: str


class Variables(MutableMapping[str, Array]):
    """Resource variables by name. Those that nothing has assigned yet are not there; only those of the file can be."""

    def __init__(self, model: Model) -> None:
        self._types: dict[str, np.dtype[Any] | None] = {}
        for name, dtype in _declared(model):
            self._types[name] = self._types.get(name) or dtype
        self._values: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        return self._values[name].copy()

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._types:
            raise ModelError(f"the model has no variable {name!r}; it has {sorted(self._types)}.")
        array, dtype = np.asarray(value), self._types[name]
        if dtype is not None and not np.can_cast(array.dtype, dtype, "same_kind"):
            raise ShapeError(f"the variable {name} must be {dtype}, but is {array.dtype}.")
        old = self._values.get(name)
        if old is not None and old.shape != array.shape:
            raise ShapeError(f"the variable {name} has shape {old.shape}, and was given {array.shape}.")
        self._values[name] = np.array(array, dtype)

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def read(self, handle: Handle) -> Array:
        """READ_VARIABLE: the value itself, not to be changed. Raises LookupError before any assignment."""
        if handle.name not in self._values:
            raise LookupError(f"the variable {handle.name!r} is read before anything is assigned to it")
        return self._values[handle.name]

    @property
    def nbytes(self) -> int:
        """What all values take."""
        return sum(v.nbytes for v in self._values.values())

    def held(self) -> Mapping[str, Array]:
        """The values themselves, by name, not to be changed."""
        return self._values

    def size(self, handle: Handle) -> int:
        """The bytes of a variable's value; 0 before any assignment."""
        value = self._values.get(handle.name)
        return 0 if value is None else value.nbytes

    def assign(self, handle: Handle, value: Array, *, copy: bool = True) -> None:
        """ASSIGN_VARIABLE, of any shape. Without a copy ``value`` must not be the caller's, nor a result."""
        self._values.pop(handle.name, None)  # first: there may be no room for both
        self._values[handle.name] = np.array(value) if copy else value


ENTRY = 300  # bytes for a key and a value of a hash table, as Python's objects


@dataclass
class Memory:
    """Everything that outlives a run."""

    variables: Variables
    tables: dict[str, dict[Any, Any]] = field(default_factory=dict)  # hash tables
    begun: set[int] = field(default_factory=set)  # sub-graphs that CALL_ONCE has run
    turn: threading.RLock = field(default_factory=threading.RLock)  # held by a run that changes any of this
    streams: dict[tuple[int, int], Any] = field(default_factory=dict)  # random numbers, by sub-graph and operator
    states: dict[tuple[int, int], tuple[Array, ...]] = field(default_factory=dict)  # of recurrent operators, likewise

    @property
    def nbytes(self) -> int:
        """What it all takes; states take what the file's variable tensors do, which the plan has counted."""
        return self.variables.nbytes + ENTRY * sum(map(len, self.tables.values()))


def handle_name(container: str | None, shared_name: str | None) -> str:
    """LiteRT tells resources apart by both names; a container is rarely given."""
    return f"{container}/{shared_name}" if container else shared_name or ""


def handles_of(graph: Subgraph) -> dict[int, str]:
    """The variable that each resource tensor of a graph stands for."""
    opened = (o for o in graph.operators if o.opcode == "VAR_HANDLE" and o.outputs)
    return {o.outputs[0]: handle_name(o.options.get("container"), o.options.get("shared_name")) for o in opened}


def _declared(model: Model) -> Iterator[tuple[str, np.dtype[Any] | None]]:
    """Each VAR_HANDLE's name, and the type of what is read from it or assigned to it."""
    for graph in model.subgraphs:
        names = handles_of(graph)
        yield from ((name, None) for name in names.values())
        for o in graph.operators:
            if o.opcode in ("READ_VARIABLE", "ASSIGN_VARIABLE") and o.inputs and o.inputs[0] in names:
                value = o.outputs[:1] if o.opcode == "READ_VARIABLE" else o.inputs[1:2]
                for t in value:
                    yield names[o.inputs[0]], DTYPES.get(graph.tensors[t].type)
