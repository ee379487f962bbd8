"""The cached samples, in the order in which they were added, whatever order their bottlenecks become ready in."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.errors import DataError
from tflite_transfer.rows import Rows

Array = NDArray[Any]


def check_enough(got: int, needed: int) -> None:
    """Raise DataError, with the original program's text, for fewer samples than a batch."""
    if got < needed:
        raise DataError(f"Too few samples to start training: need {needed}, got {got}")


class Samples(NamedTuple):
    """What an epoch trains on: N samples, each in one of R rows."""

    bottlenecks: Array  # (R, F)
    classes: Array  # (R,), class numbers; 0 in rows that are no sample's
    numbers: Array  # (N,), the samples' rows
    fetch: Callable[[Array], None]  # reads rows ahead


class SampleStore:
    """Rows and class numbers. A sample takes its place when it is reserved, not when its bottleneck is ready."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._numbers: list[int] = []  # the samples' rows
        self._classes: list[int] = []  # their class numbers
        self._reserved: list[int] = []  # class number of each place
        self._resolved = 0  # places that are samples, or were given up
        self._early: dict[int, int | None] = {}  # ready before a place in front of them
        self._failed: list[Exception] = []  # since they were last told of
        self._changed = threading.Condition()

    def reserve(self, class_number: int) -> int:
        """The next place, for a bottleneck that is still being computed."""
        with self._changed:
            self._reserved.append(class_number)
            return len(self._reserved) - 1

    def resolve(self, place: int, found: int | Exception | None) -> None:
        """Fill a place with a row, or give it up: with what is wrong with its image, or None where it was cancelled.

        A place that is resolved already stays as it is.
        """
        with self._changed:
            if place < self._resolved or place in self._early:
                return
            if isinstance(found, Exception):
                self._failed.append(found)
                found = None
            self._early[place] = found
            while self._resolved in self._early:
                number = self._early.pop(self._resolved)
                if number is not None:
                    self._numbers.append(number)
                    self._classes.append(self._reserved[self._resolved])
                self._resolved += 1
            self._changed.notify_all()

    @property
    def places(self) -> int:
        """How many places were reserved."""
        return len(self._reserved)

    def expected(self) -> int:
        """How many samples there are, counting those still being computed."""
        with self._changed:
            given_up = sum(number is None for number in self._early.values())
            return len(self._numbers) + len(self._reserved) - self._resolved - given_up

    def wait(self, places: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Return when the first ``places`` places are resolved, or soon after ``stop`` returns True."""
        with self._changed:
            while not stop() and not self._changed.wait_for(lambda: self._resolved >= places, timeout=0.05):
                pass

    def warn_of_failures(self) -> None:
        """One warning for all samples that have no bottleneck since the last call: their futures may be forgotten."""
        with self._changed:
            failed, self._failed = self._failed, []
        if failed:
            warnings.warn(f"{len(failed)} sample(s) are left out of the training: {failed[0]}", stacklevel=2)

    def snapshot(self, needed: int = 0) -> Samples:
        """The samples that are ready; later ones do not change them. Raises DataError if they are too few."""
        with self._changed:
            check_enough(len(self._numbers), needed)
            numbers, of_samples = np.array(self._numbers, np.int64), np.array(self._classes, np.int64)
        bottlenecks = self._rows.all()
        classes = np.zeros(len(bottlenecks), np.int64)
        classes[numbers] = of_samples
        return Samples(bottlenecks, classes, numbers, self._rows.fetch)
