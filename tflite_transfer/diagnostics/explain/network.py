"""A network's own layers in front of its last one: seen by running its step, and running it once more afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain import bounds
from tflite_transfer.diagnostics.explain.decision import SAMPLE
from tflite_transfer.diagnostics.explain.front import FeatureMap, Layer, feature_maps
from tflite_transfer.diagnostics.explain.layout import Layout
from tflite_transfer.diagnostics.explain.lessons import LESSONS, THETA, A, G, X, Z
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.explain.runs import Passes, Run
from tflite_transfer.diagnostics.explain.stage import Check, Stage, Symbol, Value, check
from tflite_transfer.diagnostics.page.formula import of, symbol
from tflite_transfer.diagnostics.page.names import ending, quoted
from tflite_transfer.diagnostics.page.numbers import shape, short
from tflite_transfer.diagnostics.sides import ORACLE
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Operator

LAYERS = 40  # parameters that are told one by one
LETTERS, NAMES = {"x": X, "z": Z}, {"x": "features", "z": "scores"}
VARIABLES = frozenset({"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE"})


@dataclass(frozen=True, eq=False)
class Network:
    """See ``Front``: all that makes the features, or of a last layer that is not dense the scores.

    ``given_as``: what goes into it.
    """

    layout: Layout
    head: Head
    passes: Passes
    given_as: str

    def given(self, engine: str) -> dict[str, Array]:
        now = self.passes.now(engine)
        return {self._key: self._made(now), f"{self._key}'": self._made(self.passes.then(engine))}

    @property
    def layers(self) -> tuple[Layer, ...]:
        before, (now, after) = self.passes.values, self._ours
        gradients = {name: now[i] for name, i in self.head.layers.items()}
        return tuple(Layer(n, before[n], g, after[n] - before[n]) for n, g in gradients.items())

    def stage(self, engine: str | None, *, exact: bool) -> tuple[Stage, list[FeatureMap]]:
        made, told, letter = self._made(self._ours), _largest(self.layers), LETTERS[self._key]
        wide = self._made(self._exactly)[SAMPLE] if exact else None
        symbols = [
            Symbol(A, self.given_as, shape(self._ours.tensors[self.layout.x].shape[1:])),
            Symbol(symbol("f"), "the file's operators up to there", short(len(self._operators))),
            Symbol(letter, f"{NAMES[self._key]} of this sample", shape(made.shape[1:])),
        ]
        values = [Value(letter, "all of them", made[SAMPLE], exact=wide)]
        if self.layers:
            size, count = sum(layer.weights.size for layer in self.layers), len(self.layers)
            symbols.append(
                Symbol(THETA, f"numbers of it that train, in {count} parameter{'s' * (count > 1)}", short(size))
            )
            values.append(_table(told, len(self.layers)))
        checks, without = ((), "") if engine is None else self._checks(engine, told)
        functions = tuple(dict.fromkeys(TABLE[o.opcode] for o in self._operators if o.opcode in TABLE))
        note = f"{without}``--signature {self._signature}`` shows forward and backward pass operator by operator."
        key, lesson = ("bottleneck", "network" if self.layers else "fixed") if self.head.dense else ("scores", "scores")
        stage = Stage(key, LESSONS[lesson], tuple(symbols), tuple(values), functions, checks, note)
        return stage, feature_maps(self.layout.step.graph, self._images)

    @property
    def _key(self) -> str:
        return "x" if self.head.dense else "z"

    @property
    def _signature(self) -> str:
        """What of the file is shown; of five files train_head."""
        return self.layout.step.source.key or "train_head"

    def _checks(self, engine: str, told: tuple[Layer, ...]) -> tuple[tuple[Check, ...], str]:
        """The features and every gradient that is told, of the engine's own run; or why it has none."""
        try:
            return tuple(self._held(self.passes.now(engine), told)), ""
        except ModelError as e:  # LiteRT sets variables by signatures, which others' files lack
            return (), f"None of this is held against {engine}: {e} "

    def _held(self, theirs: Run, told: tuple[Layer, ...]) -> Iterator[Check]:
        ours, wide = self._ours, self._exactly
        made = self._made(ours)
        yield check(LETTERS[self._key], made, self._made(theirs), bounds.of_run(made, self._made(wide)))
        for layer in told:
            i = self.head.layers[layer.name]
            allowed = bounds.of_gradient(self.layout.step.graph, i, ours.tensors, wide.tensors)
            yield check(of(G, quoted(layer.name)), ours.tensors[i], theirs.tensors[i], allowed)

    @property
    def _ours(self) -> Run:
        return self.passes.now("numpy")

    @property
    def _exactly(self) -> Run:
        return self.passes.now(ORACLE)

    def _made(self, found: Run) -> Array:
        """The features (B, F), or the scores (B, C)."""
        made = found.tensors[self.head.step.tensors[self._key]]
        return made.reshape(len(made), -1)

    @cached_property
    def _operators(self) -> list[Operator]:
        """Those that the features, or the scores, are made by."""
        made = self.layout.wiring.behind(self.head.step.tensors[self._key])
        found = (o for o in self.layout.step.graph.operators if made.intersection(o.outputs))
        return [o for o in found if o.opcode not in VARIABLES]

    @property
    def _images(self) -> dict[int, Array]:
        """What operators in front of the features make of the sample, where it is one of a batch of images."""
        tensors = self._ours.tensors
        made = {i: tensors[i] for o in self._operators for i in o.outputs if i in tensors}
        batch = len(self._made(self._ours))
        return {i: t[SAMPLE : SAMPLE + 1] for i, t in made.items() if t.ndim == 4 and len(t) == batch}


def _largest(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Those with the largest gradients, in the network's order."""
    kept = sorted(layers, key=lambda layer: -_norm(layer.gradient))[:LAYERS]
    return tuple(layer for layer in layers if layer in kept)


def _table(told: tuple[Layer, ...], count: int) -> Value:
    """A line a parameter."""
    sizes = np.array([[_norm(layer.weights), _norm(layer.gradient), _norm(layer.move)] for layer in told])
    which = "every parameter" if len(told) == count else f"the {len(told)} of {count} parameters"
    more = "" if len(told) == count else " with the largest gradients"
    rows = tuple(f"{ending(layer.name, 28)} {shape(layer.weights.shape)}" for layer in told)
    return Value(
        THETA, f"{which} in front of the last layer{more}, as lengths of vectors", sizes, rows,
        ("size", "gradient", "move"), kind="path",
    )  # fmt: skip


def _norm(array: Array) -> float:
    """Euclidean."""
    return float(np.sqrt(np.square(array, dtype=np.float64).sum()))
