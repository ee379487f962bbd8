"""Every number of one training step of a last layer, by the plain definitions. Letters as in lessons.py."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.reference import head as definition
from tflite_transfer.reference import optimizers
from tflite_transfer.reference.optimizers import (
    SGD,
    Adam,
    AdamState,
    AdamW,
    Momentum,
    Nesterov,
    RMSprop,
    RMSpropMomentum,
)

PARAMETERS = ("W", "b")
Numbers = Mapping[str, Array]  # by letter


def numbers(head: Head, params: Tree, slots: Tree, given: Numbers, y: Array) -> dict[str, Array]:
    """The step from one-hot labels y (B, C) and what is ``given``: before it, the step itself, and what comes after.

    That is the features x (B, F), and of a network in which they move x' too, and R and R' where regularisers add them.
    """
    before = head.values({**params, **slots})
    found = dict(given) | _forward(given["x"], y, before["W"], before["b"])
    ends, found["e"] = _gradients(head, found), found["p"] - y
    found |= {"L": _loss(ends.loss, found, "R"), "g_W": ends.ws, "g_b": ends.bs}
    found["d"] = found["e"] / np.float32(head.divisor or len(y))
    found |= _updated(head, found, before)
    after = _forward(given.get("x'", given["x"]), y, found["W'"], found["b'"])
    loss = _loss(_gradients(head, after).loss, {**after, **given}, "R'")
    return found | {"z'": after["z"], "p'": after["p"], "L'": loss}


def _forward(x: Array, y: Array, w: Array, b: Array) -> dict[str, Array]:
    z = definition.logits(x, w, b)
    return {"x": x, "y": y, "W": w, "b": b, "z": z, "p": definition.softmax(z), "log p": definition.log_softmax(z)}


def _gradients(head: Head, n: Numbers) -> definition.HeadGradients:
    return definition.gradients(n["x"], n["y"], n["W"], n["b"], l2=head.l2, divisor=head.divisor)


def _loss(own: np.float32, n: Numbers, penalty: str) -> Array:
    """The layer's own; where the file adds up regularisers of all layers, theirs in place of its L2."""
    return np.asarray(definition.cross_entropy(n["z"], n["y"]) + n[penalty] if penalty in n else own)


def _updated(head: Head, found: Numbers, before: Numbers) -> dict[str, Array]:
    params, grads = {k: found[k] for k in PARAMETERS}, {k: found[f"g_{k}"] for k in PARAMETERS}
    rule, held = head.rule, {k: v for k, v in before.items() if k not in PARAMETERS}
    if isinstance(rule, SGD):
        return _after(optimizers.sgd(params, grads, rule))
    mean, square = ({k: held[f"{letter}_{k}"] for k in PARAMETERS if f"{letter}_{k}" in held} for letter in "mv")
    if isinstance(rule, Momentum):
        if isinstance(rule, Nesterov):
            new, velocity = optimizers.nesterov(params, grads, square, rule)
        else:
            new, velocity = optimizers.momentum(params, grads, square, rule)
        return held | _after(new) | _after(velocity, "v_")
    if isinstance(rule, RMSpropMomentum):
        new, moves, square = optimizers.rmsprop_momentum(params, grads, mean, square, rule)
        return held | _after(new) | _after(moves, "m_") | _after(square, "v_")
    if isinstance(rule, RMSprop):
        new, square = optimizers.rmsprop(params, grads, square, rule)
        return held | _after(new) | _after(square, "v_")
    state = AdamState(mean, square, np.float32(held["t"]))
    if isinstance(rule, Adam):
        new, then = optimizers.adam(params, grads, state, rule)
    elif isinstance(rule, AdamW):
        new, then = optimizers.adamw(params, grads, state, rule)
    else:
        new, then = optimizers.keras_adam(params, grads, state, rule)
    correction1, correction2 = optimizers.bias_corrections(rule, state.step)
    made = held | _after(new) | _after(then.mean, "m_") | _after(then.square, "v_") | {"t'": np.asarray(then.step)}
    for k in PARAMETERS:
        made |= {f"m\u0302_{k}": then.mean[k] / correction1, f"v\u0302_{k}": then.square[k] / correction2}
    return made


def _after(new: Numbers, of: str = "") -> dict[str, Array]:
    return {f"{of}{k}'": v for k, v in new.items()}


def one_sample(head: Head, found: Numbers, i: int) -> dict[str, Array]:
    """The gradient that sample i has by itself."""
    rows = slice(i, i + 1)
    alone = definition.gradients(found["x"][rows], found["y"][rows], found["W"], found["b"], l2=head.l2)
    return {"g_W": alone.ws, "g_b": alone.bs}
