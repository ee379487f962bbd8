"""Two ways of running the five files behind one Protocol: ``tflite`` (LiteRT) and ``numpy`` (the reference)."""

from __future__ import annotations

from tflite_transfer.backends.base import Backend
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import OptionError

NAMES = ("numpy", "tflite")


def open_backend(name: str, bundle: Bundle, num_threads: int | None = None) -> Backend:
    """The backend of that name. Raises OptionError, or MissingExtraError where LiteRT is not installed."""
    if name == "numpy":
        from tflite_transfer.backends.numpy import NumpyBackend

        return NumpyBackend(bundle)
    if name == "tflite":
        from tflite_transfer.backends.tflite import TFLiteBackend

        return TFLiteBackend(bundle, num_threads)
    raise OptionError(f"the backend must be one of {', '.join(NAMES)}, but is {name!r}.")
