"""A model that trains, whichever of its two forms it has."""

from __future__ import annotations

from pathlib import Path

from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.one_file import OneFile, load_one_file
from tflite_transfer.reference.tflite.trainable import Trainable


def load_trainable(path: str | Path) -> Trainable:
    """The five files of a folder, or a training model in one file. Raises ModelError."""
    path = Path(path)
    if not path.exists():
        raise ModelError(f"there is no model {path}: neither a folder of five .tflite files nor one file.")
    return load_bundle(path) if path.is_dir() else load_one_file(path)


def load_classifier(path: str | Path) -> Trainable:
    """``load_trainable``, if it tells classes of images. Raises ModelError."""
    found = load_trainable(path)
    why = None
    if not found.image_shape:
        why = f"takes {found.bottleneck_shape} for each example, and no images"
    elif isinstance(found, OneFile) and not found.classifies:
        why = f"learns by {found.loss}, and not classes"
    if why is not None:
        raise ModelError(f"{path} {why}: train it with tflite_transfer.TrainingModel.")
    return found
