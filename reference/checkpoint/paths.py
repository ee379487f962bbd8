"""Where a model may write and read: a path that comes from a model is held within a folder that its user names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from tflite_transfer.reference.tflite.errors import StateError

_UNSEEN = ("Cc", "Zl", "Zp")  # Unicode's control characters, line and paragraph separators
LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes: Linux's, and no less than other systems'


def confined(path: str | bytes, folder: Path) -> Path:
    """The place of ``path`` in ``folder``, with links followed. Raises StateError if it is not in there.

    A relative path begins at the folder. ``..`` is refused wherever it leads, and so is what nobody would call a file:
    control characters, which a terminal obeys when the name is listed, and bytes that are no UTF-8 text. What is
    checked is what the disk holds now: the folder must be one where nobody else can put links meanwhile.
    """
    try:
        inner, root = _place(os.fsencode(path)), folder.resolve(strict=True)
        place = (root / inner).resolve()
    except (ValueError, OSError, RuntimeError) as e:  # RuntimeError: links in a circle, before Python 3.13
        raise _refusal(path, folder, str(e)) from e
    if not root.is_dir():
        raise _refusal(path, folder, "the folder is none")
    if root not in place.parents:
        raise _refusal(path, folder, f"it leads to {str(place)!r}")
    return place


def _place(path: bytes) -> Path:
    names = path.split(b"/")
    if not path:
        raise ValueError("it is empty")
    if b"\0" in path:
        raise ValueError("it holds a NUL byte")
    try:
        text = path.decode()
    except UnicodeDecodeError as e:
        raise ValueError("it is not UTF-8") from e
    if any(unicodedata.category(c) in _UNSEEN for c in text):
        raise ValueError("it holds control characters or line breaks")
    if b".." in names:
        raise ValueError("it holds '..'")
    if len(path) > LONGEST_PATH or max(map(len, names)) > LONGEST_NAME:
        raise ValueError(f"it is longer than {LONGEST_PATH} bytes, or a name in it than {LONGEST_NAME}")
    return Path(os.fsdecode(path))


def _refusal(path: str | bytes, folder: Path, why: str) -> StateError:
    shown = repr(path if len(path) <= LONGEST_NAME else path[:LONGEST_NAME])
    return StateError(f"the path {shown} is refused, since it must lie in the folder {str(folder)!r}: {why}.")
