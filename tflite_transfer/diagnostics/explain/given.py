"""What the formulas of a last layer do not say, read off runs of the file's own step."""

from __future__ import annotations

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain.front import Front
from tflite_transfer.diagnostics.explain.places import Head
from tflite_transfer.diagnostics.explain.runs import Passes, Run


def given(head: Head, front: Front, passes: Passes, engine: str) -> dict[str, Array]:
    """By letter, what ``numbers`` takes of an engine.

    That is the features x (B, F), or of a last layer that is not dense the scores z (B, C) and the gradients; x' or z'
    after the step where this moves them; a bias that does not train; what regularisers add, R, r_W and r_b, and R'
    after the step; and of a rule that is not known what it gives.
    """
    found = front.given(engine)
    if "b" in head.step.tensors and "b" not in head.names:
        found["b"] = _constant(head, passes, engine)
    for letter, count in head.terms.items():
        parts = {f"{letter}{i}": _tensor(head, passes.now(engine), f"{letter}{i}") for i in range(count)}
        found |= {**parts, letter: _sum(list(parts.values()))}
    if "R" in head.terms:
        then = {f"R{i}'": _tensor(head, passes.then(engine), f"R{i}") for i in range(head.terms["R"])}
        found |= {**then, "R'": _sum(list(then.values()))}
    if not head.dense:
        shapes = {k: np.shape(passes.values[head.names[k]]) for k in head.parameters}
        found |= {f"g_{k}": _tensor(head, passes.now(engine), f"g_{k}").reshape(s) for k, s in shapes.items()}
    if head.rule is None:
        found |= {f"{k}'": v for k, v in head.values(passes.now(engine).variables).items()}
    return found


def _tensor(head: Head, run: Run, letter: str) -> Array:
    return head.step.turned(letter, run.tensors[head.step.tensors[letter]])


def _constant(head: Head, passes: Passes, engine: str) -> Array:
    data = head.step.part.graph.tensors[head.step.tensors["b"]].data
    return _tensor(head, passes.now(engine), "b") if data is None else data


def _sum(parts: list[Array]) -> Array:
    return np.asarray(sum(parts[1:], parts[0]))
