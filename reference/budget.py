"""What one run of a graph may use: a few wrong bytes in a file ask for more memory and time than any machine has."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from tflite_transfer.reference.ops.limit import Allowance
from tflite_transfer.reference.tflite.errors import BudgetError


@dataclass(frozen=True)
class Budget:
    """Limits of one run."""

    bytes: int = 2**32  # of the values held at one time, and of what an operator, or unpacking, needs meanwhile
    operators: int = 10**7  # executed, those within loops each time
    trips: int = 10**6  # of all loops together
    seconds: float = math.inf  # on the clock, kept to within about a second; compiling a kernel, at first, counts too


class Room(Allowance):
    """What a model's constants, and what is computed of them, may still take."""

    def take(self, size: int) -> None:
        """So many bytes of it. Raises ValueError."""
        self.bytes -= size
        if self.bytes < 0:
            raise ValueError("its constants take more memory than the budget, or the file's size, allows")


class Meter(Allowance):
    """What a run has left. Every method raises BudgetError once there is none."""

    def __init__(self, budget: Budget, source: str, threads: int = 1) -> None:
        super().__init__(budget.bytes, time.monotonic() + budget.seconds, threads=threads)
        self.budget, self._source = budget, source
        self._operators = self._trips = 0

    def operator(self) -> None:
        """Another operator begins."""
        self._operators += 1
        if self._operators > self.budget.operators:
            raise self._over("operators", self.budget.operators)
        if time.monotonic() > self.deadline:
            raise self._over("seconds", self.budget.seconds)

    def trip(self) -> None:
        """A loop goes round."""
        self._trips += 1
        if self._trips > self.budget.trips:
            raise self._over("trips", self.budget.trips)

    def hold(self, size: int) -> None:
        """So many bytes more are held; fewer, if negative, which is no error even where too many are left."""
        self.bytes -= size
        if size > 0 and self.bytes < 0:
            raise self._over("bytes", self.budget.bytes)

    def _over(self, what: str, limit: float) -> BudgetError:
        return BudgetError(
            f"{self._source} took more than the {limit:,} {what} of its budget: Budget({what}=...) sets another."
        )
