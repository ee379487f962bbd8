"""A model of five files as a ``Training``: train_head gives the gradients, optimizer the new state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from tflite_transfer.backends.numpy import NumpyBackend, recognize
from tflite_transfer.diagnostics.graphs import Pair
from tflite_transfer.diagnostics.sides import Source
from tflite_transfer.diagnostics.training import SIDES, Batch, Stepped, Training, Tree, written
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import BundleError

_PARTS = ("train_head", "optimizer")


class FiveFiles(Training):
    """See ``Training``. The engine ``numpy`` trains by its kernels where it recognises the files, as its backend."""

    update = "optimizer"

    def __init__(self, engines: tuple[str, str], bundles: tuple[Bundle, Bundle]) -> None:
        one = bundles[0]
        states = [{**b.parameters, **b.slots} for b in bundles]
        if states[0] != states[1]:
            raise BundleError(f"the models must have the same parameters and slots, but have {states[0]}, {states[1]}.")
        self._engines, self._bundles = engines, bundles
        self.pairs = {part: Pair(engines, part_of(bundles, part)) for part in _PARTS}
        self.parameters: Sequence[str] = tuple(one.parameters)
        self._state = (*one.parameters, *one.slots)
        head, optimizer = (self.pairs[part].graph for part in _PARTS)
        n = len(self.parameters)
        self.sources: Sequence[int] = optimizer.inputs[n : 2 * n]
        self.read: Mapping[str, int] = dict(zip(one.slots, optimizer.inputs[2 * n :], strict=True))
        places = {("loss", "loss"): written(head, "train_head", head.outputs[0])}
        for name, i in zip(self.parameters, head.outputs[1:], strict=True):
            places["gradient", name] = written(head, "train_head", i)
        for name, i in zip(self._state, optimizer.outputs, strict=True):
            kind = "parameter" if name in self.parameters else "slot"
            places[kind, name] = written(optimizer, "optimizer", i)
        self.places = places

    def start(self) -> Tree:
        return start_of(self._bundles[0])

    def step(self, side: str, state: Tree, batch: Batch) -> Stepped:
        params, slots = ([state[n] for n in names] for names in (self.parameters, self._bundles[0].slots))
        head, (loss, *grads) = self.pairs["train_head"].kept(side, [batch.x, batch.y, *params])
        update, new = self.pairs["optimizer"].kept(side, [*params, *grads, *slots])
        stepped = Stepped(
            {"train_head": head, "optimizer": update},
            loss,
            dict(zip(self.parameters, grads, strict=True)),
            dict(zip(self._state, new, strict=True)),
        )
        return self._by_kernel(side, state, batch, stepped)

    def _by_kernel(self, side: str, state: Tree, batch: Batch, stepped: Stepped) -> Stepped:
        """The step as numpy's kernel makes it, if that is what trains: it takes class numbers."""
        if side not in self._kernels or not ((batch.y == 0) | (batch.y == 1)).all():
            return stepped
        backend, name = self._kernels[side]
        params = {n: state[n] for n in self.parameters}
        slots = {n: state[n].copy() for n in self._bundles[0].slots}  # their memory is used again
        rows = np.arange(len(batch.x))[None]
        x, classes = batch.x.reshape(len(batch.x), -1), batch.y.argmax(axis=1)
        steps = backend.train(params, slots, x, classes, rows)
        return Stepped(stepped.parts, steps.losses[0], stepped.gradients, {**steps.params, **steps.slots}, name)

    @cached_property
    def _kernels(self) -> Mapping[str, tuple[NumpyBackend, str]]:
        """By side: the backend that trains, and what its kernels are called."""
        found = {}
        for side, engine, bundle in zip(SIDES, self._engines, self._bundles, strict=False):
            if engine == "numpy":
                known = recognize(bundle)
                if known.head is not None and known.rule is not None:
                    found[side] = NumpyBackend(bundle), f"softmax, {type(known.rule).__name__}"
        return found


def part_of(bundles: tuple[Bundle, Bundle], part: str) -> tuple[Source, Source]:
    """One of the five files of each."""
    one, other = (Source(b.contents[part], b.models[part]) for b in bundles)
    return one, one if bundles[0] is bundles[1] else other


def start_of(bundle: Bundle) -> Tree:
    """The converted parameters, and slots of 0."""
    params, slots = NumpyBackend(bundle).initialize()
    return {**params, **slots}
