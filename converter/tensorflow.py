"""The one place that imports TensorFlow."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any

from tflite_transfer.reference.tflite.errors import ModelError, TransferError, missing_extra


def tensorflow(why: str) -> Any:
    """TensorFlow, quiet. Raises MissingExtraError, which says what needs it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow
    except ImportError as e:
        raise missing_extra("tensorflow", why, "convert") from e
    return tensorflow


@contextlib.contextmanager
def converting(what: str) -> Iterator[None]:
    """Run TensorFlow's converter: its errors, which have no common class, become a ModelError of one line."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every variable of what it exports
            yield
    except Exception as e:
        raise ModelError(f"TensorFlow cannot convert {what}: {first_line(e)}") from e


def frozen(function: Any) -> Any:
    """A concrete function whose variables have become constants, called as it called what it captured."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def first_line(error: Exception) -> str:
    """What of TensorFlow's message fits into one of ours; an error of our own passes through."""
    if isinstance(error, TransferError):
        raise error
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0]
