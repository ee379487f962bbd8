"""One run of a model: sub-graphs executed operator by operator, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.reference.budget import Budget, Meter
from tflite_transfer.reference.memory import Memory
from tflite_transfer.reference.ops.limit import ALLOWED
from tflite_transfer.reference.plan import Plan
from tflite_transfer.reference.step import Step, Value, execute
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Model, Tensor


@dataclass(frozen=True)
class Executed:
    """One operator of a run, with what went in and what came out. An input that is left out is not there."""

    subgraph: int
    number: int  # of the operator within its sub-graph
    op: str
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    options: Mapping[str, Any]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, by name."""
        return {name: np.shape(value) for name, value in {**self.inputs, **self.outputs}.items()}


class Run:
    """Executes plans; ``observe`` is told of each operator, those of other sub-graphs included."""

    def __init__(
        self,
        model: Model,
        plans: Sequence[Plan],
        memory: Memory,
        budget: Budget,
        folder: Path,
        observe: Callable[[Executed], None] | None = None,
    ) -> None:
        self.folder = folder  # that a path in the model may not leave
        self.model, self.memory, self.meter = model, memory, Meter(budget, model.source)
        self.meter.hold(memory.nbytes)
        self._plans, self._observe = plans, observe

    def call(self, number: int, values: Sequence[Value]) -> tuple[Value, ...]:
        """A sub-graph by position: values for its inputs -> values of its outputs. Raises ModelError."""
        plan = self._plans[number]
        if len(values) != len(plan.graph.inputs):
            raise ModelError(
                f"{self.model.source}: sub-graph {number} takes {len(plan.graph.inputs)} values, not {len(values)}."
            )
        steps, constants = (plan.steps, plan.constants) if self._observe is None else (plan.every, plan.fixed)
        held: dict[int, Value] = {**constants, **dict(zip(plan.graph.inputs, values, strict=True))}
        room = 0
        token = ALLOWED.set(self.meter)
        try:
            with np.errstate(all="ignore"):  # infinities and NaN are values here, as they are in TFLite
                for step in steps:
                    room += self._execute(number, step, held)
            return tuple(held[i] for i in plan.graph.outputs)
        finally:
            ALLOWED.reset(token)
            self.meter.hold(-room)

    def _execute(self, number: int, step: Step, held: dict[int, Value]) -> int:
        """Run a step on the values held, and hold its results; how many bytes more that takes."""
        meter, room, freed = self.meter, 0, 0
        meter.operator()
        meter.cost = step.cost
        inputs = [held[i] if i >= 0 else None for i in step.inputs]
        results = execute(step, inputs, self.model.source, run=self)
        if self._observe is not None:
            self._observe(_told(number, step, self._plans[number], inputs, results))
        for i, result in zip(step.operator.outputs, results, strict=True):
            held[i] = value = _compact(result)
            room += _size(value)
        meter.hold(room)
        if self._observe is not None:
            meter.hold(room)  # what is told is held for good
        for i in step.release:
            freed += _size(held.pop(i, None))
        meter.hold(-freed)
        return room - freed


def _compact(value: Value) -> Value:
    """``value``, copied where it is a small view that would keep a large array from being released."""
    base = getattr(value, "base", None)
    return value.copy() if isinstance(base, np.ndarray) and base.nbytes > 4 * value.nbytes else value


def _size(value: Value) -> int:
    return getattr(value, "nbytes", 0)


def _told(number: int, step: Step, plan: Plan, inputs: Sequence[Value], results: Sequence[Value]) -> Executed:
    tensors, operator = plan.graph.tensors, step.operator
    given = {_name(tensors, i, operator.inputs): v for i, v in zip(operator.inputs, inputs, strict=True) if i >= 0}
    made = {_name(tensors, i, operator.outputs): v for i, v in zip(operator.outputs, results, strict=True)}
    options = {k: v for k, v in step.options.items() if k not in ("inputs", "outputs", "intermediates", "place")}
    return Executed(number, step.number, operator.name, given, made, options)


def _name(tensors: Sequence[Tensor], number: int, others: Sequence[int]) -> str:
    """A tensor's name, with its number where another one beside it has the same, or it has none."""
    name = tensors[number].name
    alone = name and not any(i >= 0 and i != number and tensors[i].name == name for i in others)
    return name if alone else f"{name}#{number}"
