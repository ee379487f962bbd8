"""One fault."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    """A text that stands once in a file, another one for it, and the tests that must fail then: a path, and its -k."""

    file: str
    old: str
    new: str
    tests: str
    keyword: str

    def __str__(self) -> str:
        return " ".join(f"{self.file}: {self.old} -> {self.new}".split())

    def applied(self, root: Path) -> str:
        """The file's text with the fault. Raises ValueError if the old text does not stand there exactly once."""
        text = (root / self.file).read_text()
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self.old!r} stands {text.count(self.old)} times in {self.file}, and must once")
        return text.replace(self.old, self.new)
