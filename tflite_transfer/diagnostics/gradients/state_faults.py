"""What a file's save and initialize leave out of the optimizer's state; weights that begin badly, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflite_transfer.diagnostics.gradients.check import Losses
from tflite_transfer.diagnostics.gradients.fault import Fault
from tflite_transfer.diagnostics.gradients.steps import TrainSignature
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.graph import Subgraph

ENOUGH = 100  # values, to tell how they are distributed
DEVIATIONS = 5


def state_faults(losses: Losses) -> Iterator[Fault]:
    """Of a training model in one file."""
    step = losses.training
    if not isinstance(step, TrainSignature):
        return
    graphs = {s.key: step.file.model.subgraphs[s.subgraph] for s in step.file.model.signatures}
    moved = [s for s in step.state if s in step.wiring.assigned] if _matters(losses) else []
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
    elif "initialize" in graphs:
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
    handles = {o.outputs[0]: o.options.get("shared_name") for o in graph.operators if o.opcode == "VAR_HANDLE"}
    return {handles.get(o.inputs[0]) or "" for o in graph.operators if o.opcode == opcode}


def _uniform(step: TrainSignature) -> Iterator[Fault]:
    """Weights drawn from 0 to 1: their mean is 1/2, where it should be 0."""
    it = Interpreter(step.file.model)
    it.run("initialize")
    for name in step.parameters:
        w = it.variables[name]
        if w.ndim < 2 or w.size < ENOUGH or w.min() < 0 or w.max() > 1:
            continue
        mean, deviation = float(w.mean()), float(w.std())
        expected = 12**-0.5
        near = DEVIATIONS * expected / w.size**0.5
        if abs(mean - 0.5) <= near and abs(deviation - expected) <= near:
            told = (
                f"its {w.size:,} first values are evenly spread from 0 to 1, with mean {mean:.3f}: all that they sum is"
            )
            told += " large, and alike."
            yield Fault("weights drawn from 0 to 1", name, mean, told, "Draw them around 0, or begin with zeros.")
