"""Every training step on every rung: float64 formula, plain NumPy, the compiled kernel, LiteRT.

Each step of each rung starts from where plain NumPy's step before it ended, so that no drift hides an error of one
step. Compared by name: loss, gradients, new parameters, new slots. B examples, F features, C classes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from tests.cases import Head
from tests.parity import training
from tflite_transfer.backends.base import Array, Tree, one_hot
from tflite_transfer.backends.numpy import NumpyBackend
from tflite_transfer.backends.tflite import TFLiteBackend
from tflite_transfer.converter.training.optimizers import SGD, Adam
from tflite_transfer.reference.tflite.bundle import Bundle


def gentle(case: Head) -> Bundle:
    """Files with a rate small enough that 50 steps do not saturate the softmax."""
    rate = 1 / (case.features + 1)
    return case.bundle(SGD(rate) if case.optimizer == "sgd" else Adam(0.1 * rate))


def revealing(case: Head) -> Bundle:
    """Files of the same head whose first moment is the gradient itself: Adam with beta1 = 0."""
    return case.bundle(Adam(beta1=0.0))


ALL = [
    Head(*row) for row in product(("sgd", "adam"), (None, 0.01), (2, 4, 10, 1000), (1, 7, 1280, 62720), (1, 20, 128))
]
LARGE = 1_300_000  # parameters: more are for the long table
# Every pair of two columns' values that ALL has in a case of at most LARGE parameters; where there was a choice, the
# cheaper case.
COVER = [
    Head("sgd", None, 2, 1, 1), Head("sgd", 0.01, 4, 1, 20), Head("sgd", 0.01, 10, 1, 128),
    Head("adam", None, 1000, 1, 20), Head("adam", 0.01, 2, 7, 128), Head("sgd", None, 4, 7, 1),
    Head("adam", None, 10, 7, 20), Head("sgd", 0.01, 1000, 7, 128), Head("adam", 0.01, 2, 1280, 20),
    Head("adam", None, 4, 1280, 128), Head("adam", 0.01, 10, 1280, 1), Head("sgd", None, 1000, 1280, 1),
    Head("sgd", None, 2, 62720, 128), Head("adam", 0.01, 4, 62720, 20), Head("sgd", None, 10, 62720, 1),
]  # fmt: skip
REST = [case for case in ALL if case not in COVER and case.size <= LARGE]
HUGE = [case for case in ALL if case.size > LARGE and case.examples == 1]  # they stand for every batch size
STEPS = 50


def limit(case: Head, rung: str, name: str) -> float:
    """The c allowed. Seen: the largest in ALL.

    A gradient is a sum over the batch, its terms added in order by every rung, and 128 of them after a large first one
    lose up to 25 (20 of them: 10, one: 2); what follows from the gradient inherits its c.
    """
    if name == "loss":
        # Seen: 1.1. LiteRT's float32 sum of L2's squares loses 5.5 with 1,280,000 of them, with 49 times as many 203
        # where XNNPACK adds in 16 lanes (AVX-512), and 568 in 8 (AVX2), whichever operator squares.
        squares = rung == "litert" and case.l2 is not None
        return (1200.0 if case.size > LARGE else 12.0) if squares else 3.0
    if name.endswith("step"):
        return 0.0
    if name.startswith("own "):  # seen: 1.9 for a parameter, 2.0 for m, 2.9 for v
        return 6.0 if name.startswith("own v_") else 4.0
    return training.GRADIENT_C


def test_the_cover_has_every_pair() -> None:
    def pairs(cases: list[Head]) -> set[Any]:
        return {(i, case[i], j, case[j]) for case in cases for i, j in combinations(range(len(case)), 2)}

    assert pairs(COVER) == pairs([case for case in ALL if case.size <= LARGE])
    assert len(set(COVER)) == len(COVER)
    assert len(COVER) + len(REST) + 3 * len(HUGE) == len(ALL)


class Problem:
    """Samples, where the training starts, and the rungs."""

    def __init__(self, case: Head, samples: int = 150) -> None:
        self.case, self.bundle = case, gentle(case)
        self.numbers = training.constants(self.bundle)
        self.plain, self.litert = NumpyBackend(self.bundle), TFLiteBackend(self.bundle, 1)
        self.revealing = NumpyBackend(revealing(case))
        self.rng = np.random.default_rng(case[2:])
        self.x = self.rng.standard_normal((samples, case.features), np.float32)
        self.classes = self.rng.integers(0, case.classes, samples)
        ws = self.rng.standard_normal((case.features, case.classes), np.float32) / np.float32(np.sqrt(case.features))
        self.params: Tree = {"ws": ws, "bs": self.rng.standard_normal(case.classes, np.float32)}
        self.slots: Tree = zeros(self.bundle)

    def by_graphs(self, backend: NumpyBackend | TFLiteBackend, x: Array, y: Array) -> tuple[Tree, dict[str, Array]]:
        """A step of plain NumPy or LiteRT: its gradients, and all that it gives."""
        loss, grads = backend.gradients(self.params, x, y)
        return grads, named(loss, grads, *backend.update(self.params, grads, self.slots))

    def compiled(self, rows: Array) -> tuple[Tree, dict[str, Array]]:
        """A step of the kernel. It writes no gradient out, so that a second step must reveal it."""
        data = self.x, self.classes, rows[None]
        moments = self.revealing.train(self.params, zeros(self.revealing.bundle), *data).slots
        grads = {name: moments[f"m_{name}"] for name in self.params}
        slots = {name: slot.copy(order="F") for name, slot in self.slots.items()}  # the order of the kernel
        steps = self.plain.train(self.params, slots, *data)
        return grads, named(steps.losses[0], grads, steps.params, steps.slots)


def zeros(bundle: Bundle) -> dict[str, Array]:
    return {name: np.zeros(shape, np.float32, "F") for name, shape in bundle.slots.items()}


def named(loss: Any, grads: Tree, params: Tree, slots: Tree) -> dict[str, Array]:
    return {"loss": loss, **{f"grad_{name}": grad for name, grad in grads.items()}, **params, **slots}


def steps(case: Head, batches: Sequence[int]) -> Iterator[dict[tuple[str, str], float]]:
    """A step for each batch size. -> the c that every (rung, quantity) needs; "own": from the rung's own gradient."""
    p = Problem(case)
    for k, examples in enumerate(batches):
        rows = p.rng.integers(0, len(p.x), examples)
        x, y = p.x[rows], one_hot(p.classes[rows], case.classes)
        found: dict[str, dict[str, Array]] = {}
        grads: dict[str, Tree] = {}
        grads["numpy"], found["numpy"] = p.by_graphs(p.plain, x, y)
        grads["litert"], found["litert"] = p.by_graphs(p.litert, x, y)
        grads["numba"], found["numba"] = p.compiled(rows)
        check_bits(p, grads.pop("numba"), found["numba"])
        share = slice(k, None, 3) if case.size > LARGE else training.ALL  # of these three steps, each a third
        needed = judged(found, training.whole_step(p.numbers, p.params, p.slots, x, y, share))
        for rung, own in grads.items():
            parts = training.update(p.numbers, p.params, p.slots, own, share)
            needed.update(judged({rung: found[rung]}, parts, "own "))
        yield needed
        p.params = {name: found["numpy"][name] for name in p.params}
        p.slots = {name: found["numpy"][name] for name in p.slots}


def judged(found: Mapping[str, Tree], parts: Iterator[training.Part], prefix: str = "") -> dict[tuple[str, str], float]:
    most: dict[tuple[str, str], float] = defaultdict(float)
    for name, rows, exact in parts:
        for rung, values in found.items():
            key = rung, prefix + name
            most[key] = float(np.maximum(most[key], training.needed(values[name][rows], exact)))  # NaN stays NaN
    return most


def check_bits(p: Problem, grads: Tree, found: Tree) -> None:
    """From its own gradient on, the kernel's step is plain NumPy's, to the last bit."""
    for tree in p.plain.update(p.params, grads, p.slots):
        for name, value in tree.items():
            assert np.array_equal(found[name], value), name


def check(case: Head, batches: Sequence[int]) -> None:
    for k, most in enumerate(steps(case, batches)):
        for (rung, name), c in most.items():
            assert c <= limit(case, rung, name), f"{case}, step {k}, {rung}: {name}"


@pytest.mark.parametrize("case", COVER, ids=str)
def test_every_step_on_every_rung(case: Head) -> None:
    check(case, [case.examples] * STEPS)


@pytest.mark.full
def test_sixty_million_weights() -> None:
    """A step for each batch size. One takes 10 GB, and 12 (SGD) or 33 (Adam) seconds of a core: no two at a time."""
    for case in HUGE:
        check(case, (1, 20, 128))


@pytest.mark.full
@pytest.mark.parametrize("case", REST, ids=str)
def test_the_long_table(case: Head) -> None:
    """The large ones by fewer steps: with 50 these took 11 of 12 minutes."""
    check(case, [case.examples] * (20 if case.size > LARGE / 20 else STEPS))


@pytest.mark.parametrize("case", COVER, ids=str)
def test_soft_labels(case: Head) -> None:
    """Which the kernel does not take: gradients of plain NumPy and of LiteRT."""
    p = Problem(case, case.examples)
    y = p.rng.random((case.examples, case.classes), np.float32) ** 3
    y /= y.sum(axis=1, keepdims=True)
    exact = training.gradients(p.numbers, p.params, p.x, y)
    for rung, backend in (("numpy", p.plain), ("litert", p.litert)):
        loss, grads = backend.gradients(p.params, p.x, y)
        for name, value in named(loss, grads, {}, {}).items():
            assert training.needed(value, exact[name]) <= limit(case, rung, name), f"{rung}: {name}"
