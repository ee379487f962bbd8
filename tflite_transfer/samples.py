"""The cached samples: bottlenecks in the order in which they were added, whatever order they become ready in."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class SampleStore:
    """Bottlenecks (N, F) and class numbers (N,). A sample takes its place when it is reserved, not when it is ready."""

    def __init__(self, features: int) -> None:
        self._rows = np.empty((0, features), np.float32)
        self._classes = np.empty(0, np.int64)
        self._count = 0  # rows in use
        self._reserved: list[int] = []  # class number of each place
        self._resolved = 0  # places that are in the rows, or were given up
        self._early: dict[int, Array | None] = {}  # ready before a place in front of them
        self._changed = threading.Condition()

    def reserve(self, class_number: int) -> int:
        """The next place, for a bottleneck that is still being computed."""
        with self._changed:
            self._reserved.append(class_number)
            return len(self._reserved) - 1

    def resolve(self, place: int, bottleneck: Array | None) -> None:
        """Fill a place, or give it up with None. A place that is resolved already stays as it is."""
        with self._changed:
            if place < self._resolved or place in self._early:
                return
            self._early[place] = bottleneck
            while self._resolved in self._early:
                row = self._early.pop(self._resolved)
                if row is not None:
                    self._append(row, self._reserved[self._resolved])
                self._resolved += 1
            self._changed.notify_all()

    def _append(self, row: Array, class_number: int) -> None:
        if self._count == len(self._rows):
            # Doubled into a new array: a training may still be reading the old one.
            size = max(64, 2 * self._count)
            rows, classes = np.empty((size, self._rows.shape[1]), np.float32), np.empty(size, np.int64)
            rows[: self._count], classes[: self._count] = self._rows, self._classes
            self._rows, self._classes = rows, classes
        self._rows[self._count], self._classes[self._count] = row, class_number
        self._count += 1

    @property
    def places(self) -> int:
        """How many places were reserved."""
        return len(self._reserved)

    def expected(self) -> int:
        """How many samples there are, counting those still being computed."""
        with self._changed:
            return self._count + len(self._reserved) - self._resolved - sum(r is None for r in self._early.values())

    def wait(self, places: int) -> None:
        """Return when the first ``places`` places are resolved."""
        with self._changed:
            self._changed.wait_for(lambda: self._resolved >= places)

    def snapshot(self) -> tuple[Array, Array]:
        """The bottlenecks (N, F) and class numbers (N,) that are ready; later samples do not change them."""
        with self._changed:
            return self._rows[: self._count], self._classes[: self._count]
