"""Every training step on every rung: float64 formula, plain NumPy, the compiled kernel, LiteRT.

Each step of each rung starts from where plain NumPy's step before it ended, so that no drift hides an error of one
step. Compared by name: loss, gradients, new parameters, new slots. B examples, F features, C classes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench.cases import head_bundle
from tests.parity import training
from tflite_transfer.backends.base import Array, Tree, one_hot
from tflite_transfer.backends.numpy import NumpyBackend
from tflite_transfer.backends.tflite import TFLiteBackend
from tflite_transfer.converter.optimizers import SGD, Adam
from tflite_transfer.reference.tflite.bundle import Bundle


class Case(NamedTuple):
    """One line of the table."""

    optimizer: str
    l2: float | None
    classes: int
    features: int
    examples: int

    def __str__(self) -> str:
        decay = "" if self.l2 is None else "-l2"
        return f"{self.optimizer}{decay}-C{self.classes}-F{self.features}-B{self.examples}"

    @property
    def size(self) -> int:
        return self.classes * self.features

    def bundle(self) -> Bundle:
        """Files with a rate small enough that 50 steps do not saturate the softmax."""
        rate = 1 / (self.features + 1)
        rule = SGD(rate) if self.optimizer == "sgd" else Adam(0.1 * rate)
        return head_bundle(self.features, self.classes, rule, self.l2)

    def revealing(self) -> Bundle:
        """Files of the same head whose first moment is the gradient itself: Adam with beta1 = 0."""
        return head_bundle(self.features, self.classes, Adam(beta1=0.0), self.l2)


ALL = [
    Case(*row) for row in product(("sgd", "adam"), (None, 0.01), (2, 4, 10, 1000), (1, 7, 1280, 62720), (1, 20, 128))
]
LARGE = 1_300_000  # parameters: more are for the long table
# Every pair of two columns' values that ALL has in a case of at most LARGE parameters; where there was a choice, the
# cheaper case.
COVER = [
    Case("sgd", None, 2, 1, 1), Case("sgd", 0.01, 4, 1, 20), Case("sgd", 0.01, 10, 1, 128),
    Case("adam", None, 1000, 1, 20), Case("adam", 0.01, 2, 7, 128), Case("sgd", None, 4, 7, 1),
    Case("adam", None, 10, 7, 20), Case("sgd", 0.01, 1000, 7, 128), Case("adam", 0.01, 2, 1280, 20),
    Case("adam", None, 4, 1280, 128), Case("adam", 0.01, 10, 1280, 1), Case("sgd", None, 1000, 1280, 1),
    Case("sgd", None, 2, 62720, 128), Case("adam", 0.01, 4, 62720, 20), Case("sgd", None, 10, 62720, 1),
]  # fmt: skip
REST = [case for case in ALL if case not in COVER]


def test_the_cover_has_every_pair() -> None:
    def pairs(cases: list[Case]) -> set[Any]:
        return {(i, case[i], j, case[j]) for case in cases for i, j in combinations(range(len(case)), 2)}

    assert pairs(COVER) == pairs([case for case in ALL if case.size <= LARGE])
    assert len(set(COVER)) == len(COVER)
    assert len(REST) + len(COVER) == len(ALL)


class Problem:
    """Samples, where the training starts, and the rungs."""

    def __init__(self, case: Case, samples: int = 150) -> None:
        self.case, self.bundle = case, case.bundle()
        self.numbers = training.constants(self.bundle)
        self.plain, self.litert = NumpyBackend(self.bundle), TFLiteBackend(self.bundle, 1)
        self.revealing = NumpyBackend(case.revealing())
        self.rng = np.random.default_rng(case[2:])
        self.x = self.rng.standard_normal((samples, case.features), np.float32)
        self.classes = self.rng.integers(0, case.classes, samples)
        ws = self.rng.standard_normal((case.features, case.classes), np.float32) / np.float32(np.sqrt(case.features))
        self.params: Tree = {"ws": ws, "bs": self.rng.standard_normal(case.classes, np.float32)}
        self.slots: Tree = zeros(self.bundle)

    def batch(self, rows: Array) -> tuple[Array, Array]:
        return self.x[rows], one_hot(self.classes[rows], self.case.classes)

    def by_graphs(self, backend: NumpyBackend | TFLiteBackend, rows: Array) -> tuple[Tree, dict[str, Array]]:
        """A step of plain NumPy or LiteRT: its gradients, and all that it gives."""
        loss, grads = backend.gradients(self.params, *self.batch(rows))
        return grads, named(loss, grads, *backend.update(self.params, grads, self.slots))

    def compiled(self, rows: Array) -> tuple[Tree, dict[str, Array]]:
        """A step of the kernel. It writes no gradient out, so that a second step must reveal it."""
        same = self.params, self.x, self.classes, rows[None]
        moments = self.revealing.train(same[0], zeros(self.revealing.bundle), *same[1:]).slots
        grads = {name: moments[f"m_{name}"] for name in self.params}
        slots = {name: slot.copy() for name, slot in self.slots.items()}
        steps = self.plain.train(same[0], slots, *same[1:])
        return grads, named(steps.losses[0], grads, steps.params, steps.slots)


def zeros(bundle: Bundle) -> dict[str, Array]:
    return {name: np.zeros(shape, np.float32) for name, shape in bundle.slots.items()}


def named(loss: Any, grads: Tree, params: Tree, slots: Tree) -> dict[str, Array]:
    return {"loss": loss, **{f"grad_{name}": grad for name, grad in grads.items()}, **params, **slots}


def steps(case: Case, count: int) -> Iterator[dict[tuple[str, str], float]]:
    """Take steps. -> for each the c that every (rung, quantity) needs; "own" where it starts at the rung's gradient."""
    p = Problem(case)
    for _ in range(count):
        rows = p.rng.integers(0, len(p.x), case.examples)
        found: dict[str, Mapping[str, Array]] = {}
        grads: dict[str, Tree] = {}
        grads["numpy"], found["numpy"] = p.by_graphs(p.plain, rows)
        grads["litert"], found["litert"] = p.by_graphs(p.litert, rows)
        grads["numba"], found["numba"] = p.compiled(rows)
        after, slots = p.plain.update(p.params, grads["numba"], p.slots)
        for name, value in {**after, **slots}.items():
            np.testing.assert_array_equal(found["numba"][name], value, err_msg=f"{name}, from the kernel's gradient")
        most: dict[tuple[str, str], float] = defaultdict(float)
        for part in training.whole_step(p.numbers, p.params, p.slots, *p.batch(rows)):
            for rung, values in found.items():
                c = training.needed(values[part.name][part.rows], part.exact)
                most[rung, part.name] = np.maximum(most[rung, part.name], c)
        for rung in ("numpy", "litert"):
            for part in training.update(p.numbers, p.params, p.slots, grads[rung]):
                c = training.needed(found[rung][part.name][part.rows], part.exact)
                most[rung, f"own {part.name}"] = np.maximum(most[rung, f"own {part.name}"], c)
        yield most
        p.params = {name: found["numpy"][name] for name in p.params}
        p.slots = {name: found["numpy"][name] for name in p.slots}
