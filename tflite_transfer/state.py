"""What training has learned, in one ``.safetensors`` file: parameters, optimizer slots, and where the shuffle stands.

The file's tensors are the parameters and slots by name. Its header's metadata holds ``format`` (1), ``bundle`` (the
model's id), ``classes`` (a JSON list), ``seed`` and ``epoch``. Either backend reads what the other wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.atomic import write_atomically
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import StateError

Array = NDArray[Any]
FORMAT = "1"


@dataclass(frozen=True)
class State:
    """Everything that training changes."""

    params: Mapping[str, Array]
    slots: Mapping[str, Array]
    classes: tuple[str, ...] | None
    seed: int
    epoch: int  # finished epochs: with the seed, the next shuffle


def save_state(path: Path, state: State, bundle: Bundle) -> None:
    """Write a state, whole or not at all. Raises StateError."""
    from safetensors.numpy import save

    metadata = {
        "format": FORMAT, "bundle": bundle.id, "classes": json.dumps(state.classes, ensure_ascii=False),
        "seed": str(state.seed), "epoch": str(state.epoch),
    }  # fmt: skip
    tensors = {k: np.asarray(v, order="C") for k, v in {**state.params, **state.slots}.items()}
    try:
        write_atomically(path, save(tensors, metadata))
    except OSError as e:
        raise StateError(f"the state cannot be written to {path}: {e.strerror}.") from e


def load_state(path: Path, bundle: Bundle) -> State:
    """Read a state of this very model. Raises StateError, which says what does not fit."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            there = set(file.keys()) & {*bundle.parameters, *bundle.slots}
            tensors = {name: file.get_tensor(name) for name in there}
    except (OSError, SafetensorError, TypeError) as e:  # TypeError: a type that NumPy does not have
        raise StateError(f"{path} cannot be read as a state: {e}") from e
    if metadata.get("format") != FORMAT:
        raise StateError(f"{path} has state format {metadata.get('format')}; this program reads format {FORMAT}.")
    if metadata.get("bundle") != bundle.id:
        raise StateError(f"{path} belongs to the model {metadata.get('bundle')}, and this is {bundle.id}.")
    params = {k: _tensor(path, tensors, k, shape) for k, shape in bundle.parameters.items()}
    slots = {k: _tensor(path, tensors, k, shape) for k, shape in bundle.slots.items()}
    try:
        classes = _classes(json.loads(metadata["classes"]), bundle.classes)
        seed, epoch = (_whole(metadata[key]) for key in ("seed", "epoch"))
    except (KeyError, ValueError) as e:
        raise StateError(f"{path} is damaged: its header lacks seed, epoch or classes ({e}).") from e
    return State(params, slots, classes, seed, epoch)


def _classes(names: Any, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or len(set(names)) != count:
        raise ValueError(f"{names!r} are not the names of {count} classes")
    return tuple(names)


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def _tensor(path: Path, tensors: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    found = tensors.get(name)
    if found is None or found.shape != shape or found.dtype != np.float32:
        what = "is not there" if found is None else f"is {found.dtype} {found.shape}"
        raise StateError(f"{path} does not fit the model: {name} must be float32 {shape}, but {what}.")
    return found
