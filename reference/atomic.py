"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``: see ``replacing``. Raises OSError."""
    with replacing(path) as file:
        file.write(content)


def check_writable(path: Path) -> None:
    """Raise OSError where ``replacing`` could not put a file: it is tried, and what was made for that is removed."""
    if path.exists() and not path.is_file():
        return
    temporary = _beside(Path(os.path.realpath(path)))
    try:
        temporary.open("xb").close()
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".tflite-transfer-{secrets.token_hex(8)}")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, beside ``path``; at the end it is flushed to the disk and renamed. Raises OSError.

    Until the rename an older file stays as it is, also when the disk is full or an exception passes. The new one has
    the older one's permissions, else those of the umask. A link is followed; what is no file, as /dev/stdout, is
    written to.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))
    temporary = _beside(path)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # only there can a folder be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
