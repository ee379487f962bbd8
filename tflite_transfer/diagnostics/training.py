"""Training steps by two engines, side by side: every operator of a step, and what the step leaves.

Each step runs on both sides and on the oracle. Forced, B and the oracle begin each step from A's state, so that what
one step does wrong is seen by itself; else each goes on from its own, and drift shows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tflite_transfer.diagnostics import metrics, verdicts
from tflite_transfer.diagnostics.findings import Finding
from tflite_transfer.diagnostics.graphs import Pair, Runs, Tensors
from tflite_transfer.diagnostics.replay import spread
from tflite_transfer.diagnostics.sides import ORACLE
from tflite_transfer.reference.tflite.graph import Array, Subgraph

Tree = Mapping[str, Array]
Values = tuple[Array, Array, Array | None]
SIDES = ("a", "b", "oracle")


class Batch(NamedTuple):
    """Examples as the model takes them, and what they are."""

    x: Array
    y: Array


class Place(NamedTuple):
    """Where a quantity stands in A's graphs."""

    part: str
    tensor: int
    operator: int | None
    op: str


def written(graph: Subgraph, part: str, tensor: int) -> Place:
    """What writes a tensor."""
    writers = [(n, o.name) for n, o in enumerate(graph.operators) if tensor in o.outputs]
    return Place(part, tensor, *(writers[-1] if writers else (None, "input")))


@dataclass(frozen=True)
class Stepped:
    """One step of one side. ``maker`` is what made the state, if it was no graph."""

    parts: Mapping[str, Tensors]
    loss: Array
    gradients: Tree
    state: Tree  # new parameters and slots
    maker: str | None = None


class Training(ABC):
    """A model that trains, with two engines and the oracle."""

    pairs: Mapping[str, Pair]  # by part, in the order of a step
    parameters: Sequence[str]  # the other names of the state are slots
    places: Mapping[tuple[str, str], Place]  # by kind and name
    update: str  # the part that makes the new state of the gradients
    sources: Sequence[int]  # what it makes it of besides the old one: gradients; none if one is not known
    read: Mapping[str, int]  # the tensors in it of the old slots

    @abstractmethod
    def start(self) -> Tree:
        """The first state."""

    @abstractmethod
    def step(self, side: str, state: Tree, batch: Batch) -> Stepped:
        """One step of ``a``, ``b`` or the ``oracle``."""

    @property
    def engines(self) -> tuple[str, str]:
        """A's and B's."""
        return next(iter(self.pairs.values())).engines

    @property
    def sides(self) -> Sequence[str]:
        """Those of SIDES that there are."""
        return SIDES if self.judge == "oracle" else SIDES[:2]

    @property
    def judge(self) -> str | None:
        """Which side is the oracle, if there is one for every part."""
        judges = {pair.judge for pair in self.pairs.values()}
        return None if None in judges else judges.pop()


def trained(training: Training, batches: Sequence[Batch], *, forced: bool, alone: bool) -> Iterator[Finding]:
    """Everything that the steps make, in its order."""
    states = dict.fromkeys(training.sides, training.start())
    room: dict[str, Array] = {}  # what the state may be apart by now
    for k, batch in enumerate(batches):
        done = {side: training.step(side, _taken(training, side, states[side]), batch) for side in states}
        if training.judge is not None:
            done["oracle"] = done[training.judge]
        before, old = states[training.judge or "a"], {} if forced else room
        room = _room(training, done, before, old)
        parted = _parted(old, before), not forced and _parted(room, done.get("oracle", done["a"]).state)
        runs = {part: _runs(done, part) for part in training.pairs}
        for part, pair in training.pairs.items():
            yield from pair.findings(runs[part], part, k, alone=alone, judged=not parted[part == training.update])
        yield from _quantities(training, done, runs, room, k, parted=parted, alone=alone)
        states = {side: done["a" if forced else side].state for side in states}


def _runs(done: Mapping[str, Stepped], part: str) -> Runs:
    exact = done["oracle"].parts[part] if "oracle" in done else None
    return Runs(done["a"].parts[part], done["b"].parts[part], exact)


def _parted(room: Tree, exact: Tree) -> bool:
    """May roundings have led two runs apart by more than they can where nothing divides by a gradient's own size?

    Adam does. Where a gradient is only rounding, one run may follow the oracle by chance, and the other does not.
    """
    return any(np.linalg.norm(size) > verdicts.NEAR * np.linalg.norm(exact[name]) for name, size in room.items())


def _taken(training: Training, side: str, state: Tree) -> Tree:
    """A state in the side's own floats."""
    engines = (*training.engines, ORACLE)
    kind = np.float64 if engines[SIDES.index(side)] == ORACLE else np.float32
    return {name: v.astype(kind) if v.dtype.kind == "f" else v for name, v in state.items()}


def _room(training: Training, done: Mapping[str, Stepped], before: Tree, room: Mapping[str, Array]) -> dict[str, Array]:
    """By how much each new parameter and slot may be apart: by what the gradients' own roundings do to the update.

    Nothing is known without an oracle, or where the file does not say which tensors are the gradients.
    """
    parts = [stepped.parts[training.update] for stepped in done.values()]
    if "oracle" not in done or not training.sources or not all(i in part for part in parts for i in training.sources):
        return {}
    exact = done["oracle"]
    kept, *found = (done[side].parts[training.update] for side in ("oracle", "a", "b"))
    errors = {i: _error([side[i] for side in found], kept[i]) for i in training.sources}
    errors |= {i: np.zeros_like(kept[i]) for i in training.read.values()}
    oracle = training.pairs[training.update].oracle
    assert oracle is not None
    wanted = {name: place.tensor for (kind, name), place in training.places.items() if kind in _STATE}
    apart = spread(oracle, kept, errors, wanted)
    return {
        name: room.get(name, 0) + apart[name] + 2.0**-20 * (np.abs(exact.state[name]) + np.abs(before[name]))
        for name in apart
        if exact.state[name].dtype.kind == "f"
    }


def _error(found: Sequence[Array], exact: Array) -> Array:
    """How far gradients may be off: four times what they are, or as far as any of their tensor."""
    off = np.max([np.abs(g - exact) for g in found], axis=0)
    return np.maximum(4 * off, off.max(initial=0)) + 2.0**-22 * np.abs(exact).max(initial=0)


def _quantities(
    training: Training, done: Mapping[str, Stepped], runs: Mapping[str, Runs], room: Tree, step: int,
    *, parted: tuple[bool, bool], alone: bool,
) -> Iterator[Finding]:  # fmt: skip
    """Loss, gradients, parameters and slots. What operators made is judged there, if these are ``alone``."""
    makers = [stepped.maker for side, stepped in done.items() if side != "oracle" and stepped.maker]
    maker = makers[0] if makers else None
    for kind, name, values in _values(training, done):
        place = training.places[kind, name]
        if maker is not None and kind != "gradient":
            place = Place("kernel", place.tensor, None, maker)
        a, b, exact = values
        found = metrics.difference(a, b, allowed=room.get(name) if kind in _STATE else None, exact=exact)
        far = verdicts.from_oracle(a, b, exact)
        judged = kind == "loss" and maker is not None if alone else not parted[place.part == training.update]
        fault = verdicts.unlike(a, b, training.engines)
        if fault is None and kind in _STATE:
            fault = verdicts.of_a_state(found, far)
        elif fault is None and place.operator is not None:
            pair, known = training.pairs[place.part], far if judged else None
            fault = pair.of_a_run(place.operator, place.tensor, runs[place.part], found, known)
        elif fault is None:
            fault = verdicts.of_a_run(found, far if judged else None, training.engines)
        yield Finding(
            kind, step, place.part, place.operator, place.op, place.tensor, name, a.shape, str(a.dtype),
            None, found, far, fault,
        )  # fmt: skip


_STATE = ("parameter", "slot")


def _values(training: Training, done: Mapping[str, Stepped]) -> Iterator[tuple[str, str, Values]]:
    """Kind, name, and the values in A, B and the oracle, of what both have."""
    a, b, exact = done["a"], done["b"], done.get("oracle")
    yield "loss", "loss", (a.loss, b.loss, None if exact is None else exact.loss)
    for name in (n for n in a.gradients if n in b.gradients):
        yield "gradient", name, (a.gradients[name], b.gradients[name], exact and exact.gradients[name])
    for name in (n for n in a.state if n in b.state and (_kind(training, n), n) in training.places):
        yield _kind(training, name), name, (a.state[name], b.state[name], exact and exact.state[name])


def _kind(training: Training, name: str) -> str:
    return "parameter" if name in training.parameters else "slot"
