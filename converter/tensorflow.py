"""The one place that imports TensorFlow."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from tflite_transfer.reference.tflite.errors import ModelError, TransferError, missing_extra


def tensorflow(why: str) -> Any:
    """TensorFlow, quiet. Raises MissingExtraError, which says what needs it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _silence() if "tensorflow" not in sys.modules else contextlib.nullcontext():
            import tensorflow
    except ImportError as e:
        raise missing_extra("tensorflow", why, "convert") from e
    return tensorflow


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing on standard error, of C++ neither: importing TensorFlow tells there of GPUs whatever it is told."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def converting(what: str) -> Iterator[None]:
    """Run TensorFlow's converter: its errors, which have no common class, become a ModelError of one line."""
    log = logging.getLogger("tensorflow")  # in a notebook it tells of every folder that the converter makes
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every variable of what it exports
            yield
    except Exception as e:
        raise ModelError(f"TensorFlow cannot convert {what}: {first_line(e)}") from e
    finally:
        log.setLevel(level)


def frozen(function: Any) -> Any:
    """A concrete function whose variables have become constants, called as it called what it captured."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def first_line(error: Exception) -> str:
    """What of TensorFlow's message fits into one of ours; an error of our own passes through."""
    if isinstance(error, TransferError):
        raise error
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if lines[0] == "in user code:" else 0]  # then the reason stands below the calls that led there
