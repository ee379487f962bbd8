"""One run of a model: sub-graphs executed operator by operator, within a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.reference.budget import Budget, Meter
from tflite_transfer.reference.memory import Memory
from tflite_transfer.reference.ops.limit import ALLOWED
from tflite_transfer.reference.plan import Plan
from tflite_transfer.reference.steady import MOST, Program, key_of, repeat
from tflite_transfer.reference.step import Step, Value, compact, execute
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
        threads: int = 1,
        observe: Callable[[Executed], None] | None = None,
    ) -> None:
        self.folder = folder  # that a path in the model may not leave
        self.model, self.memory, self.meter = model, memory, Meter(budget, model.source, threads)
        self.meter.hold(memory.nbytes)
        self._plans, self._observe, self._begun = plans, observe, False

    def call(self, number: int, values: Sequence[Value]) -> tuple[Value, ...]:
        """A sub-graph by position: values for its inputs -> values of its outputs. Raises ModelError."""
        plan = self._plans[number]
        if len(values) != len(plan.graph.inputs):
            raise ModelError(
                f"{self.model.source}: sub-graph {number} takes {len(plan.graph.inputs)} values, not {len(values)}."
            )
        key, self._begun = self._key(plan, values), True
        constants = plan.constants if self._observe is None else plan.fixed
        held: dict[int, Value] = {**constants, **dict(zip(plan.graph.inputs, values, strict=True))}
        token = ALLOWED.set(self.meter)
        try:
            with np.errstate(all="ignore"):  # infinities and NaN are values here, as they are in TFLite
                if key in plan.programs:
                    repeat(plan.programs[key], held, self)
                else:
                    self._check(number, key, held)
            return tuple(held[i] for i in plan.graph.outputs)
        finally:
            ALLOWED.reset(token)

    def _key(self, plan: Plan, values: Sequence[Value]) -> Hashable:
        """What tells a run that may be repeated; None for one that must be checked: see ``steady.py``."""
        if self._begun or self._observe is not None or plan.shaped is None or self.meter.deadline < math.inf:
            return None
        return key_of(values, self.memory.variables.held())

    def _check(self, number: int, key: Hashable, held: dict[int, Value]) -> None:
        """Run a sub-graph's steps on the values held, with all checks; without an error they are not made again."""
        plan, room = self._plans[number], 0
        program = None if key is None or plan.shaped is None else Program(plan.shaped)
        try:
            for step in plan.steps if self._observe is None else plan.every:
                room += self._execute(number, step, held, program)
        finally:
            self.meter.hold(-room)
        if program is not None and len(plan.programs) < MOST:
            plan.programs[key] = program

    def _execute(self, number: int, step: Step, held: dict[int, Value], program: Program | None) -> int:
        """Run a step on the values held, and hold its results; how many bytes more that takes."""
        meter, freed = self.meter, 0
        meter.operator()
        meter.cost = step.cost
        inputs = [held[i] if i >= 0 else None for i in step.inputs]
        results = execute(step, inputs, self.model.source, run=self)
        if self._observe is not None:
            self._observe(_told(number, step, self._plans[number], inputs, results))
        kept = tuple(map(compact, results))
        held.update(zip(step.operator.outputs, kept, strict=True))
        room = sum(map(_size, kept))
        meter.hold(room)
        if self._observe is not None:
            meter.hold(room)  # what is told is held for good
        for i in step.release:
            freed += _size(held.pop(i, None))
        meter.hold(-freed)
        if program is not None:
            program.add(step, inputs, kept, copied=any(a is not b for a, b in zip(kept, results, strict=True)))
        return room - freed


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
