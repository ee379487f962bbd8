"""Every error that this project raises on purpose.

::

    TransferError
    ├── ModelError (ValueError)         a .tflite is damaged, or is not what it must be
    │   ├── UnsupportedOpError          it holds operators that the backend does not have
    │   ├── UnknownFormError            it is sound, but not of the form that is looked for
    │   ├── BudgetError                 running it took more memory, operators, trips or time than it may
    │   └── BundleError                 the files of one folder do not belong together
    ├── ShapeError (ValueError)         an array has the wrong shape or type
    ├── ImageError (ValueError)         an image cannot be read, or holds NaN
    ├── DataError (ValueError)          a data folder, a class name or the number of samples is wrong
    ├── StateError (ValueError)         a saved state is damaged, or belongs to another model
    ├── CacheError                      kept bottlenecks are damaged or in use, or the disk is full
    ├── OptionError (ValueError)        an option has a value that it cannot have
    ├── OutputExistsError               something is there already, and was not to be overwritten
    ├── ClosedError (RuntimeError)      the model was closed
    └── MissingExtraError (ImportError) an optional package is not installed

The family stands in the lowest layer, because every layer raises it; users import it from ``tflite_transfer.errors``.
"""

from __future__ import annotations

from collections.abc import Sequence


class TransferError(Exception):
    """The root: what the command line prints as one line, without a traceback."""


class ModelError(TransferError, ValueError):
    """A .tflite is damaged, or is not what it must be."""


class UnsupportedOpError(ModelError):
    """A graph needs operators that the backend does not have; ``missing`` names them all."""

    def __init__(self, message: str, missing: Sequence[str]) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class UnknownFormError(ModelError):
    """A graph is sound, but not of the form that is looked for in it; the message says what is other."""


class BudgetError(ModelError):
    """A run took more memory, operators, trips of loops or time than its budget allows."""


class BundleError(ModelError):
    """The .tflite files of one folder do not belong together."""


class ShapeError(TransferError, ValueError):
    """An array has another shape or type than the model takes."""


class ImageError(TransferError, ValueError):
    """An image cannot be read, or holds values that are no colours."""


class DataError(TransferError, ValueError):
    """A data folder, a class name or the number of samples is wrong."""


class StateError(TransferError, ValueError):
    """A saved state is damaged, or belongs to another model."""


class CacheError(TransferError):
    """Kept bottlenecks are damaged, or used by another process, or there is no room for more."""


class OptionError(TransferError, ValueError):
    """An option has a value that it cannot have; the command line's exit code is 2."""


class OutputExistsError(TransferError):
    """Something is there already, and was not to be overwritten; the command line's exit code is 2."""


class ClosedError(TransferError, RuntimeError):
    """The model was closed."""


class MissingExtraError(TransferError, ImportError):
    """An optional package is not installed; the message names the ``pip install`` that mends it."""


def missing_extra(package: str, why: str, extra: str) -> MissingExtraError:
    """The one-line answer to a package that is not there."""
    return MissingExtraError(f"{why} needs {package}: pip install {package} (or tflite-transfer[{extra}])")
