"""Which samples make which batch, and how many steps to run before looking up. N samples, B batch."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.errors import OptionError

Array = NDArray[Any]

# A running kernel neither publishes parameters nor sees a cancel: it may take this long at the most.
CHUNK_SECONDS = 0.05


def check_seed(seed: int | None) -> None:
    """Raise OptionError for what no random stream can begin with; None is drawn."""
    if seed is not None and (not isinstance(seed, Integral) or seed < 0):
        raise OptionError(f"seed must be 0 or more, and whole, but is {seed!r}.")


def check_batch_size(size: int | None) -> None:
    """Raise OptionError for what is no number of examples; None is the file's own."""
    if size is not None and (not isinstance(size, Integral) or size < 1):
        raise OptionError(f"batch_size must be a whole number, at least 1, but is {size!r}.")


def check_epochs(number: int, name: str = "num_epochs") -> None:
    """Raise OptionError for what is no number of epochs; ``name`` is the argument's."""
    if not isinstance(number, Integral) or number < 1:
        raise OptionError(f"{name} must be a whole number, at least 1, but is {number!r}.")


def epoch_batches(seed: int, epoch: int, samples: int, batch: int, *, shuffle: bool = True) -> Array:
    """The rows of each batch of an epoch, (ceil(N / B), B), drawn from (seed, epoch, N) alone; or in their order.

    Every batch is full: where B does not divide N, the last one overlaps the one before it.
    """
    order = np.random.default_rng([seed, epoch, samples]).permutation(samples) if shuffle else np.arange(samples)
    starts = np.minimum(np.arange(0, samples, batch), samples - batch)
    return order[starts[:, None] + np.arange(batch)]


class Pace:
    """How many steps a chunk takes, so that it ends well within ``CHUNK_SECONDS``."""

    def __init__(self) -> None:
        self.steps = 1

    def took(self, steps: int, seconds: float) -> None:
        """Learn from a chunk: aim at half the limit, and grow no faster than fourfold (the first step compiles)."""
        fitting = int(0.5 * CHUNK_SECONDS * steps / max(seconds, 1e-9))
        self.steps = min(max(fitting, 1), 4 * self.steps)
