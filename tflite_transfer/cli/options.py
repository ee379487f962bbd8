"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tflite_transfer.reference.tflite.errors import OptionError

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Folder of the five .tflite files, or a training model in one file.")
]
DataDir = Annotated[Path, typer.Argument(metavar="DATA_DIR", help="Folder with one folder of images a class.")]
Backend = Annotated[str, typer.Option("--backend", metavar="numpy|tflite", help="What runs the model.")]
Threads = Annotated[
    int | None, typer.Option("--num_threads", help="Threads to run the model with; one a core by default.")
]
State = Annotated[Path | None, typer.Option("--state", help="A state that train saved.")]
CacheDir = Annotated[
    Path | None,
    typer.Option("--cache_dir", help="A folder that keeps bottlenecks: trains beyond the memory, and is faster again."),
]
ClassNames = Annotated[
    str | None,
    typer.Option(
        "--class_names", metavar="A,B,C", help="The classes in order, instead of the names in the model's files."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
JsonOut = Annotated[
    Path | None,
    typer.Option("--json_out", help="Write that JSON object to a file; a JSON file that is there is replaced."),
]


def names(text: str | None) -> tuple[str, ...] | None:
    """``a,b,c`` -> its parts. Raises OptionError for one that is empty."""
    if text is None:
        return None
    found = tuple(part.strip() for part in text.split(","))
    if "" in found:
        raise OptionError(f"--class_names must be names with commas between them, but is {text!r}.")
    return found
