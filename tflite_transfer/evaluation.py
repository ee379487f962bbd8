"""How well a model does on samples whose class is known. C classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy, mean cross-entropy, and the confusion matrix: rows are true classes, columns predicted ones."""

    classes: tuple[str, ...]
    loss: float
    accuracy: float
    confusion: Array  # (C, C) int64

    @property
    def samples(self) -> int:
        """How many samples were judged."""
        return int(self.confusion.sum())

    @property
    def per_class(self) -> dict[str, float | None]:
        """The share of each class's samples that was recognised; None for a class without samples."""
        totals = self.confusion.sum(axis=1)
        right = self.confusion.diagonal()
        return {c: float(r / n) if n else None for c, r, n in zip(self.classes, right, totals, strict=True)}


def evaluate(probabilities: Array, truth: Array, classes: tuple[str, ...]) -> Evaluation:
    """Judge probabilities (N, C) by the true class numbers (N,). N must be at least 1.

    The loss is ``mean -log p_true``, without any L2 term; a p that underflowed to 0 counts as the smallest float32.
    """
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (truth, probabilities.argmax(axis=1)), 1)
    p_true = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    loss = float(-np.log(np.maximum(p_true, np.finfo(np.float32).tiny)).mean())
    return Evaluation(classes, loss, float(confusion.trace() / len(truth)), confusion)
