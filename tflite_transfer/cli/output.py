"""What commands print: results on standard output, progress on standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tflite_transfer.reference.atomic import check_writable, write_atomically
from tflite_transfer.reference.tflite.errors import OptionError, TransferError

INTERRUPTED = 130  # the exit code


class InterruptError(TransferError):
    """Ctrl-C ended a job; the message says what was saved."""


class CouldNotRunError(TransferError):
    """What was to be compared could not be run; the command line's exit code is 3."""


def report(result: dict[str, Any], text: Iterable[str], *, as_json: bool, json_out: Path | None) -> None:
    """Write a result's JSON to a file if asked; and print it with ``--json``, else the lines of text, in any case.

    JSON has no NaN and no infinity: they become null. It is ASCII, which any terminal and any file's name survives.
    """
    content = json.dumps(_finite(result), allow_nan=False)
    try:
        if json_out is not None:
            write_atomically(json_out, (content + "\n").encode())
    except OSError as e:
        raise TransferError(f"--json_out {json_out} cannot be written: {e.strerror}.") from e
    finally:
        tell([content] if as_json else text)


def tell(lines: Iterable[str]) -> None:
    """Print lines on standard output. Raises TransferError where they cannot be written, but for a closed pipe."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as e:
        raise TransferError(f"standard output cannot be written: {e.strerror}.") from e


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# Results, which may be replaced by new ones.
_BEGINS = {"--json_out": b"{", "--model_explorer": b"{", "--plot": b"\x89PNG", "--report": b"<!do"}


def check_outputs(outputs: Mapping[str, Path | None], others: Iterable[Path | None]) -> None:
    """Find out before a long job that a result could not be written, or would replace what it must not.

    ``outputs`` are files by option, ``others`` what the job reads or writes besides; of a model's folder its files.
    Raises OptionError.
    """
    taken = [file for path in others if path is not None for file in (path, *path.glob("*.tflite"))]
    for option, path in outputs.items():
        if path is None:
            continue
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise OptionError(f"{option} {path} must be a file in a folder that is there.")
        if any(_same(path, other) for other in taken):
            raise OptionError(f"{option} {path} is named for something else too; it needs a file of its own.")
        _check_file(option, path)
        taken.append(path)


def check_folder(option: str, folder: Path) -> None:
    """Find out before a long job that a folder can be written, or made. Raises OptionError."""
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise OptionError(f"{option} {folder} must name a folder that can be written, but {there} is none.")


def check_page(option: str, path: Path | None) -> None:
    """Find out before a long job that a page could not be made. Raises OptionError, or MissingExtraError."""
    if path is None:
        return
    from tflite_transfer.diagnostics.page.template import check_templates

    if path.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"{option} must name a page, PAGE.html, but is {path}.")
    check_templates()


def _check_file(option: str, path: Path) -> None:
    try:
        if option in _BEGINS and path.is_file():
            with path.open("rb") as file:
                if file.read(4)[: len(_BEGINS[option])] not in (b"", _BEGINS[option]):
                    raise OptionError(f"{option} {path} is there, and is another kind of file; it needs another name.")
        check_writable(path)
    except OSError as e:
        raise OptionError(f"{option} {path} cannot be written: {e.strerror}.") from e


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


class Meter(Protocol):
    """Shows how far a job is."""

    def step(self, note: str = "") -> None:
        """One more of the total is done."""
        ...


@contextmanager
def progress(what: str, total: int, *, lines: bool) -> Iterator[Meter]:
    """A bar on a terminal; elsewhere a line for each step that has a note, if ``lines``."""
    if not sys.stderr.isatty():
        yield _Lines(what, total, lines)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, note="")
        yield _Bar(bar, task)


class _Bar:
    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def step(self, note: str = "") -> None:
        self._bar.update(self._task, advance=1, note=note)


class _Lines:
    def __init__(self, what: str, total: int, lines: bool) -> None:
        self._what, self._total, self._lines, self._done = what, total, lines, 0

    def step(self, note: str = "") -> None:
        self._done += 1
        if self._lines:
            print(f"{self._what} {self._done}/{self._total} {note}".rstrip(), file=sys.stderr)
