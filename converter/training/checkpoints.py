"""The tutorial's ``save(checkpoint_path)`` and ``restore(checkpoint_path)``, by two of TensorFlow's kernels.

LiteRT's pip package has neither (Flex): it loads such a file and runs its other signatures. The numpy backend runs
these too, and so do applications that carry TensorFlow's kernels.
"""

from __future__ import annotations

import numpy as np

from tflite_transfer.converter.expressions import Expression, Graph
from tflite_transfer.converter.training.variables import Storage, assign
from tflite_transfer.reference.flex.node import node_options, type_value, types_value
from tflite_transfer.reference.tflite.builder import TYPES
from tflite_transfer.reference.tflite.graph import Operator

PATH = "checkpoint_path"
_ANY_SHARD = b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # the int -1


def signatures(storage: Storage) -> dict[str, Graph]:
    """Both, by name."""
    return {"save": _save(storage), "restore": _restore(storage)}


def _save(storage: Storage) -> Graph:
    """``checkpoint_path -> checkpoint_path``: every variable in TensorFlow's V1 checkpoint file."""
    graph = Graph()
    path = graph.argument(PATH, (), "STRING")
    values = [storage.read(graph, handle, name) for name, handle in storage.opened(graph).items()]
    names = graph[graph.constant("names", _texts(*storage.values))]
    kinds = types_value([v.kind for v in values])
    _flex(graph, "Save", [path, names, *values], [], {"T": kinds})
    graph.result(PATH, path)
    return graph


def _restore(storage: Storage) -> Graph:
    """``checkpoint_path -> every variable by name``."""
    graph = Graph()
    path = graph.argument(PATH, (), "STRING")
    handles = storage.opened(graph)
    for name, value in storage.values.items():
        kind = TYPES[value.dtype]
        text = graph[graph.constant(f"{name}/name", _texts(name).reshape(()))]
        restored = graph[graph.tensor(name, value.shape, kind)]
        _flex(graph, "Restore", [path, text], [restored], {"dt": type_value(kind), "preferred_shard": _ANY_SHARD})
        assign(graph, handles, {name: restored})
        graph.result(name, restored)
    return graph


def _texts(*texts: str) -> np.ndarray:
    found = np.empty(len(texts), object)
    found[:] = [t.encode() for t in texts]
    return found


def _flex(
    graph: Graph, kernel: str, inputs: list[Expression], outputs: list[Expression], attributes: dict[str, bytes]
) -> None:
    options = np.frombuffer(node_options(kernel, len(inputs), attributes), np.uint8)
    given, made = (tuple(e.number for e in side) for side in (inputs, outputs))
    graph.operators.append(
        Operator("CUSTOM", given, made, custom_code=f"Flex{kernel}", extra={"custom_options": options})
    )
