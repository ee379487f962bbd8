"""A model that trains, whichever of its two forms it has."""

from __future__ import annotations

from pathlib import Path

from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.one_file import load_one_file
from tflite_transfer.reference.tflite.trainable import Trainable


def load_trainable(path: str | Path) -> Trainable:
    """The five files of a folder, or a training model in one file that takes images. Raises ModelError."""
    if not Path(path).is_file():
        return load_bundle(path)
    found = load_one_file(path)
    if not found.image_shape:
        raise ModelError(
            f"{path} takes {found.bottleneck_shape} for each example, and no images: train it with "
            "tflite_transfer.TrainingModel."
        )
    return found
