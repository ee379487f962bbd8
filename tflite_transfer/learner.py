"""What training changes: parameters, slots and the position in the shuffle, stepped by chunks and published whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, Backend, Tree
from tflite_transfer.reference.tflite.errors import ShapeError
from tflite_transfer.reference.tflite.trainable import Trainable
from tflite_transfer.samples import Samples
from tflite_transfer.state import Position, State
from tflite_transfer.training import Pace, epoch_batches

AHEAD = 2**27  # bytes of samples that are read before they are needed: 26 steps of 20 x 62,720 features


class Learner:
    """Parameters, optimizer slots and position of one model. One thread trains; threads may call all other methods.

    Parameters are values: a chunk of steps makes a new set, and one assignment publishes it together with the slots
    and the position, so that ``params`` is the old or the new set and never a mix. The slots' memory changes in
    place, which is why ``state`` waits for the running chunk.
    """

    def __init__(self, backend: Backend, bundle: Trainable, seed: int) -> None:
        self._backend, self._bundle = backend, bundle
        self._pace = Pace()
        self._order: tuple[tuple[int, int, int], Array] = (0, 0, 0), np.empty((0, 0), np.int64)
        self._asked = 0  # the first of its batches that nobody was told to read
        self._updating = threading.Lock()  # held from reading the present state to publishing the next: a chunk at most
        self._now = self._begin(seed)

    @property
    def params(self) -> Tree:
        """The parameters that were published last."""
        return self._now.params

    @property
    def seed(self) -> int:
        """What the shuffle is drawn from."""
        return self._now.seed

    def _begin(self, seed: int) -> State:
        return State(*self._backend.initialize(), None, seed, Position())

    def reset(self) -> None:
        """The converted weights, zero slots, and the first epoch's shuffle."""
        with self._updating:
            self._now = self._begin(self.seed)

    def replace(self, parameters: Mapping[str, Any]) -> None:
        """Take other parameters; slots and position stay. Raises ShapeError."""
        shapes = self._bundle.parameters
        if set(parameters) != set(shapes):
            raise ShapeError(f"the model takes the parameters {sorted(shapes)}, but was given {sorted(parameters)}.")
        new = {name: _floats(name, parameters[name]) for name in shapes}
        for name, value in new.items():
            if value.shape != shapes[name]:
                raise ShapeError(f"{name} must have shape {shapes[name]}, but has {value.shape}.")
        with self._updating:
            self._now = replace(self._now, params=new)

    def state(self, classes: tuple[str, ...] | None) -> State:
        """A copy of everything."""
        with self._updating:
            params = {k: np.array(v) for k, v in self._now.params.items()}
            slots = {k: np.array(v) for k, v in self._now.slots.items()}
            return replace(self._now, params=params, slots=slots, classes=classes)

    def restore(self, state: State) -> None:
        """Go on from a state, whose arrays are the learner's from now on."""
        with self._updating:
            self._now = state

    def train_epoch(self, samples: Callable[[], Samples], stop: Callable[[], bool]) -> float | None:
        """Train to the end of an epoch: its mean loss, or None where ``stop`` ended it between two chunks.

        Each chunk goes on from where the learner stands by then, so that an epoch that was stopped, saved or restored
        is finished and not repeated.
        """
        found = samples()
        loss = None
        while loss is None and not stop():
            loss = self._train(found)
        return loss

    def _train(self, samples: Samples) -> float | None:
        """A chunk of steps; the epoch's mean loss if they were its last ones."""
        started = time.perf_counter()
        with self._updating:
            now = self._now
            at = now.position.among(len(samples.numbers))
            batches = self._batches(now.seed, at)
            end = at.done + self._pace.steps
            chunk = samples.numbers[batches[at.done : end]]
            self._fetch(samples, batches, at.done, end)
            steps = self._backend.train(now.params, now.slots, samples.bottlenecks, samples.classes, chunk)
            at = at.after(steps.losses)
            over = at.done == len(batches)
            position = Position(at.epoch + 1) if over else at
            self._now = replace(now, params=steps.params, slots=steps.slots, position=position)
        self._pace.took(len(chunk), time.perf_counter() - started)
        return at.loss / at.done if over else None

    def _batches(self, seed: int, at: Position) -> Array:
        """The epoch's batches, drawn once and not for each chunk."""
        key = (seed, at.epoch, at.samples)
        if self._order[0] != key or not len(self._order[1]):
            self._order, self._asked = (key, epoch_batches(*key, self._bundle.batch)), 0
        return self._order[1]

    def _fetch(self, samples: Samples, batches: Array, begin: int, end: int) -> None:
        """Have a chunk of batches read, and those after it while it is computed; each once."""
        end += max(1, AHEAD // (4 * self._bundle.features * self._bundle.batch))
        samples.fetch(samples.numbers[batches[max(begin, self._asked) : end]])
        self._asked = end


def _floats(name: str, value: Any) -> Array:
    try:
        return np.array(value, np.float32)
    except (ValueError, TypeError) as e:
        raise ShapeError(f"{name} must be an array of numbers, and is none: {e}") from e
