"""Every number of one training step of a softmax head, by the plain definitions. Letters as in lessons.py."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.reference import head as definition
from tflite_transfer.reference import optimizers
from tflite_transfer.reference.optimizers import SGD, AdamState

PARAMETERS = ("W", "b")
Numbers = Mapping[str, Array]  # by letter


def numbers(head: Head, params: Tree, slots: Tree, x: Array, y: Array) -> dict[str, Array]:
    """The step from features x (B, F) and one-hot labels y (B, C): before it, the step itself, and what comes after."""
    found = _forward(x, y, *(params[head.names[k]] for k in PARAMETERS))
    loss, g_w, g_b = definition.gradients(x, y, found["W"], found["b"], l2=head.l2, divisor=head.divisor)
    found |= {"L": np.asarray(loss), "g_W": g_w, "g_b": g_b, "e": found["p"] - y}
    found["d"] = found["e"] / np.float32(head.divisor or len(x))
    found |= _updated(head, found, slots)
    after = _forward(x, y, found["W'"], found["b'"])
    ends = definition.gradients(x, y, after["W"], after["b"], l2=head.l2, divisor=head.divisor)
    return found | {"z'": after["z"], "p'": after["p"], "L'": np.asarray(ends.loss)}


def _forward(x: Array, y: Array, w: Array, b: Array) -> dict[str, Array]:
    z = definition.logits(x, w, b)
    return {"x": x, "y": y, "W": w, "b": b, "z": z, "p": definition.softmax(z), "log p": definition.log_softmax(z)}


def _updated(head: Head, found: Numbers, slots: Tree) -> dict[str, Array]:
    params, grads = {k: found[k] for k in PARAMETERS}, {k: found[f"g_{k}"] for k in PARAMETERS}
    rule = head.rule
    if isinstance(rule, SGD):
        return {f"{k}'": v for k, v in optimizers.sgd(params, grads, rule).items()}
    held = {letter: slots[name] for letter, name in head.names.items() if letter not in PARAMETERS}
    mean, square = ({k: held[f"{letter}_{k}"] for k in PARAMETERS} for letter in "mv")
    state = AdamState(mean, square, np.float32(held["t"]))
    new, then = optimizers.adam(params, grads, state, rule)
    correction1, correction2 = optimizers.bias_corrections(rule, state.step)
    made = {**held, **{f"{k}'": v for k, v in new.items()}, "t'": np.asarray(then.step)}
    for k in PARAMETERS:
        made |= {f"m_{k}'": then.mean[k], f"v_{k}'": then.square[k]}
        made |= {f"m\u0302_{k}": then.mean[k] / correction1, f"v\u0302_{k}": then.square[k] / correction2}
    return made


def one_sample(head: Head, found: Numbers, i: int) -> dict[str, Array]:
    """The gradient that sample i has by itself."""
    rows = slice(i, i + 1)
    alone = definition.gradients(found["x"][rows], found["y"][rows], found["W"], found["b"], l2=head.l2)
    return {"g_W": alone.ws, "g_b": alone.bs}
