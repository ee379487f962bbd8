"""A training step explained: the model, the batch, the stages, and what came of it. The face of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tflite_transfer.backends.base import one_hot
from tflite_transfer.diagnostics.explain.base import base_of
from tflite_transfer.diagnostics.explain.batch import Start
from tflite_transfer.diagnostics.explain.decision import Decision
from tflite_transfer.diagnostics.explain.find_head import NO_LOSS, find_head
from tflite_transfer.diagnostics.explain.front import FeatureMap, Front, image_stage
from tflite_transfer.diagnostics.explain.given import given
from tflite_transfer.diagnostics.explain.held import Held, exact, held
from tflite_transfer.diagnostics.explain.layout import Layout, layout_of
from tflite_transfer.diagnostics.explain.network import Network
from tflite_transfer.diagnostics.explain.numbers import Numbers, numbers
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.explain.runs import Passes
from tflite_transfer.diagnostics.explain.settled import agree, settled
from tflite_transfer.diagnostics.explain.stage import Stage
from tflite_transfer.diagnostics.explain.step import Step
from tflite_transfer.diagnostics.explain.walk import RULES, stages
from tflite_transfer.diagnostics.gradients.slopes import central_difference, relative_error
from tflite_transfer.diagnostics.page.names import printable
from tflite_transfer.diagnostics.page.numbers import largest, short
from tflite_transfer.diagnostics.sides import ORACLE, is_litert, open_side
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import MissingExtraError, ModelError, UnknownFormError
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable

SLOPE = 1e-4  # of the terms: what float32 takes from p - y, where this is small


class Rounding(NamedTuple):
    """How far a quantity is from float64, as a share of its largest number."""

    letter: str
    own: float  # by its own formula, from float32 inputs
    all: float  # with all that came before


@dataclass(frozen=True, eq=False)
class Explanation:
    """One step of a classifier's last layer."""

    model: str
    rule: str
    step: int
    decision: Decision
    losses: tuple[float, float]
    stages: tuple[Stage, ...]
    maps: tuple[FeatureMap, ...]
    engine: str
    without: str | None  # why nothing, or not all, is held against the engine
    roundings: tuple[Rounding, ...]  # empty where float64 was not asked for

    @property
    def engine_name(self) -> str:
        """What the engine is called in a sentence."""
        return "LiteRT" if is_litert(self.engine) else "the numpy backend"

    @property
    def unheld(self) -> str:
        """What the page says where not all is held against the engine."""
        if self.without is None:
            return ""
        checks = any(s.checks for s in self.stages)
        return f"{'Not all' if checks else 'Nothing'} is held against {self.engine_name}: {self.without}"

    @property
    def agrees(self) -> bool | None:
        """Does the other engine agree in every check? None where there are none."""
        checks = [c for s in self.stages for c in s.checks]
        return all(c.agrees for c in checks) if checks else None


def explained(
    name: str, model: Trainable, start: Start, *, engine: str = "tflite", precision: str = "file", batch: bool = False
) -> Explanation:
    """The step that begins at ``start``. Raises UnknownFormError for a model that is no softmax classifier, ModelError.

    ``engine``: what the reference is held against. ``precision``: ``float64`` computes all of it in double, too.
    ``batch``: also each sample's own gradient.
    """
    assert isinstance(model, OneFile | Bundle)
    layout = layout_of(model, start.slots)
    passes = Passes(model, start, layout.moved)
    layout = settled(layout, passes) if isinstance(model, OneFile) else layout
    head = find_head(layout)
    front = _front(model, layout, head, passes, start)
    found = numbers(
        head, start.params, start.slots, given(head, front, passes, "numpy"),
        one_hot(start.batch.classes, model.classes),
    )  # fmt: skip
    _check_formulas(layout, head, found, passes)
    theirs, without = _held(head, found, passes, engine)
    wide = exact(head, found, given(head, front, passes, ORACLE)) if precision == "float64" else {}
    looked, maps = front.stage(engine if theirs else None, exact=bool(wide))
    seen = (image_stage(model, start.batch),) if start.batch.images else ()
    walked = stages(Step(head, start.batch, found, theirs, wide, front.layers, passes), batch=batch)
    return Explanation(
        printable(name), _told(head), start.step, Decision(start.batch, found["p"], found["p'"]),
        (float(found["L"]), float(found["L'"])), (*seen, looked, *walked),
        tuple(maps), engine, without, _roundings(head, found, passes, wide) if wide else (),
    )  # fmt: skip


def _front(model: OneFile | Bundle, layout: Layout, head: Head, passes: Passes, start: Start) -> Front:
    """A frozen base whose features go right into the last layer, else the layers of the network."""
    based = isinstance(model, Bundle) or model.roles.base is not None
    if based and head.step.tensors.get("x") == layout.x:
        return base_of(model, start.batch)
    return Network(layout, head, passes, "what the frozen base makes of it" if based else "what goes into it")


def _check_formulas(layout: Layout, head: Head, found: Numbers, passes: Passes) -> None:
    """A loss of another form, as one with smoothed labels or weighted classes, is seen by its slopes.

    Raises UnknownFormError.
    """
    if not _is_slope(head, found):
        raise UnknownFormError(NO_LOSS)
    if layout.step is not layout.update and head.divisor is None and not agree(layout, passes):
        raise UnknownFormError("what train_head gives is not the gradient of its loss; see compare --gradients")


def _is_slope(head: Head, found: Numbers) -> bool:
    """Is (p - y) / B the derivative of the file's own loss by the scores? Where these are near 0, L does not tell."""
    try:
        side = open_side(ORACLE, head.step.part.source)
    except ModelError:
        return True  # a base of stored integers has no float64
    line = np.random.default_rng(0).normal(size=found["z"].shape)
    given = {k: v for k, v in found.items() if k == "y" or k in head.parameters or k[:1] == "R"}

    def loss(h: float) -> float:
        return float(head.step.computed(side, {**given, "z": found["z"].astype(np.float64) + h * line}, "L")["L"])

    terms = found["e"].astype(np.float64) / len(line) * line
    return relative_error(central_difference(loss, 1e-5), terms) <= SLOPE


def _held(head: Head, found: Numbers, passes: Passes, engine: str) -> tuple[Mapping[str, Held], str | None]:
    try:
        return held(head, found, passes, engine)
    except MissingExtraError as e:
        return {}, str(e)


def _roundings(head: Head, found: Numbers, passes: Passes, wide: Numbers) -> tuple[Rounding, ...]:
    """Where rounding enters, in the order of the step."""
    alone, _ = held(head, found, passes, ORACLE)
    told = []
    for letter, ours in alone.items():
        size = largest(np.asarray(ours.value)) or 1.0
        mine = np.asarray(found[letter], np.float64)
        own, every = (largest(np.reshape(other, mine.shape) - mine) / size for other in (ours.value, wide[letter]))
        told.append(Rounding(letter, own, every))
    return tuple(told)


def _told(head: Head) -> str:
    decay = "" if head.l2 is None else f", L2 {short(head.l2)}"
    if head.rule is None:
        return f"a rule of its own{decay}"
    return f"{RULES[type(head.rule)].name}, learning rate {short(head.rule.learning_rate)}{decay}"
