"""The step on other engines: LiteRT stage by stage on our inputs, the float64 oracle from beginning to end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.bounds import TINY
from tflite_transfer.diagnostics.explain import bounds
from tflite_transfer.diagnostics.explain.numbers import Numbers
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.explain.runs import Passes
from tflite_transfer.diagnostics.metrics import distance
from tflite_transfer.diagnostics.sides import ORACLE, Side, open_side
from tflite_transfer.diagnostics.verdicts import FURTHER
from tflite_transfer.reference import head as definition
from tflite_transfer.reference.tflite.errors import ModelError

# What each quantity is computed from, when it is held against another engine: so its own roundings alone show.
STEP: Mapping[str, tuple[str, ...]] = {
    "z": ("x", "W", "b"), "p": ("z",), "log p": ("z",), "e": ("p", "y"), "d": ("z", "e", "y"), "L": ("z", "y", "W"),
    "g_W": ("x", "y", "e", "d", "W"), "g_b": ("y", "e", "d", "b"),
}  # fmt: skip
UPDATE = 16 * 2.0**-24  # a rule's few operators, on numbers that do not cancel
OF_A_RUN = ("z", "g_W", "g_b")  # of a layer that is not dense: by all operators in front


@dataclass(frozen=True, eq=False)
class Held:
    """An engine's value of a quantity, and how far it may be from ours."""

    value: Array
    allowed: Array | None


def held(head: Head, found: Numbers, passes: Passes, engine: str) -> tuple[dict[str, Held], str | None]:
    """Every quantity that the file computes, by letter; and why some are not, where the engine lacks an operator.

    Raises MissingExtraError where LiteRT is not installed.
    """
    step, update = _sides(head, engine)
    allowed, theirs, without = _allowed(head, found), dict[str, Array](), None
    groups = [(head.step, step, given, [letter]) for letter, given in _of_step(head).items()]
    for places, side, given, wanted in (*groups, (head.update, update, *_of_update(head))):
        value = places.reader(side, {k: found[k] for k in given if k in found})
        for letter in wanted:
            try:
                theirs[letter] = value(letter)
            except ModelError as e:
                without = without or str(e)
    made = {k: Held(value, allowed[k]) for k, value in theirs.items() if k in allowed}
    if not head.dense and engine != ORACLE:
        try:
            made |= _of_run(head, passes, engine)
        except ModelError as e:  # LiteRT sets variables by signatures, which others' files lack
            without = without or str(e)
    return made, without


def _of_step(head: Head) -> dict[str, tuple[str, ...]]:
    terms = tuple(f"{k}{i}" for k, n in head.terms.items() for i in range(n))
    skipped = () if head.dense else OF_A_RUN
    return {k: (*given, *terms) for k, given in STEP.items() if k in head.step.tensors and k not in skipped}


def _of_update(head: Head) -> tuple[list[str], list[str]]:
    """All that is before the step, and all that comes of it but for its number."""
    after = [k for k in head.update.tensors if k[-1] == "'" or "\u0302" in k]
    return [k for k in head.update.tensors if k not in after], [k for k in after if k != "t'"]


def _allowed(head: Head, found: Numbers) -> dict[str, Array | None]:
    allowed: dict[str, Array | None] = {**bounds.of_step(found, head)}
    if head.rule is None:
        return allowed | _allowed_of_unknown(head, found)
    for name in head.parameters:
        allowed |= bounds.of_update(name, found, head.rule)
    return allowed


def _allowed_of_unknown(head: Head, found: Numbers) -> dict[str, Array | None]:
    """Of a rule without a formula: by how far our own run of its operators is from float64."""
    _, side = _sides(head, ORACLE)
    before, after = _of_update(head)
    wide, value = dict[str, Array](), head.update.reader(side, {k: found[k] for k in before if k in found})
    for letter in after:
        with suppress(ModelError):  # what is made of other parameters' gradients too is held against nothing
            wide[letter] = value(letter)
    return {k: FURTHER * distance(found[k], v).max(initial=0) + UPDATE * np.abs(v) + TINY for k, v in wide.items()}


def _of_run(head: Head, passes: Passes, engine: str) -> dict[str, Held]:
    ours, theirs, wide = (passes.now(e).tensors for e in ("numpy", engine, ORACLE))
    found, graph = dict[str, Held](), head.step.part.graph
    for k, i in head.step.tensors.items():
        if k in OF_A_RUN:
            allowed = bounds.of_run(ours[i], wide[i]) if k == "z" else bounds.of_gradient(graph, i, ours, wide)
            found[k] = Held(theirs[i], allowed)
    return found


def exact(head: Head, found: Numbers, given: Numbers) -> dict[str, Array]:
    """The step in float64 by the file's own graph, from what is ``given`` as in ``numbers``: what float32 rounds."""
    step, update = _sides(head, ORACLE)
    now, then = ({k.rstrip("'"): v for k, v in given.items() if (k[-1] == "'") == after} for after in (False, True))
    known = {**{k: found[k] for k in ("y", *head.parameters)}, **now}
    made = now | head.step.computed(step, known, *(k for k in head.step.tensors if k not in known))
    letters, wanted = _of_update(head)
    before = {k: made[k] if k in made else found[k] for k in letters}
    own = {k: v for k, v in given.items() if k in wanted}  # of a rule that is not known
    made |= own if head.rule is None else head.update.computed(update, before, *wanted)
    new = {k: made[f"{k}'"] for k in head.parameters}
    after = {**{k: now[k] for k in ("x", "b", "z") if k in now}, **then, **new, "y": found["y"]}
    after |= head.step.computed(step, after, "z")
    loss = head.step.computed(step, after, "L")["L"]
    return made | {"z'": after["z"], "p'": definition.softmax(after["z"]), "L'": loss}


def _sides(head: Head, engine: str) -> tuple[Side, Side]:
    step = open_side(engine, head.step.part.source)
    one = head.step.part is head.update.part
    return step, step if one else open_side(engine, head.update.part.source)
