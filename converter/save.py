"""Files into a folder, all of them or none, or one file; and nothing left behind where it fails."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tflite_transfer.reference import atomic
from tflite_transfer.reference.tflite.errors import ModelError, OptionError, OutputExistsError


def check_writable(folder: Path) -> None:
    """Raise ModelError where ``save`` could not write: it is tried, and what was made for that is removed."""
    with _errors(folder):
        _save({"probe": b"?"}, folder.resolve(), keep=False)


def save(contents: Mapping[str, bytes], folder: Path) -> None:
    """Write files, by name, into ``folder``, which is made with its parents. Raises ModelError.

    A folder that is there, or a link to one, keeps whatever else lies in it; its files of these names are replaced.
    """
    with _errors(folder):
        _save(contents, folder.resolve(), keep=True)


def check_file(path: Path, option: str, *, overwrite: bool) -> None:
    """Raise OutputExistsError where a file is there and is not to be replaced, OptionError where none can be."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise OptionError(f"{option} {path} must be a file in a folder that is there.")
    try:
        atomic.check_writable(path)
    except OSError as e:
        raise OptionError(f"{option} {path} cannot be written: {e.strerror}.") from e
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{option} {path} is there already; --overwrite replaces it.")


def save_file(content: bytes, path: Path) -> None:
    """Write one file. Raises ModelError."""
    with _errors(path):
        atomic.write_atomically(path, content)


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as e:  # RuntimeError: links in a circle
        raise ModelError(f"{folder} cannot be written: {getattr(e, 'strerror', None) or e}.") from e


def _save(contents: Mapping[str, bytes], folder: Path, *, keep: bool) -> None:
    home = folder if folder.exists() else folder.parent  # a new folder appears whole, by one rename
    with _made(home, keep=keep), _temporary(home) as new:
        for name, content in contents.items():
            (new / name).write_bytes(content)
        if keep and home == folder:
            with _temporary(home) as old:
                _replace(list(contents), new, folder, old)
        elif keep:
            new.rename(folder)


@contextmanager
def _made(folder: Path, *, keep: bool) -> Iterator[None]:
    """Make ``folder`` and its parents; those that were not there go again after an exception, or if not to be kept."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
        yield
    except BaseException:
        keep = False
        raise
    finally:
        for parent in missing if not keep else ():
            with suppress(OSError):  # not made yet, or in use by somebody else
                parent.rmdir()


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A folder within: so it is on the same disk, and its name does not grow with that of ``folder``."""
    temporary = folder / f".{secrets.token_hex(4)}.tmp"
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(names: list[str], new: Path, folder: Path, old: Path) -> None:
    """Move files from ``new`` into ``folder``; where one cannot be moved, those that were there come back."""
    try:
        for name in names:
            if (folder / name).exists():
                (folder / name).rename(old / name)
            (new / name).rename(folder / name)
    except BaseException:
        for name in names:
            if not (new / name).exists():
                (folder / name).unlink(missing_ok=True)
            if (old / name).exists():
                (old / name).rename(folder / name)
        raise
