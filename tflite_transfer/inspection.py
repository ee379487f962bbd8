"""What a .tflite holds, as plain values for JSON or for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tflite_transfer.backends.tflite import has_kernel
from tflite_transfer.reference.binding import is_quantised
from tflite_transfer.reference.kernels.table import FAST, FAST_QUANTIZED
from tflite_transfer.reference.missing import missing_of, missing_operators
from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.reference.tflite.graph import Model, Operator, Subgraph, Tensor
from tflite_transfer.reference.tflite.reader import read


def inspect_model(folder: Path) -> dict[str, Any]:
    """A folder of five: what it is, the kernels that the numpy backend takes, and each file."""
    from tflite_transfer.backends.numpy import recognize

    bundle = load_bundle(folder)
    return {
        "bundle": bundle.id,
        "batch": bundle.batch,
        "classes": bundle.classes,
        "class_names": bundle.class_names,
        "kernels": recognize(bundle).kernels(),
        "files": {f"{r}.tflite": _file(m, len(bundle.contents[r])) for r, m in bundle.models.items()},
    }


def inspect_file(path: Path) -> dict[str, Any]:
    """One .tflite."""
    return _file(read(path), path.stat().st_size)


def _file(model: Model, size: int) -> dict[str, Any]:
    graph = model.main
    return {
        "bytes": size,
        "description": model.description,
        "signatures": [
            {"key": s.key, "inputs": dict(s.inputs), "outputs": dict(s.outputs), "subgraph": s.subgraph}
            for s in model.signatures
        ],
        "inputs": [_tensor(graph.tensors[i]) for i in graph.inputs],
        "outputs": [_tensor(graph.tensors[i]) for i in graph.outputs],
        "metadata": {k: _metadata(v) for k, v in model.metadata.items()},
        "missing": sorted({name for g in model.subgraphs for name in missing_operators(g)}),
        "tensors": sum(len(g.tensors) for g in model.subgraphs),
        "constants": sum(t.data.nbytes for g in model.subgraphs for t in g.tensors if t.data is not None),
        "operators": [_operator(g, o) for g in model.subgraphs for o in g.operators],
    }


def _tensor(tensor: Tensor) -> str:
    sizes = ", ".join("any" if n == -1 else str(n) for n in tensor.free_shape)
    return f"{tensor.name} {tensor.type.lower()} ({sizes})"


def _operator(graph: Subgraph, operator: Operator) -> dict[str, Any]:
    """``kernel``: numba, the plain NumPy definition, or None. ``litert``: does LiteRT's pip package have one?"""
    fast = operator.opcode in (FAST_QUANTIZED if is_quantised(graph, operator) else FAST)
    runs = not any(missing_of(graph, operator))
    return {
        "operator": operator.name,
        "kernel": ("numba" if fast else "numpy") if runs else None,
        "litert": has_kernel(operator),
        "inputs": [graph.tensors[i].name if i >= 0 else None for i in operator.inputs],
        "outputs": [_tensor(graph.tensors[i]) for i in operator.outputs],
    }


def _metadata(content: bytes) -> Any:
    """JSON as what it says, other text as it is, the rest as its size."""
    try:
        text = content.decode().rstrip("\0")
        return json.loads(text) if text.startswith("{") else text if text.isprintable() else f"{len(content)} bytes"
    except (ValueError, RecursionError):
        return f"{len(content)} bytes"
