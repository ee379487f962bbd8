"""What a step did to the model's opinion of its batch. B examples, C classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain.batch import Batch

SAMPLE = 0  # the one of the batch whose numbers are shown
BARS = 12  # classes that are shown


class Bar(NamedTuple):
    """A class, and how probable it was and is."""

    name: str
    before: float
    after: float


class Move(NamedTuple):
    """A sample, its class, how probable this was and is, and whether it is the surest now."""

    sample: str
    truth: str
    before: float
    after: float
    right: bool


@dataclass(frozen=True, eq=False)
class Decision:
    """Probabilities of a batch before a step and after it."""

    batch: Batch
    before: Array  # (B, C)
    after: Array  # (B, C)

    @property
    def sample(self) -> str:
        """Where the one that is shown is from."""
        return self.batch.names[SAMPLE]

    @property
    def image(self) -> Array | None:
        """Its pixels in [0, 1], where it is an image."""
        return self.batch.pixels[SAMPLE] if self.batch.images else None

    @property
    def truth(self) -> str:
        """Its class."""
        return self.batch.class_names[int(self.batch.classes[SAMPLE])]

    @property
    def bars(self) -> list[Bar]:
        """Its classes; of many the surest after the step, and the true one."""
        pairs = zip(self.batch.class_names, self.before[SAMPLE], self.after[SAMPLE], strict=True)
        bars = [Bar(name, float(p), float(q)) for name, p, q in pairs]
        if len(bars) <= BARS:
            return bars
        surest = sorted(bars, key=lambda bar: -bar.after)[:BARS]
        return [bar for bar in bars if bar in surest or bar.name == self.truth]

    @property
    def moves(self) -> list[Move]:
        """Every sample of the batch."""
        return [
            Move(name, self.batch.class_names[c], float(p[c]), float(q[c]), int(q.argmax()) == c)
            for name, c, p, q in zip(
                self.batch.names, self.batch.classes.tolist(), self.before, self.after, strict=True
            )
        ]

    @property
    def right(self) -> tuple[int, int]:
        """How many samples the model is right about, before and after."""
        before, after = (int((p.argmax(axis=1) == self.batch.classes).sum()) for p in (self.before, self.after))
        return before, after
