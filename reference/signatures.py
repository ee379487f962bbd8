"""What a model can be asked: names, shapes and types of each signature's arguments and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite.errors import ModelError, ShapeError
from tflite_transfer.reference.tflite.graph import Array, Model, Tensor


@dataclass(frozen=True)
class TensorSpec:
    """An argument or result: its name in the graph, its shape with -1 where any size will do, NumPy's type."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Signature:
    """A function of the file. ``subgraph`` computes it; arguments and results by name."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    subgraph: int = 0


@dataclass(frozen=True)
class Names:
    """A signature's names -> tensor numbers of its sub-graph."""

    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


def signatures(model: Model) -> dict[str, Signature]:
    """All of a model's signatures, by key."""
    return {s.key: _described(model, Names(s.subgraph, s.inputs, s.outputs)) for s in model.signatures}


def names(model: Model, key: str | None) -> Names:
    """Where a signature's arguments and results are; with None, the main graph's by its tensors' names.

    Raises ModelError for a signature that is not there or does not fit its sub-graph.
    """
    if key is None:
        found = Names(0, *({model.main.tensors[i].name: i for i in s} for s in (model.main.inputs, model.main.outputs)))
    else:
        by_key = {s.key: Names(s.subgraph, s.inputs, s.outputs) for s in model.signatures}
        if key not in by_key:
            raise ModelError(f"{model.source} has no signature {key!r}; it has {list(by_key)}.")
        found = by_key[key]
    graph = model.subgraphs[found.subgraph]
    if set(found.inputs.values()) != set(graph.inputs) or not set(found.outputs.values()) <= set(graph.outputs):
        raise ModelError(
            f"{model.source}: the names {sorted(found.inputs)} and {sorted(found.outputs)} do not fit its graph."
        )
    return found


def arguments(model: Model, found: Names, given: Mapping[str, Any], *, resize: bool = False) -> dict[str, Array]:
    """What a signature is given, by name, as its graph takes it. Raises ShapeError, also for a name too many or few."""
    if set(given) != set(found.inputs):
        raise ShapeError(f"{model.source} takes {sorted(found.inputs)}, but was given {sorted(given)}.")
    tensors = model.subgraphs[found.subgraph].tensors
    return {name: fitted(tensors[i], given[name], name, resize=resize) for name, i in found.inputs.items()}


def fitted(tensor: Tensor, value: Any, name: str | None = None, *, resize: bool = False) -> Array:
    """``value`` as the graph takes it: the tensor's type, and its shape wherever that is fixed. Raises ShapeError.

    ``name``: what errors call it. ``resize``: take other sizes than the file's too, as many axes as it has.
    """
    name, dtype = tensor.name if name is None else name, tensor.dtype
    try:
        array = np.asarray(value)
    except ValueError as e:  # rows of several lengths
        raise ShapeError(f"{name} must be an array of {dtype}: {e}.") from e
    if dtype.kind == "O":
        array = _texts(name, array)
    elif array.dtype != dtype and not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ShapeError(f"{name} must be {dtype}, but is {array.dtype}.")
    elif array.dtype != dtype and dtype.kind in "iu" and array.size and not _in_range(array, dtype):
        raise ShapeError(f"{name} must be {dtype}, but holds {array.min()} to {array.max()}.")
    if array.ndim != len(tensor.shape) or not (resize or _fits(array.shape, tensor.free_shape)):
        wanted = tuple("any" if n == -1 or resize else n for n in tensor.free_shape)
        sized = not resize and array.ndim == len(tensor.shape)
        advice = "; Interpreter(resize=True), or run --resize, takes other sizes" if sized else ""
        raise ShapeError(f"{name} must have shape {wanted}, but has {array.shape}{advice}.")
    return array.astype(dtype, copy=False)


def _fits(shape: tuple[int, ...], free: tuple[int, ...]) -> bool:
    return all(n in (-1, m) for n, m in zip(free, shape, strict=True))


def _in_range(array: Array, dtype: np.dtype[Any]) -> bool:
    ends = np.iinfo(dtype)
    return ends.min <= int(array.min()) and int(array.max()) <= ends.max


def _texts(name: str, array: Array) -> Array:
    """Texts as bytes objects, in UTF-8."""
    found = np.empty(array.shape, object)
    for index, text in np.ndenumerate(array):
        if not isinstance(text, str | bytes):
            raise ShapeError(f"{name} must hold texts, but holds {type(text).__name__}.")
        found[index] = text.encode() if isinstance(text, str) else text
    return found


def _described(model: Model, found: Names) -> Signature:
    tensors = model.subgraphs[found.subgraph].tensors

    def specs(side: Mapping[str, int]) -> dict[str, TensorSpec]:
        return {n: TensorSpec(tensors[i].name, tensors[i].free_shape, tensors[i].dtype) for n, i in side.items()}

    return Signature(specs(found.inputs), specs(found.outputs), found.subgraph)
