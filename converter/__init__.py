"""Makes .tflite files that train: a head on a base in five files or one, or a whole network in one.

TensorFlow is needed only where something is a Keras model or a SavedModel.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite_transfer.converter.one_file import TrainingOptions, make_trainable
    from tflite_transfer.converter.training.optimizers import SGD, KerasAdam, RMSprop

__all__ = ["SGD", "KerasAdam", "RMSprop", "TrainingOptions", "make_trainable"]

_HOMES = {
    "KerasAdam": "training.optimizers",
    "RMSprop": "training.optimizers",
    "SGD": "training.optimizers",
    "TrainingOptions": "one_file",
    "make_trainable": "one_file",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
