"""A network's own layers in front of its last one: seen by running its step, and running it once more afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.explain import bounds
from tflite_transfer.diagnostics.explain.decision import SAMPLE
from tflite_transfer.diagnostics.explain.front import FeatureMap, Layer, feature_maps
from tflite_transfer.diagnostics.explain.lessons import LESSONS, THETA, A, G, X
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.explain.runs import Once, Run
from tflite_transfer.diagnostics.explain.stage import Check, Stage, Symbol, Value, check
from tflite_transfer.diagnostics.gradients.wiring import Wiring
from tflite_transfer.diagnostics.page.formula import of, symbol
from tflite_transfer.diagnostics.page.names import ending, quoted
from tflite_transfer.diagnostics.page.numbers import shape, short
from tflite_transfer.diagnostics.sides import ORACLE
from tflite_transfer.diagnostics.verdicts import NEAR
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Operator

LAYERS = 40  # parameters that are told one by one
VARIABLES = frozenset({"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE"})


@dataclass(frozen=True, eq=False)
class Network:
    """See ``Front``. ``once`` is the file's own step on the batch, ``values`` parameters and slots before it."""

    head: Head
    once: Once
    values: Tree

    def given(self) -> dict[str, Array]:
        return self._read("numpy", self._ours)

    def exact(self) -> dict[str, Array]:
        return self._read(ORACLE, self._exactly)

    @property
    def layers(self) -> tuple[Layer, ...]:
        before, (now, after) = self.values, self._ours
        gradients = {name: now[i] for name, i in self.head.layers.items()}
        return tuple(Layer(n, before[n], g, after[n] - before[n]) for n, g in gradients.items())

    def stage(self, engine: str | None, *, exact: bool) -> tuple[Stage, list[FeatureMap]]:
        x, told = self._x(self._ours), _largest(self.layers)
        wide = self._x(self._exactly)[SAMPLE] if exact else None
        symbols = [
            Symbol(A, "what goes into it", shape(self._ours.tensors[self.head.step.graph.inputs[0]].shape[1:])),
            Symbol(symbol("f"), "the file's operators up to its last layer", short(len(self._operators))),
            Symbol(X, "features of this sample", shape(x.shape[1:])),
        ]
        values = [Value(X, "all of them", x[SAMPLE], exact=wide)]
        if self.layers:
            size = sum(layer.weights.size for layer in self.layers)
            symbols.append(Symbol(THETA, f"numbers of it that train, in {len(self.layers)} parameters", short(size)))
            values.append(_table(told, len(self.layers)))
        checks, without = ((), "") if engine is None else self._checks(engine, told)
        functions = tuple(dict.fromkeys(TABLE[o.opcode] for o in self._operators if o.opcode in TABLE))
        note = f"{without}``--signature {self._signature}`` shows forward and backward pass operator by operator."
        stage = Stage("bottleneck", LESSONS["network"], tuple(symbols), tuple(values), functions, checks, note)
        return stage, feature_maps(self._wiring.graph, self._images)

    @property
    def _signature(self) -> str:
        """What of the file is shown; of five files train_head."""
        return self.head.step.source.key or "train_head"

    def _checks(self, engine: str, told: tuple[Layer, ...]) -> tuple[tuple[Check, ...], str]:
        """The features and every gradient that is told, of the engine's own run; or why it has none."""
        try:
            return tuple(self._held(self.once(engine, self.values), told)), ""
        except ModelError as e:  # LiteRT sets variables by signatures, which others' files lack
            return (), f"None of this is held against {engine}: {e} "

    def _held(self, theirs: Run, told: tuple[Layer, ...]) -> Iterator[Check]:
        ours, wide = self._ours, self._exactly
        yield check(X, self._x(ours), self._x(theirs), bounds.of_run(self._x(ours), self._x(wide)))
        for layer in told:
            i = self.head.layers[layer.name]
            allowed = bounds.of_run(ours.tensors[i], wide.tensors[i], NEAR)
            yield check(of(G, quoted(layer.name)), ours.tensors[i], theirs.tensors[i], allowed)

    @cached_property
    def _ours(self) -> Run:
        return self.once("numpy", self.values)

    @cached_property
    def _exactly(self) -> Run:
        return self.once(ORACLE, self.values)

    def _read(self, engine: str, now: Run) -> dict[str, Array]:
        """What the step gives and, once more with the variables that it leaves, what comes after it."""
        then = self.once(engine, now.variables)
        found, penalty = {"x": self._x(now), "x'": self._x(then)}, self.head.step.tensors.get("R")
        return found if penalty is None else found | {"R": now.tensors[penalty], "R'": then.tensors[penalty]}

    def _x(self, found: Run) -> Array:
        """The features (B, F)."""
        x = found.tensors[self.head.step.tensors["x"]]
        return x.reshape(len(x), -1)

    @cached_property
    def _wiring(self) -> Wiring:
        return Wiring(self.head.step.graph, self.head.step.tensors["y"], self.head.step.tensors["L"])

    @cached_property
    def _operators(self) -> list[Operator]:
        """Those that the features are made by."""
        made = self._wiring.behind(self.head.step.tensors["x"])
        found = (o for o in self._wiring.graph.operators if made.intersection(o.outputs))
        return [o for o in found if o.opcode not in VARIABLES]

    @property
    def _images(self) -> dict[int, Array]:
        """What operators in front of the features make of the sample, where it is one of a batch of images."""
        tensors = self._ours.tensors
        made = {i: tensors[i] for o in self._operators for i in o.outputs if i in tensors}
        batch = len(self._x(self._ours))
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
