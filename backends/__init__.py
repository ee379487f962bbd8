"""Two ways of running the five files behind one Protocol: ``tflite`` (LiteRT) and ``numpy`` (the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from tflite_transfer.backends.base import Backend
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable

if TYPE_CHECKING:
    from tflite_transfer.backends.graphs import GraphBackend

NAMES = ("numpy", "tflite")


@overload
def open_backend(name: str, model: Bundle, num_threads: int | None = None) -> GraphBackend: ...
@overload
def open_backend(name: str, model: Trainable, num_threads: int | None = None) -> Backend: ...
def open_backend(name: str, model: Trainable, num_threads: int | None = None) -> Backend:
    """The backend of that name. Raises OptionError, or MissingExtraError where LiteRT is not installed."""
    if name not in NAMES:
        raise OptionError(f"the backend must be one of {', '.join(NAMES)}, but is {name!r}.")
    if isinstance(model, OneFile):
        from tflite_transfer.backends.one_file import OneFileBackend
        from tflite_transfer.backends.runner import open_runner

        return OneFileBackend(name, model, open_runner(name, model.content, num_threads))
    assert isinstance(model, Bundle)
    if name == "numpy":
        from tflite_transfer.backends.numpy import NumpyBackend

        return NumpyBackend(model, num_threads)
    from tflite_transfer.backends.tflite import TFLiteBackend

    return TFLiteBackend(model, num_threads)
