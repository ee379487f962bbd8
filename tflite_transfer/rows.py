"""Where bottlenecks are kept: in memory here, on disk in ``cache.py``. R rows of F features, in no order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.images import ImageLike

Array = NDArray[Any]


class Rows(Protocol):
    """Threads may call every method together."""

    def take(self, image: ImageLike, compute: Callable[[], Array]) -> int:
        """The number of a row that is no other sample's: one kept of this image, else of what ``compute`` gives."""
        ...

    def all(self) -> Array:
        """Every row so far, (R, F); later ones do not change it."""
        ...

    def fetch(self, numbers: Array) -> None:
        """Begin to read rows which will be asked for soon."""
        ...


class MemoryRows:
    """As many rows as the memory holds. It is given at once, and taken page by page as rows are written.

    A doubled array, with the old one beside it until it was copied, would take up to three times the rows' own memory.
    """

    def __init__(self, features: int) -> None:
        self._rows = _reserved(features)
        self._count = 0
        self._lock = threading.Lock()

    def take(self, image: ImageLike, compute: Callable[[], Array]) -> int:  # noqa: ARG002  # it keeps nothing for later
        row = compute()
        with self._lock:
            if self._count == len(self._rows):  # a new array, as a training may still be reading the old one
                more = np.empty((max(64, 2 * self._count), self._rows.shape[1]), np.float32)
                more[: self._count] = self._rows
                self._rows = more
            self._rows[self._count] = row
            self._count += 1
            return self._count - 1

    def all(self) -> Array:
        with self._lock:
            return self._rows[: self._count]

    def fetch(self, numbers: Array) -> None:
        """They are here."""


def _reserved(features: int) -> Array:
    """Three quarters of the machine's memory where it costs nothing until it is written to; else no row yet."""
    number = 0
    if os.name == "posix" and not _addresses_are_counted():
        number = 3 * os.sysconf("SC_PHYS_PAGES") // 4 * os.sysconf("SC_PAGE_SIZE") // (4 * max(features, 1))
    try:
        return np.empty((number, features), np.float32)
    except MemoryError:  # where the system promises no more than it has: vm.overcommit_memory=2
        return np.empty((0, features), np.float32)


def _addresses_are_counted() -> bool:
    """Whether ``ulimit -v`` is set, which counts what is reserved."""
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
