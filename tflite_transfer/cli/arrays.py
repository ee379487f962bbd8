"""Arrays that a command is given: ``--input NAME=FILE.npy``, once for each argument."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tflite_transfer.reference.tflite.errors import DataError, OptionError

Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="NAME=FILE.npy", help="An argument's value; once for each argument."),
]


def paths(words: list[str]) -> list[Path]:
    """The files that are named."""
    return [Path(word.partition("=")[2]) for word in words]


def arrays(words: list[str]) -> dict[str, Any]:
    """NAME=FILE.npy -> arrays by name."""
    import numpy as np

    found = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise OptionError(f"--input {word} must be NAME=FILE.npy.")
        if name in found:
            raise OptionError(f"--input names {name} more than once.")
        try:
            with Path(path).open("rb") as file:
                found[name] = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError, MemoryError) as e:
            why = (getattr(e, "strerror", None) or str(e)).rstrip(".")
            raise DataError(f"{path} cannot be read as a .npy file: {why}.") from e
    return found
