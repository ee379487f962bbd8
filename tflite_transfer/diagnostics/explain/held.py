"""The step on other engines: LiteRT stage by stage on our inputs, the float64 oracle from beginning to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain import bounds
from tflite_transfer.diagnostics.explain.numbers import PARAMETERS, Numbers
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.sides import ORACLE, Side, open_side

# What each quantity is computed from, when it is held against another engine: so its own roundings alone show.
STEP: Mapping[str, tuple[str, ...]] = {
    "z": ("x", "W", "b"), "p": ("z",), "log p": ("z",), "e": ("p", "y"), "d": ("e", "y"), "L": ("z", "y", "W", "R"),
    "g_W": ("x", "y", "e", "d", "W"), "g_b": ("y", "e", "d"),
}  # fmt: skip
STATE = tuple(f"{letter}_{k}" for letter in "mv" for k in PARAMETERS)
UPDATE = (*PARAMETERS, *(f"g_{k}" for k in PARAMETERS), *STATE, "t")


@dataclass(frozen=True, eq=False)
class Held:
    """An engine's value of a quantity, and how far it may be from ours."""

    value: Array
    allowed: Array


def held(head: Head, found: Numbers, engine: str) -> dict[str, Held]:
    """Every quantity that the file computes, by letter. Raises MissingExtraError where LiteRT is not installed."""
    step, update = _sides(head, engine)
    allowed = bounds.of_step(found, head.l2)
    theirs = {}
    for letter, given in STEP.items():
        if letter in head.step.tensors:
            theirs[letter] = head.step.computed(step, {k: found[k] for k in given if k in found}, letter)[letter]
    before = {k: found[k] for k in UPDATE if k in found}
    for name in PARAMETERS:
        allowed |= bounds.of_update(name, found, head.rule)
    wanted = [letter for letter in allowed if letter in head.update.tensors and letter not in theirs]
    theirs |= head.update.computed(update, before, *wanted)
    return {letter: Held(value, allowed[letter]) for letter, value in theirs.items()}


def exact(head: Head, found: Numbers, given: Numbers) -> dict[str, Array]:
    """The step in float64 by the file's own graph, from what is ``given`` as in ``numbers``: what float32 rounds."""
    step, update = _sides(head, ORACLE)
    now, then = ({k: given[f"{k}{prime}"] for k in "xR" if f"{k}{prime}" in given} for prime in ("", "'"))
    made = dict(now) | _forward(head, step, {**now, **{k: found[k] for k in ("y", *PARAMETERS)}})
    before = {k: made[k] if k in made else found[k] for k in UPDATE if k in made or k in found}
    wanted = [k for k in head.update.tensors if k not in before]
    made |= head.update.computed(update, before, *wanted)
    new = {k: made[f"{k}'"] for k in PARAMETERS}
    after = _forward(head, step, {"x": now["x"], **then, "y": found["y"], **new})
    return made | {f"{k}'": after[k] for k in ("z", "p", "L")}


def _forward(head: Head, side: Side, given: Numbers) -> dict[str, Array]:
    return head.step.computed(side, given, *(k for k in head.step.tensors if k not in given))


def _sides(head: Head, engine: str) -> tuple[Side, Side]:
    step = open_side(engine, head.step.source)
    one = head.step.source is head.update.source
    return step, step if one else open_side(engine, head.update.source)
