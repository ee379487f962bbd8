"""Building a sub-graph operator by operator: tensors are held by number, shapes are given, never inferred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.graph import DTYPES, Array, Model, Operator, Signature, Subgraph, Tensor
from tflite_transfer.reference.tflite.options import options_table
from tflite_transfer.reference.tflite.schema import tables
from tflite_transfer.reference.tflite.splice import renumbered
from tflite_transfer.reference.tflite.texts import packed

TYPES = {np.dtype(object): "STRING"} | {dtype: name for name, dtype in DTYPES.items()}


class GraphBuilder:
    """Collects tensors and operators; ``model`` closes the graph.

    A size of -1 is free: the file's shape holds ``batch`` there, its shape_signature -1.

    >>> g = GraphBuilder()
    >>> x = g.input("x", (-1, 3))
    >>> y = g.output("y", g.op("MUL", [x, g.constant("two", np.float32(2))], "y", (-1, 3)))
    >>> model = g.model("double")
    """

    def __init__(self, base: Subgraph | None = None, *, batch: int = 1) -> None:
        """Start empty, or behind a sub-graph whose numbers stay valid; its inputs and outputs are not taken over."""
        self.batch = batch
        self.tensors: list[Tensor] = list(base.tensors) if base else []
        self.operators: list[Operator] = list(base.operators) if base else []
        self.inputs: dict[str, int] = {}
        self.outputs: dict[str, int] = {}

    def tensor(self, name: str, shape: Sequence[int], kind: str = "FLOAT32", **fields: Any) -> int:
        """Add a tensor; -1 in the shape is a free size."""
        signature = tuple(shape)
        fixed = tuple(self.batch if n == -1 else n for n in signature)
        self.tensors.append(Tensor(name, fixed, kind, signature=signature if fixed != signature else None, **fields))
        return len(self.tensors) - 1

    def input(self, name: str, shape: Sequence[int], kind: str = "FLOAT32") -> int:
        """Add a tensor that the caller gives."""
        self.inputs[name] = self.tensor(name, shape, kind)
        return self.inputs[name]

    def constant(self, name: str, value: Array | np.generic) -> int:
        """Add a tensor whose value the file fixes; texts are an array of bytes objects."""
        array = np.asarray(value)
        data = packed(array) if array.dtype == object else array
        return self.tensor(name, array.shape, TYPES[array.dtype], data=data)

    def output(self, name: str, tensor: int) -> int:
        """Make a tensor a result of the graph."""
        self.outputs[name] = tensor
        return tensor

    def op(
        self,
        opcode: str,
        inputs: Sequence[int],
        name: str,
        shape: Sequence[int],
        kind: str = "FLOAT32",
        *,
        version: int = 1,
        **options: Any,
    ) -> int:
        """Add an operator with one output, and that output's tensor."""
        out = self.tensor(name, shape, kind)
        self.operator(opcode, inputs, [out], version=version, **options)
        return out

    def operator(
        self,
        opcode: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        version: int = 1,
        intermediates: Sequence[int] = (),
        **options: Any,
    ) -> None:
        """Add an operator between tensors that are there; an input -1 is left out.

        Intermediates are what a recurrent operator of integers computes on the way: the file has their scales.
        """
        table = options_table(opcode)
        unknown = set(options) - {f.name for f in tables().get(table, ())}
        if unknown:
            raise TypeError(f"{opcode} has no option {sorted(unknown)}")
        extra = {"intermediates": np.array(intermediates, np.int32)} if intermediates else {}
        self.operators.append(Operator(opcode, tuple(inputs), tuple(outputs), options, table, version, extra=extra))

    def splice(
        self, tensors: Sequence[Tensor], operators: Sequence[Operator], given: Mapping[int, int]
    ) -> Mapping[int, int]:
        """Add another graph behind this one; its numbers -> those here. ``given`` of its tensors are here already."""
        number = {-1: -1, **given}
        for i, tensor in enumerate(tensors):
            if i not in number:
                number[i] = len(self.tensors)
                self.tensors.append(tensor)
        self.operators += [renumbered(o, number) for o in operators]
        return number

    def model(self, key: str, metadata: Mapping[str, bytes] | None = None, description: str = "") -> Model:
        """The finished model: one sub-graph, one signature ``key`` over all its inputs and outputs."""
        graph = Subgraph(
            tuple(self.tensors), tuple(self.operators), tuple(self.inputs.values()), tuple(self.outputs.values()), key
        )
        signature = Signature(key, dict(self.inputs), dict(self.outputs))
        return Model((graph,), (signature,), dict(metadata or {}), description)
