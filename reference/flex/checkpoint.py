"""Saving and restoring variables in TensorFlow's V1 checkpoint file, within the folder that the caller names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.checkpoint import Checkpoint, load_tensor, save
from tflite_transfer.reference.checkpoint.paths import confined
from tflite_transfer.reference.tflite.errors import StateError

Array = NDArray[Any]


def save_tensors(filename: Array, tensor_names: Array, *data: Array, run: Any) -> tuple[()]:
    """A file of named tensors. (), (n,), n times (...)."""
    if tensor_names.size != len(data):
        raise ValueError(f"{tensor_names.size} names for {len(data)} tensors")
    names = [name.decode() for name in tensor_names.reshape(-1).tolist()]
    path = confined(filename.item(), run.folder)
    _check_replaceable(path)
    save(path, dict(zip(names, data, strict=True)))
    return ()


def _check_replaceable(path: Path) -> None:
    """A model may write over a checkpoint, and over nothing else of its user's. Raises StateError."""
    if path.exists():
        try:
            Checkpoint(path).close()
        except StateError as e:
            raise StateError(f"{path} is there already and no checkpoint, so no model may write over it.") from e


def restore_tensor(file_pattern: Array, tensor_name: Array, *, outputs: Any, run: Any) -> Array:
    """One tensor of a file. (), () -> (...)."""
    path = confined(file_pattern.item(), run.folder)
    found = load_tensor(path, tensor_name.item().decode())
    return found.astype(outputs[0].dtype) if np.issubdtype(found.dtype, np.floating) else found
