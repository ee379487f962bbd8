"""Bytes of a .tflite -> ``Model``, checked: every index is in range, every constant has its shape's size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.decode import Table, decode
from tflite_transfer.reference.tflite.enums import OPCODES, TENSOR_TYPES, UNIONS
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import (
    DTYPES,
    Array,
    Model,
    Operator,
    Quantization,
    Signature,
    Subgraph,
    Tensor,
)
from tflite_transfer.reference.tflite.nibbles import size_of
from tflite_transfer.reference.tflite.schema import tables

MOST_AXES = 64  # NumPy's


def read(source: str | Path | bytes, name: str | None = None) -> Model:
    """Read and check a .tflite, given by path or as bytes; ``name`` is what errors call it. Raises ModelError."""
    if isinstance(source, bytes):
        return _model(source, name or "the model")
    path = Path(source)
    return _model(content_of(path), name or path.name)


def content_of(path: Path) -> bytes:
    """A file's bytes. Raises ModelError, also for what has no end, as a pipe or /dev/zero."""
    try:
        regular = path.is_file() or not path.exists()
        if regular:
            return path.read_bytes()
    except (OSError, ValueError) as e:  # ValueError: a path that holds a null byte
        raise ModelError(f"{path} cannot be read: {getattr(e, 'strerror', None) or e}.") from e
    raise ModelError(f"{path} cannot be read: it is not a file.")


def _model(data: bytes, source: str) -> Model:
    tree = decode(data, source)
    if tree["version"] != 3:
        raise ModelError(f"{source} has schema version {tree['version']}; this program reads version 3.")
    check = _Checker(source, len(data))
    buffers = [_buffer(b, data, check) for b in tree["buffers"] or []]
    codes = [_opcode(c) for c in tree["operator_codes"] or []]
    subgraphs = tuple(_subgraph(n, g, codes, buffers, check) for n, g in enumerate(tree["subgraphs"] or []))
    if not subgraphs:
        raise ModelError(f"{source} has no sub-graph.")
    check.place = ""
    signatures = tuple(_signature(s, subgraphs, check) for s in tree["signature_defs"] or [])
    metadata = {}
    for entry in tree["metadata"] or []:
        content = check.item(buffers, entry["buffer"], "metadata buffer")
        metadata[entry["name"] or ""] = b"" if content is None else content.tobytes()
    extra = {k: tree[k] for k in tree if k == "unknown"}
    return Model(subgraphs, signatures, metadata, tree["description"] or "", source, extra)


class _Checker:
    """Turns what is wrong with a file into a ModelError that names the file, and the place that is being read."""

    def __init__(self, source: str, size: int) -> None:
        self.source, self.size, self.place = source, size, ""

    def error(self, what: str) -> ModelError:
        return ModelError(f"{self.source} is damaged: {self.place}{what}.")

    def inside(self, start: int, size: int, what: str) -> None:
        if start + size > self.size:
            raise self.error(f"{what} of {size} bytes stands at byte {start}, and the file has {self.size}")

    def item(self, items: Sequence[Any], index: int, what: str) -> Any:
        if not 0 <= index < len(items):
            raise self.error(f"{what} {index} is asked for, and there are {len(items)}")
        return items[index]

    def indices(self, indices: Array | None, count: int, what: str, *, optional: bool = False) -> tuple[int, ...]:
        found = () if indices is None else tuple(indices.tolist())
        for i in found:
            if not (-1 if optional else 0) <= i < count:
                raise self.error(f"{what} refers to tensor {i}, and there are {count}")
        return found


def _buffer(tree: Table, data: bytes, check: _Checker) -> Array | None:
    if tree["offset"] > 1:  # a model over 2 GB keeps its constants behind the flatbuffer
        check.inside(tree["offset"], tree["size"], "a buffer")
        return np.frombuffer(data, np.uint8, tree["size"], tree["offset"])
    content = tree["data"]
    return content if content is not None and content.size else None


def _opcode(tree: Table) -> Table:
    number = max(tree["builtin_code"], tree["deprecated_builtin_code"])
    name = OPCODES[number] if 0 <= number < len(OPCODES) else f"BUILTIN_{number}"
    return {"opcode": name, "version": tree["version"], "custom_code": tree["custom_code"]}


def _subgraph(number: int, tree: Table, codes: list[Table], buffers: list[Array | None], check: _Checker) -> Subgraph:
    check.place = here = f"sub-graph {number}: "
    tensors = tuple(_tensor(t, buffers, check) for t in tree["tensors"] or [])
    count = len(tensors)
    inputs = check.indices(tree["inputs"], count, "the list of inputs")
    outputs = check.indices(tree["outputs"], count, "the list of outputs")
    operators = []
    for n, operator in enumerate(tree["operators"] or []):
        check.place = f"{here[:-2]}, operator {n}: "
        operators.append(_operator(operator, codes, count, check))
    return Subgraph(
        tensors,
        tuple(operators),
        inputs,
        outputs,
        tree["name"] or "main",
        _rest("SubGraph", tree, "tensors", "operators", "inputs", "outputs", "name"),
    )


def _tensor(tree: Table, buffers: list[Array | None], check: _Checker) -> Tensor:
    name = tree["name"] or ""
    kind = TENSOR_TYPES[tree["type"]] if 0 <= tree["type"] < len(TENSOR_TYPES) else f"TYPE_{tree['type']}"
    shape = _shape(tree["shape"])
    signature = None if tree["shape_signature"] is None else _shape(tree["shape_signature"])
    # Sizes beside a 0: NumPy has no array past 2^63, and a list of 2^20 empty lists takes a second.
    sized = math.prod(max(n, 1) for n in shape) < (2**20 if 0 in shape else 2**62)
    if min(shape, default=0) < 0 or len(shape) > MOST_AXES or not sized or (signature and len(signature) != len(shape)):
        raise check.error(f"tensor {name!r} has shape {shape}, signature {signature}")
    content = check.item(buffers, tree["buffer"], "buffer")
    data = None if content is None else _constant(name, kind, shape, content, tree, check)
    quantization = _quantization(tree["quantization"], name, shape, check)
    rest = _rest("Tensor", tree, "name", "type", "shape", "shape_signature", "buffer", "quantization", "is_variable")
    rest["has_rank"] = tree["has_rank"]  # what the writer makes up is True
    return Tensor(name, shape, kind, data, signature, quantization, tree["is_variable"], rest)


def _shape(values: Array | None) -> tuple[int, ...]:
    return () if values is None else tuple(values.tolist())


def _constant(name: str, kind: str, shape: tuple[int, ...], content: Array, tree: Table, check: _Checker) -> Array:
    dtype = np.dtype(np.uint16) if kind == "BFLOAT16" else DTYPES.get(kind)
    if tree["sparsity"] or (dtype is None and kind != "INT4"):
        return content  # packed in its own way (STRING, sparse): as it stands
    if content.nbytes != (size_of(shape) if dtype is None else math.prod(shape) * dtype.itemsize):
        raise check.error(f"tensor {name!r} is {kind} {shape}, and its constant has {content.nbytes} bytes")
    return content.view(DTYPES[kind]).reshape(shape) if kind in DTYPES else content


def _quantization(tree: Table | None, name: str, shape: tuple[int, ...], check: _Checker) -> Quantization | None:
    if tree is None or all(tree.get(k) is None for k in ("scale", "min", "max", "details", "unknown")):
        return None
    scale = np.zeros(0, np.float32) if tree["scale"] is None else tree["scale"]
    zero = np.zeros(scale.size, np.int64) if tree["zero_point"] is None else tree["zero_point"]
    if zero.size != scale.size:
        raise check.error(f"tensor {name!r} has {scale.size} scales and {zero.size} zero points")
    axis = tree["quantized_dimension"]
    if scale.size > 1 and not (0 <= axis < len(shape) and scale.size == shape[axis]):
        raise check.error(f"tensor {name!r} of shape {shape} has {scale.size} scales along axis {axis}")
    rest = _rest("QuantizationParameters", tree, "scale", "zero_point", "quantized_dimension")
    return Quantization(scale, zero, axis, rest)


def _operator(tree: Table, codes: list[Table], count: int, check: _Checker) -> Operator:
    code = check.item(codes, tree["opcode_index"], "operator code")
    check.place = f"{check.place[:-2]} ({code['custom_code'] or code['opcode']}): "
    check.indices(tree["intermediates"], count, "its list of intermediates", optional=True)
    check.inside(tree["large_custom_options_offset"], tree["large_custom_options_size"], "a table of options")
    which = "builtin_options_2" if tree["builtin_options_2"] is not None else "builtin_options"
    number = tree[which + "_type"]
    table = UNIONS[which][number] if number < len(UNIONS[which]) else f"{which}_{number}"
    return Operator(
        code["opcode"],
        check.indices(tree["inputs"], count, "its list of inputs", optional=True),
        check.indices(tree["outputs"], count, "its list of outputs"),
        _plain(tree[which] or {}),
        table,
        code["version"],
        code["custom_code"],
        _rest("Operator", tree, "opcode_index", "inputs", "outputs", *_OPTION_FIELDS),
    )


_OPTION_FIELDS = ("builtin_options", "builtin_options_type", "builtin_options_2", "builtin_options_2_type")


def _plain(options: Table) -> Mapping[str, Any]:
    return {k: tuple(v.tolist()) if isinstance(v, np.ndarray) else v for k, v in options.items()}


def _signature(tree: Table, subgraphs: Sequence[Subgraph], check: _Checker) -> Signature:
    key, graph = tree["signature_key"] or "", check.item(subgraphs, tree["subgraph_index"], "sub-graph")

    def names(entries: list[Table] | None) -> dict[str, int]:
        found = {e["name"] or "": e["tensor_index"] for e in entries or []}
        if len(found) < len(entries or []):
            raise check.error(f"signature {key!r} has two arguments, or two results, of one name")
        check.indices(np.array(list(found.values()), np.int64), len(graph.tensors), f"signature {key!r}")
        return found

    return Signature(key, names(tree["inputs"]), names(tree["outputs"]), tree["subgraph_index"])


def _rest(table: str, tree: Table, *known: str) -> Table:
    """The fields that nothing here interprets and that hold something else than the schema's default."""
    usual = {f.name: f.default for f in tables()[table] if not f.type.startswith("[")}
    left = {k: v for k, v in tree.items() if k not in known and v is not None}
    return {k: v for k, v in left.items() if k not in usual or v != usual[k]}
