"""What a file's save and initialize leave out of the optimizer's state; weights that begin badly, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.gradients.check import Losses
from tflite_transfer.diagnostics.gradients.fault import Fault
from tflite_transfer.diagnostics.gradients.train_signature import TrainSignature
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.memory import handles_of
from tflite_transfer.reference.tflite.graph import Subgraph

ENOUGH = 100  # values, to tell how they are distributed
DEVIATIONS = 5


def state_faults(losses: Losses) -> Iterator[Fault]:
    """Of a training model in one file."""
    step = losses.training
    if not isinstance(step, TrainSignature):
        return
    graphs = {s.key: step.file.model.subgraphs[s.subgraph] for s in step.file.model.signatures}
    moved = step.written if _matters(losses) else ()
    for key, opcode in (("save", "READ_VARIABLE"), ("initialize", "ASSIGN_VARIABLE")):
        if key in graphs and (left := [s for s in moved if s not in _touched(graphs[key], opcode)]):
            yield _left_out(key, left, len(moved))
    if step.unset:
        told = (
            f"train reads {len(step.unset)} variables that nothing assigns before it, such as {min(step.unset)}: LiteRT"
        )
        told += " fails there with variable != nullptr."
        advice = "Assign all variables, the optimizer's too, where the file is initialised."
        yield Fault("variable without a value", min(step.unset), len(step.unset), told, advice)
    elif "initialize" in graphs and not step.file.signature("initialize").inputs:
        yield from _uniform(step)


def _matters(losses: Losses) -> bool:
    """Does the state that a step leaves change the next one? A momentum of 0 makes nothing of its velocity."""
    step, first = losses.training, losses.values
    after = step.step(first, losses.batch).after
    anew = {**after, **{name: first[name] for name in step.state}}
    kept, reset = (step.step(values, losses.batch).after for values in (after, anew))
    return any(not np.array_equal(kept[p], reset[p]) for p in step.parameters)


def _left_out(key: str, left: list[str], count: int) -> Fault:
    told = f"it leaves out {len(left)} of the optimizer's {count} variables, such as {left[0]}:"
    if key == "save":
        told += " a training that is restored does not go on as it would have."
        return Fault("optimizer state is not saved", key, len(left), told, "Save and restore them too.")
    told += " after it a training begins with the moments of the one before."
    return Fault("optimizer state is not reset", key, len(left), told, "Assign zeros to them in initialize.")


def _touched(graph: Subgraph, opcode: str) -> set[str]:
    """The variables that a sub-graph reads, or assigns."""
    handles = handles_of(graph)
    return {handles.get(o.inputs[0], "") for o in graph.operators if o.opcode == opcode}


def _uniform(step: TrainSignature) -> Iterator[Fault]:
    """Weights drawn from 0 to 1."""
    it = Interpreter(step.file.model)
    it.run("initialize")
    for name in step.parameters:
        w = it.variables[name]
        if w.ndim > 1 and w.size >= ENOUGH and _is_even(w):
            told = (
                f"its {w.size:,} first values lie evenly from 0 to 1, with mean {w.mean():.3f}: sums of many are large,"
            )
            told += " and alike."
            yield Fault(
                "weights drawn from 0 to 1", name, float(w.mean()), told, "Draw them around 0, or begin with 0."
            )


def _is_even(w: Array) -> bool:
    """Are the values within 0 to 1, with that distribution's mean and deviation, as far as so many tell?"""
    deviation = 12**-0.5
    near = DEVIATIONS * deviation / w.size**0.5
    return w.min() >= 0 and w.max() <= 1 and abs(w.mean() - 0.5) <= near and abs(w.std() - deviation) <= near
