"""What is wrong, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A pattern that was seen: ``number`` is the one that shows it; ``advice`` what to do."""

    name: str
    where: str  # a parameter, a slot or a signature
    number: float
    seen: str
    advice: str

    def __str__(self) -> str:
        return f"{self.name} at {self.where}: {self.seen} {self.advice}"
