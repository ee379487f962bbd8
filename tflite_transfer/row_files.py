"""Rows of float32 on disk, each with a name: NAME.rows holds (R, F), NAME.index a header and a record for each row.

A row is there once its record is written, and believed as long as its checksum fits. What was not written to its end,
by a process that was killed or on a full disk, is cut off.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import threading
import warnings
import zlib
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.errors import CacheError, OptionError

Array = NDArray[Any]

NAME_BYTES = 32
_ADVICE = hasattr(mmap, "MADV_WILLNEED")  # Windows has no such thing
_NOBODY = bytes(NAME_BYTES)
_MAGIC = b"tflite-transfer bottlenecks 1\n\0\0"
_HEADER = struct.Struct("<32s32sQ")  # what the file is; of what; F
_RECORD = struct.Struct("<32sII")  # the row's name; its CRC-32; that of these two


class RowFiles:
    """Both files, of one process at a time. ``of`` (32 bytes) says what they are of. Threads may call every method.

    Raises OptionError for what can be no folder, CacheError for files in use, or which are none of these.
    """

    def __init__(self, folder: Path, name: str, of: bytes, features: int) -> None:
        self._path = folder / f"{name}.index"
        self._features, self._row_bytes = features, 4 * features
        self._lock = threading.Lock()
        self._checks: list[int] = []
        self._map: mmap.mmap | None = None
        self._all = np.empty((0, features), np.float32)
        self._index, self._rows = _opened(folder, self._path)
        try:
            self.names = self._read_index(_HEADER.pack(_MAGIC, of, features))  # of each row there is; _NOBODY's too
        except BaseException:
            self.close()
            raise

    def append(self, name: bytes, row: Array) -> int:
        """Its number. Raises CacheError where it cannot be written; then all is as it was before."""
        row = np.ascontiguousarray(row, np.float32)
        check = zlib.crc32(row.data)
        with self._lock:
            number = len(self._checks)
            try:
                _write(self._rows, number * self._row_bytes, row.data.cast("B"))
                self._write_record(number, name, check)
            except OSError as e:
                self._cut(number)
                raise CacheError(f"no more bottlenecks can be kept in {self._path.parent}: {e.strerror}.") from e
            self._checks.append(check)
            return number

    def read(self, number: int) -> Array | None:
        """A row (F,); or None, and it has no name from now on, where it is not as it was written."""
        row = np.empty(self._features, np.float32)
        with self._lock:
            self._rows.seek(number * self._row_bytes)
            self._rows.readinto(row.data)
            if zlib.crc32(row.data) == self._checks[number]:
                return row
            self._write_record(number, _NOBODY, 0)
        warnings.warn(f"{self._path.with_suffix('.rows')} is damaged: what was is computed again", stacklevel=2)
        return None

    def all(self) -> Array:
        """Every row, (R, F), where it lies on the disk."""
        with self._lock:
            count = len(self._checks)
            if count > len(self._all):
                self._map = mmap.mmap(self._rows.fileno(), count * self._row_bytes, access=mmap.ACCESS_READ)
                if _ADVICE:  # what is around a row is none of the next ones: see ``fetch``
                    self._map.madvise(mmap.MADV_RANDOM)
                self._all = np.frombuffer(self._map, np.float32).reshape(count, -1)
            return self._all

    def fetch(self, numbers: Array) -> None:
        """Have the system read these rows, and no others, while the caller computes.

        By itself it reads what is around a page, and finds that out page by page: 0.5 GB of shuffled rows in 0.3 GB of
        memory took 12 s, and 6.3 GB were read; so 1.0 s, and 0.5 GB.
        """
        if self._map is None or not _ADVICE:
            return
        for number in numbers.ravel().tolist():
            begin = number * self._row_bytes
            start = begin // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, start, begin + self._row_bytes - start)

    def close(self) -> None:
        """Let others have the files. Arrays from ``all`` stay readable."""
        with self._lock:
            self._rows.close()
            self._index.close()  # and with it the lock

    def _read_index(self, header: bytes) -> list[bytes]:
        """Each row's name."""
        content = self._index.read()
        if header.startswith(content):  # new, or was not written to its end
            _write(self._index, 0, header)
        elif not content.startswith(header):
            raise CacheError(f"{self._path} is damaged, or no index of bottlenecks: delete it, or give another folder.")
        there = (len(content) - len(header)) // _RECORD.size
        count = max(min(there, os.fstat(self._rows.fileno()).st_size // self._row_bytes), 0)
        names, wrong = list[bytes](), max(there - count, 0)
        records = _RECORD.iter_unpack(content[len(header) : len(header) + count * _RECORD.size])
        for number, (name, check, own) in enumerate(records):
            right = own == _check(name, check)
            if not right:
                wrong += 1
                self._write_record(number, _NOBODY, 0)
            names.append(name if right else _NOBODY)
            self._checks.append(check)
        if wrong:
            warnings.warn(f"{self._path}: {wrong} bottleneck(s) are damaged, and are computed again", stacklevel=4)
        self._cut(count)
        return names

    def _write_record(self, number: int, name: bytes, check: int) -> None:
        _write(self._index, _HEADER.size + number * _RECORD.size, _RECORD.pack(name, check, _check(name, check)))

    def _cut(self, count: int) -> None:
        self._index.truncate(_HEADER.size + count * _RECORD.size)
        self._rows.truncate(count * self._row_bytes)


def _check(name: bytes, check: int) -> int:
    return zlib.crc32(check.to_bytes(4, "little"), zlib.crc32(name))


def _opened(folder: Path, index: Path) -> tuple[FileIO, FileIO]:
    """The index, which is locked until it is closed, and the rows."""
    with contextlib.ExitStack() as failed:
        try:
            folder.mkdir(exist_ok=True)
            files = tuple(failed.enter_context(_made(path)) for path in (index, index.with_suffix(".rows")))
            if not _locked(files[0]):
                raise CacheError(f"the cache {folder} is in use: wait for the other training, or give another folder.")
        except OSError as e:
            raise OptionError(f"cache_dir {folder} must be a folder that can be written: {e.strerror}.") from e
        failed.pop_all()
    return files[0], files[1]


def _made(path: Path) -> FileIO:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return FileIO(os.open(path, flags, 0o666), "r+")


def _locked(file: FileIO) -> bool:
    """Whether no other has it locked. The lock ends with the process, however that ends."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _write(file: FileIO, at: int, content: Any) -> None:
    file.seek(at)
    while len(content):
        content = content[file.write(content) :]
