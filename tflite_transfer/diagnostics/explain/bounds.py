"""How far two float32 computations of a stage may be apart, from the same inputs: roundings, by what is added up.

Every bound is ``c 2^-24`` times the sum of the magnitudes of a result's terms, so that it grows where terms cancel, and
not with the size. The c of sums are those that tests/parity/test_training_steps.py measured against LiteRT over 65
million weights; those of softmax and its logarithm are compare's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.bounds import TINY, Call
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.metrics import distance
from tflite_transfer.diagnostics.rules import allowed
from tflite_transfer.diagnostics.verdicts import FURTHER, NEAR
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.optimizers import (
    SGD,
    AdamNumbers,
    AdamW,
    KerasAdam,
    Momentum,
    Nesterov,
    RMSprop,
    RMSpropMomentum,
    Rule,
)
from tflite_transfer.reference.tflite.graph import Subgraph

UNIT = 2.0**-24
SUMS = 40.0  # seen: 25, for 128 terms in order after a large first one
LOSS = 12.0  # seen: 5.5, for a million squares in order
MOVE, SQUARE = 4.0, 6.0  # seen: 2.9 for a parameter by momentum, 2.0 by others and for m, 2.9 for v
ENGINES = ("numpy-nojit", "tflite")


def of_step(n: Mapping[str, Array], head: Head) -> dict[str, Array]:
    """What is allowed for z, p, log p, e, d, L, g_W and g_b, of these values of x, y, W, b, z, p, log p and d."""
    surprise = (n["y"] * np.maximum(1, np.abs(n["log p"]))).sum(axis=-1).mean()
    found = {
        "p": _alone("SOFTMAX", n["p"], n["z"]),
        "log p": _alone("LOG_SOFTMAX", n["log p"], n["z"]),
        # One subtraction and one division, which IEEE 754 rounds in one way; but XNNPACK makes 0 of the least numbers.
        "e": np.full(n["p"].shape, TINY),
        "d": np.full(n["p"].shape, TINY),
        "L": np.asarray(LOSS * UNIT * (surprise + _penalty(n, head))),
    }
    if not _divides(head):  # TensorFlow multiplies by 1 / B, and its operator gives d alone
        found["d"] = found["d"] + MOVE * UNIT * np.abs(n["d"])
        found["d"] += 0.0 if "e" in head.step.tensors else found["p"] / len(n["p"])
    return found | (_of_dense(n, head) if head.dense else {})


def _divides(head: Head) -> bool:
    d = head.step.tensors.get("d")
    return any(o.opcode == "DIV" and d in o.outputs for o in head.step.part.graph.operators)


def _penalty(n: Mapping[str, Array], head: Head) -> Array:
    decay = 0.0 if head.l2 is None else head.l2 * np.square(n["W"].astype(np.float64)).sum()
    return np.abs(n["R"]) if "R" in n else np.asarray(decay)


def _of_dense(n: Mapping[str, Array], head: Head) -> dict[str, Array]:
    x, w, d, b = (np.abs(np.asarray(n.get(k, 0.0), np.float64)) for k in ("x", "W", "d", "b"))
    r_w, r_b = (np.abs(n.get(f"r_{k}", 0.0)) for k in "Wb")
    decay = 0.0 if head.l2 is None else 2 * head.l2 * w
    return {
        "z": _alone("BATCH_MATMUL", n["z"], n["x"], n["W"]) + UNIT * (np.abs(n["z"]) + b),
        "g_W": SUMS * UNIT * (x.T @ d + decay + r_w),
        "g_b": SUMS * UNIT * (d.sum(axis=0) + r_b),
    }


def _alone(opcode: str, result: Array, *values: Array) -> Array:
    """What compare allows one operator of LiteRT's."""
    return allowed(ENGINES, Call(opcode, TABLE[opcode], values, {}), result, stored=False)


def of_run(ours: Array, wide: Array | None) -> Array | None:
    """What is allowed after many operators: so many times as far as ours is from float64; None without that."""
    return None if wide is None else np.full(ours.shape, FURTHER * distance(ours, wide).max(initial=0))


def of_gradient(graph: Subgraph, number: int, ours: Mapping[int, Array], wide: Mapping[int, Array]) -> Array:
    """The same of a gradient, whose terms cancel; tensors by number.

    Few sums may be exact by chance: without a share of the largest number one of 350 gradients of small networks came
    to 1.2 times what it would be allowed; with it, to 0.2. And where a sum is nothing in truth, as the gradient of a
    bias in front of a batch norm, it is what its terms had lost: seen, 1.1 times what it would be allowed without them.
    """
    apart = max(
        FURTHER * distance(ours[number], wide[number]).max(initial=0), NEAR * np.abs(wide[number]).max(initial=0)
    )
    allowed = np.full(ours[number].shape, apart)
    summed = next((o for o in graph.operators if o.opcode == "SUM" and o.outputs[0] == number), None)
    axes = None if summed is None else graph.tensors[summed.inputs[1]].data
    if summed is not None and axes is not None:
        t = summed.inputs[0]
        lost = distance(ours[t], wide[t]).sum(axis=tuple(axes.reshape(-1).tolist())).reshape(allowed.shape)
        allowed = np.maximum(allowed, FURTHER * lost)
    return allowed


def of_update(name: str, n: Mapping[str, Array], rule: Rule) -> dict[str, Array]:
    """What is allowed for a parameter and its state, and with Adam for m and v without their bias. ``name``: W or b."""
    w, g = (n[k].astype(np.float64) for k in (name, f"g_{name}"))
    if isinstance(rule, SGD | Momentum):
        terms = float(rule.learning_rate) * np.abs(g)
        if isinstance(rule, SGD):
            return {f"{name}'": MOVE * UNIT * (np.abs(w) + terms)}
        velocity = terms + float(rule.momentum) * np.abs(n[f"v_{name}"].astype(np.float64))
        # Nesterov's takes the velocity's roundings over and has its own. Seen in 4 million numbers, from float64: 2.2
        moved = terms + 2 * float(rule.momentum) * velocity if isinstance(rule, Nesterov) else velocity
        return {f"{name}'": MOVE * UNIT * (np.abs(w) + moved), f"v_{name}'": MOVE * UNIT * velocity + TINY}
    return _of_rmsprop(name, n, rule, w, g) if isinstance(rule, RMSprop) else _of_adam(name, n, rule, w, g)


def _of_rmsprop(name: str, n: Mapping[str, Array], rule: RMSprop, w: Array, g: Array) -> dict[str, Array]:
    square = float(rule.rho) * n[f"v_{name}"].astype(np.float64) + float(rule.complement) * g * g
    # Three times: product, root and quotient, and XNNPACK's root is not always the nearest number. Seen of
    # LiteRT, over 6 million numbers: half of what is allowed for m' and a parameter, 0.8 for one with momentum.
    reach = 3 * float(rule.learning_rate) * np.abs(g) / np.sqrt(square + float(rule.epsilon))
    found = {f"v_{name}'": SQUARE * UNIT * square + TINY}
    if isinstance(rule, RMSpropMomentum):
        reach += float(rule.momentum) * np.abs(n[f"m_{name}"].astype(np.float64))
        found[f"m_{name}'"] = MOVE * UNIT * reach + TINY
    return found | {f"{name}'": MOVE * UNIT * (np.abs(w) + reach)}


def _of_adam(name: str, n: Mapping[str, Array], rule: AdamNumbers, w: Array, g: Array) -> dict[str, Array]:
    m, v, t = n[f"m_{name}"].astype(np.float64), n[f"v_{name}"].astype(np.float64), float(n["t"]) + 1
    power1, power2 = float(rule.beta1) ** t, float(rule.beta2) ** t
    k1, k2 = 1 - power1, 1 - power2
    keeps = isinstance(rule, KerasAdam)  # m + (1 - β)(g - m): what is taken away of m is among the terms
    kept1, kept2 = (2 - float(rule.beta1), 2 - float(rule.beta2)) if keeps else (float(rule.beta1), float(rule.beta2))
    m_terms = float(rule.complement1) * np.abs(g) + kept1 * np.abs(m)
    v_terms = float(rule.complement2) * g * g + kept2 * v
    size = float(rule.complement2) * g * g + float(rule.beta2) * v
    scale = np.sqrt(size / k2) + float(rule.epsilon) / (np.sqrt(k2) if keeps else 1.0)
    reach = float(rule.learning_rate) * m_terms / k1 / scale
    decay = float(rule.learning_rate) * float(rule.weight_decay) if isinstance(rule, AdamW) else 0.0
    return {
        f"{name}'": MOVE * UNIT * ((1 + decay) * np.abs(w) + reach * (2 + power1 / k1 + power2 / k2)),
        f"m_{name}'": MOVE * UNIT * m_terms + TINY,
        f"v_{name}'": SQUARE * UNIT * v_terms + TINY,
        f"m\u0302_{name}": MOVE * UNIT * m_terms / k1 * (1 + power1 / k1) + TINY,
        f"v\u0302_{name}": SQUARE * UNIT * v_terms / k2 * (1 + power2 / k2) + TINY,
    }
