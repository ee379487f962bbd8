"""What a .tflite says, as frozen dataclasses: build one by hand in three lines, or read it from a file.

Tensors and sub-graphs are referred to by index, as in the file. Constants of INT4 and sparse ones are as they are
stored. ``extra`` keeps the fields that nothing here interprets (sparsity, debug indices, ...), so that writing a model
that was read loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DTYPES = {  # tensor types that NumPy holds as they are
    "FLOAT32": np.dtype(np.float32), "FLOAT16": np.dtype(np.float16), "FLOAT64": np.dtype(np.float64),
    "INT8": np.dtype(np.int8), "UINT8": np.dtype(np.uint8), "INT16": np.dtype(np.int16),
    "UINT16": np.dtype(np.uint16), "INT32": np.dtype(np.int32), "UINT32": np.dtype(np.uint32),
    "INT64": np.dtype(np.int64), "UINT64": np.dtype(np.uint64), "BOOL": np.dtype(np.bool_),
    "COMPLEX64": np.dtype(np.complex64), "COMPLEX128": np.dtype(np.complex128),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Quantization:
    """``real = scale * (stored - zero_point)``, one pair for the tensor or one for each index of ``axis``."""

    scale: Array  # float32 (1,) or (n,)
    zero_point: Array  # int64, as many
    axis: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor's description; ``data`` is its value where the file fixes it (a constant)."""

    name: str
    shape: tuple[int, ...]
    type: str = "FLOAT32"
    data: Array | None = None
    signature: tuple[int, ...] | None = None  # shape_signature: -1 where any size will do
    quantization: Quantization | None = None
    is_variable: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type for it; objects for strings and resources."""
        return DTYPES.get(self.type, np.dtype(object))

    @property
    def free_shape(self) -> tuple[int, ...]:
        """The shape with -1 where any size will do."""
        return self.signature or self.shape


@dataclass(frozen=True)
class Operator:
    """One call: ``opcode`` is the builtin's name, or ``CUSTOM`` with ``custom_code``. An input -1 is left out."""

    opcode: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    options_table: str = "NONE"
    version: int = 1
    custom_code: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What to call the operator in a message: its opcode, or the name of a custom one."""
        return self.custom_code or self.opcode


@dataclass(frozen=True)
class Subgraph:
    """Operators in the order they run, over ``tensors``."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = "main"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def index(self, name: str) -> int | None:
        """The number of the tensor of that name."""
        return next((i for i, t in enumerate(self.tensors) if t.name == name), None)


@dataclass(frozen=True)
class Signature:
    """A function of the file: argument names -> tensor numbers of one sub-graph."""

    key: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    subgraph: int = 0


@dataclass(frozen=True)
class Model:
    """A whole file. ``metadata`` is what a program left in it for another, by name."""

    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...] = ()
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    description: str = ""
    source: str = "the model"  # the file's name, for messages
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> Subgraph:
        """The sub-graph that runs when no signature is named."""
        return self.subgraphs[0]
