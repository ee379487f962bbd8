"""One step as its stages are told of it: the numbers, other engines' values of them, and the names of things."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_transfer.diagnostics.explain.batch import Batch
from tflite_transfer.diagnostics.explain.decision import SAMPLE
from tflite_transfer.diagnostics.explain.front import Layer
from tflite_transfer.diagnostics.explain.held import Held
from tflite_transfer.diagnostics.explain.lessons import LESSONS, B, P, W, Y
from tflite_transfer.diagnostics.explain.numbers import Numbers
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.explain.runs import Passes
from tflite_transfer.diagnostics.explain.stage import Check, Lesson, Stage, Symbol, Value, check
from tflite_transfer.diagnostics.page.formula import Math, call, row

LOG_P = call("log", P)
ERROR = row(P, "−", Y)
LETTERS: Mapping[str, Math] = {"W": W, "b": B}
KEYS: Mapping[Math, str] = {LOG_P: "log p", ERROR: "e"}  # where the numbers' names are not the letters' texts


@dataclass(frozen=True, eq=False)
class Step:
    """What the stages are told of: one step's numbers, other engines' values of them, and the names of things."""

    head: Head
    batch: Batch
    found: Numbers
    held: Mapping[str, Held]
    exact: Numbers  # empty where float64 was not asked for
    layers: tuple[Layer, ...]  # what trains in front of the last one
    passes: Passes

    @property
    def letters(self) -> Mapping[str, Math]:
        """W, and b where that trains too."""
        return {k: LETTERS[k] for k in self.head.parameters}

    def of_sample(self, letter: Math, meaning: str, key: str | None = None) -> Value:
        """The sample's row of a quantity (B, C), with the classes' names."""
        key = key or letter.text
        exact = self.exact.get(key)
        row_of = None if exact is None else np.asarray(exact)[SAMPLE]
        return Value(letter, meaning, self.found[key][SAMPLE], columns=self.batch.class_names, exact=row_of)

    def whole(self, letter: Math, meaning: str, key: str | None = None) -> Value:
        """All of a quantity: a parameter's gradient, a loss."""
        key = key or letter.text
        array = np.asarray(self.found[key])
        columns = self.batch.class_names if array.ndim and array.shape[-1] == len(self.batch.class_names) else ()
        return Value(letter, meaning, array, columns=columns, exact=self.exact.get(key))

    def checks(self, *letters: Math) -> tuple[Check, ...]:
        """What the other engine has of these."""
        keys = {letter: KEYS.get(letter, letter.text) for letter in letters}
        held = ((letter, self.found[key], self.held[key]) for letter, key in keys.items() if key in self.held)
        return tuple(check(letter, ours, h.value.reshape(np.shape(ours)), h.allowed) for letter, ours, h in held)


def told_stage(
    key: str,
    symbols: Sequence[Symbol],
    values: Sequence[Value],
    functions: tuple[Callable[..., Any], ...],
    checks: tuple[Check, ...],
    note: str = "",
    lesson: Lesson | None = None,
) -> Stage:
    """A stage with its lesson, or with another one where this model's formula is."""
    return Stage(key, lesson or LESSONS[key], tuple(symbols), tuple(values), functions, checks, note)
