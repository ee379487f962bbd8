"""``Model`` -> bytes of a .tflite. The same model gives the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.decode import Table
from tflite_transfer.reference.tflite.encode import encode
from tflite_transfer.reference.tflite.enums import BUILTIN_OPTIONS, BUILTIN_OPTIONS_2, OPCODES, TENSOR_TYPES
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Model, Operator, Signature, Subgraph, Tensor

_LAST_DEPRECATED_CODE = 127  # PLACEHOLDER_FOR_GREATER_OP_CODES: what old readers see for a newer operator


def write(model: Model) -> bytes:
    """The file's bytes, in the order: tables, then constants in the order in which tensors use them."""
    buffers = _Buffers()
    codes: dict[tuple[str, int, str | None], int] = {}
    subgraphs = [_subgraph(g, codes, buffers) for g in model.subgraphs]
    metadata = [{"name": k, "buffer": buffers.add(np.frombuffer(v, np.uint8))} for k, v in model.metadata.items()]
    tree = {
        "version": 3,
        "operator_codes": [_code(*key) for key in codes],
        "subgraphs": subgraphs,
        "description": model.description or None,
        "buffers": buffers.tables,
        "metadata": metadata or None,
        "signature_defs": [_signature(s) for s in model.signatures] or None,
        **model.extra,
    }
    return encode(tree, size_hint=sum(t["data"].nbytes + 64 for t in buffers.tables[1:]) + (1 << 16))


class _Buffers:
    """The file's buffers; number 0 is empty by rule, and a constant that tensors share stays shared."""

    def __init__(self) -> None:
        self.tables: list[Table] = [{}]
        self.known: dict[tuple[int, int], int] = {}

    def add(self, data: Array | None) -> int:
        if data is None or data.nbytes == 0:
            return 0
        flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        key = (flat.__array_interface__["data"][0], flat.nbytes)
        if key not in self.known:
            self.known[key] = len(self.tables)
            self.tables.append({"data": flat})  # also keeps the array, and so its address, alive
        return self.known[key]


def _code(opcode: str, version: int, custom_code: str | None) -> Table:
    number = OPCODES.index(opcode)
    return {
        "deprecated_builtin_code": min(number, _LAST_DEPRECATED_CODE),
        "builtin_code": number,
        "version": version,
        "custom_code": custom_code,
    }


def _subgraph(graph: Subgraph, codes: dict[tuple[str, int, str | None], int], buffers: _Buffers) -> Table:
    return {
        "tensors": [_tensor(t, buffers) for t in graph.tensors],
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "operators": [_operator(o, codes) for o in graph.operators],
        "name": graph.name,
        **graph.extra,
    }


def _tensor(tensor: Tensor, buffers: _Buffers) -> Table:
    if tensor.type not in TENSOR_TYPES:
        raise ModelError(f"tensor {tensor.name!r} has a type of a newer schema ({tensor.type}): it cannot be written.")
    q = tensor.quantization
    return {
        "shape": tensor.shape,
        "type": TENSOR_TYPES.index(tensor.type),
        "buffer": buffers.add(tensor.data),
        "name": tensor.name,
        "quantization": q and {"scale": q.scale, "zero_point": q.zero_point, "quantized_dimension": q.axis, **q.extra},
        "is_variable": tensor.is_variable,
        "shape_signature": tensor.signature,
        "has_rank": True,
        **tensor.extra,
    }


def _operator(operator: Operator, codes: dict[tuple[str, int, str | None], int]) -> Table:
    if operator.opcode not in OPCODES:
        raise ModelError(f"operator {operator.opcode} is of a newer schema: it cannot be written.")
    if "large_custom_options_size" in operator.extra:
        raise ModelError(f"operator {operator.name} keeps its options behind the tables: it cannot be written.")
    code = codes.setdefault((operator.opcode, operator.version, operator.custom_code), len(codes))
    return {
        "opcode_index": code,
        "inputs": operator.inputs,
        "outputs": operator.outputs,
        **_options(operator),
        **operator.extra,
    }


def _options(operator: Operator) -> dict[str, Any]:
    table = operator.options_table
    if table == "NONE" and not operator.options:
        return {}
    for field, members in (("builtin_options", BUILTIN_OPTIONS), ("builtin_options_2", BUILTIN_OPTIONS_2)):
        if table in members[1:]:
            return {f"{field}_type": members.index(table), field: operator.options}
    raise ModelError(f"operator {operator.name} has options of a newer schema ({table}): it cannot be written.")


def _signature(signature: Signature) -> Table:
    def entries(names: Any) -> list[Table]:
        return [{"name": k, "tensor_index": i} for k, i in names.items()]

    return {
        "inputs": entries(signature.inputs),
        "outputs": entries(signature.outputs),
        "signature_key": signature.key,
        "subgraph_index": signature.subgraph,
    }
