"""Every number of one training step of a last layer, by the plain definitions. Letters as in lessons.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
    Rule,
)

Numbers = Mapping[str, Array]  # by letter


def numbers(head: Head, params: Tree, slots: Tree, given: Numbers, y: Array) -> dict[str, Array]:
    """The step from one-hot labels y (B, C) and what is ``given``: before it, the step itself, and what comes after."""
    found = {**given, **head.values({**params, **slots}), "y": y}
    found |= _forward(head, found)
    found["e"] = found["p"] - y
    found["d"] = found["e"] / np.float32(head.divisor or len(y))
    found |= {"L": _loss(head, found, "R"), **(_gradients(head, found) if head.dense else {})}
    found |= {} if head.rule is None else _updated(head, head.rule, found)
    after = {**found, **{k: found[f"{k}'"] for k in ("x", "z", *head.parameters) if f"{k}'" in found}}
    after |= _forward(head, after)
    return found | {"z'": after["z"], "p'": after["p"], "L'": _loss(head, after, "R'")}


def _forward(head: Head, n: Numbers) -> dict[str, Array]:
    z = definition.logits(n["x"], n["W"], _bias(n)) if head.dense else n["z"]
    return {"z": z, "p": definition.softmax(z), "log p": definition.log_softmax(z)}


def _bias(n: Numbers) -> Array:
    """Zeros for a layer that has none."""
    return n["b"] if "b" in n else np.zeros(n["W"].shape[-1:], np.float32)


def _loss(head: Head, n: Numbers, penalty: str) -> Array:
    """With what regularisers of all layers add, or with the L2 of these weights."""
    own = definition.cross_entropy(n["z"], n["y"])
    if penalty in n:
        return np.asarray(own + n[penalty])
    return np.asarray(own if head.l2 is None else np.float32(own + np.float32(head.l2) * np.square(n["W"]).sum()))


def _gradients(head: Head, n: Numbers) -> dict[str, Array]:
    found = definition.gradients(n["x"], n["y"], n["W"], _bias(n), l2=head.l2, divisor=head.divisor)
    made = {"g_W": found.ws, "g_b": found.bs}
    return {f"g_{k}": made[f"g_{k}"] + n[f"r_{k}"] if f"r_{k}" in n else made[f"g_{k}"] for k in head.parameters}


def _updated(head: Head, rule: Rule, found: Numbers) -> dict[str, Array]:
    names = head.parameters
    params, grads = {k: found[k] for k in names}, {k: found[f"g_{k}"] for k in names}
    if isinstance(rule, SGD):
        return _after(optimizers.sgd(params, grads, rule))
    mean, square = ({k: found[f"{letter}_{k}"] for k in names if f"{letter}_{k}" in found} for letter in "mv")
    if isinstance(rule, Momentum):
        if isinstance(rule, Nesterov):
            new, velocity = optimizers.nesterov(params, grads, square, rule)
        else:
            new, velocity = optimizers.momentum(params, grads, square, rule)
        return _after(new) | _after(velocity, "v_")
    if isinstance(rule, RMSpropMomentum):
        new, moves, square = optimizers.rmsprop_momentum(params, grads, mean, square, rule)
        return _after(new) | _after(moves, "m_") | _after(square, "v_")
    if isinstance(rule, RMSprop):
        new, square = optimizers.rmsprop(params, grads, square, rule)
        return _after(new) | _after(square, "v_")
    state = AdamState(mean, square, np.float32(found["t"]))
    if isinstance(rule, Adam):
        new, then = optimizers.adam(params, grads, state, rule)
    elif isinstance(rule, AdamW):
        new, then = optimizers.adamw(params, grads, state, rule)
    else:
        new, then = optimizers.keras_adam(params, grads, state, rule)
    correction1, correction2 = optimizers.bias_corrections(rule, state.step)
    made = _after(new) | _after(then.mean, "m_") | _after(then.square, "v_") | {"t'": np.asarray(then.step)}
    for k in names:
        made |= {f"m\u0302_{k}": then.mean[k] / correction1, f"v\u0302_{k}": then.square[k] / correction2}
    return made


def _after(new: Numbers, of: str = "") -> dict[str, Array]:
    return {f"{of}{k}'": v for k, v in new.items()}


def one_sample(head: Head, found: Numbers, i: int) -> dict[str, Array]:
    """The gradient that sample i has by itself."""
    rows = slice(i, i + 1)
    return _gradients(replace(head, divisor=None), {**found, "x": found["x"][rows], "y": found["y"][rows]})
