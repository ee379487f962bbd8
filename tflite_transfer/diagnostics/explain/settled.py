"""Which tensors are the loss's gradients: those that its own slopes say, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain.layout import Layout
from tflite_transfer.diagnostics.explain.runs import Passes
from tflite_transfer.diagnostics.gradients.slopes import central_difference, lost, relative_error
from tflite_transfer.diagnostics.sides import ORACLE
from tflite_transfer.reference.tflite.errors import ModelError

STEPS = (1e-5, 1e-6, 1e-4)  # the first one does, but where a kink is near
BOUND = 1e-5  # of the terms. Seen: 4e-8 of gradients, tenths of what an update makes of them


def settled(layout: Layout, passes: Passes) -> Layout:
    """The layout with the loss's own gradients, where what the update takes is something else: a share, a clipped one.

    A parameter without any is left out. Wiring alone decides where the file has no float64, as a base of integers.
    """
    if agree(layout, passes):
        return layout
    slopes = _Slopes(layout, passes, passes.now(ORACLE).tensors)
    found = {name: slopes.gradient(name) for name in layout.weights}
    gradients = {name: t for name, t in found.items() if t is not None}
    return replace(layout, gradients=gradients, given={**layout.given, **gradients})


def agree(layout: Layout, passes: Passes) -> bool:
    """Are the layout's gradients those of its loss, as far as float64 can tell?"""
    if not layout.weights:
        return True
    try:
        slopes = _Slopes(layout, passes, passes.now(ORACLE).tensors)
    except ModelError:
        return True
    return slopes.agree(layout.gradients)


@dataclass(frozen=True, eq=False)
class _Slopes:
    """The file's own loss along random lines, and the tensors of its step on them all."""

    layout: Layout
    passes: Passes
    tensors: Mapping[int, Array]

    def agree(self, gradients: Mapping[str, int]) -> bool:
        """Are these the gradients of all parameters? By one line that all of them move along at once."""
        if gradients.keys() < self.layout.weights.keys():
            return False
        lines = {name: self._line(name) for name in self.layout.weights}
        terms = np.concatenate([self.tensors[gradients[n]].reshape(-1) * d.reshape(-1) for n, d in lines.items()])
        return any(self._error(lines, h, terms) <= BOUND for h in STEPS)

    def gradient(self, name: str) -> int | None:
        """The last tensor that is this parameter's."""
        line = {name: self._line(name)}
        slopes = [(h, self._slope(line, h)) for h in STEPS]
        d = line[name]
        for t in (
            t for t in self.layout.wiring.candidates(name) if t in self.tensors and self.tensors[t].size == d.size
        ):
            terms = self.tensors[t].reshape(d.shape) * d
            if any(relative_error(slope, terms, self._lost(h)) <= BOUND for h, slope in slopes):
                return t
        return None

    def _line(self, name: str) -> Array:
        """A direction of length 1."""
        d = np.random.default_rng(0).normal(size=self.passes.values[name].shape)
        return d / np.linalg.norm(d)

    def _error(self, lines: Mapping[str, Array], h: float, terms: Array) -> float:
        return relative_error(self._slope(lines, h), terms, self._lost(h))

    def _slope(self, lines: Mapping[str, Array], h: float) -> float:
        def loss(k: float) -> float:
            moved = {n: self.passes.values[n].astype(np.float64) + k * d for n, d in lines.items()}
            return float(self.passes.once(ORACLE, {**self.passes.values, **moved}).tensors[self.layout.loss])

        return central_difference(loss, h)

    def _lost(self, h: float) -> float:
        return lost(float(self.tensors[self.layout.loss]), h)
