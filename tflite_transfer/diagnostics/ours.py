"""The reference as a side: a trace of the whole run, and each operator's function by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from tflite_transfer.diagnostics.bounds import Call
from tflite_transfer.diagnostics.sides import ORACLE, Read, Source
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.plan import Plan
from tflite_transfer.reference.run import Executed
from tflite_transfer.reference.signatures import names
from tflite_transfer.reference.step import Step, execute
from tflite_transfer.reference.tflite.graph import Array, Subgraph


def tensors_of(trace: Iterable[Executed], number: int, plan: Plan) -> dict[int, Array]:
    """What a trace tells of the sub-graph of that number, by its tensors; a variable's handle is no array."""
    operators = plan.graph.operators
    made = (zip(operators[t.number].outputs, t.outputs.values(), strict=True) for t in trace if t.subgraph == number)
    return {i: value for pairs in made for i, value in pairs if hasattr(value, "dtype")}


class NumpySide:
    """See ``Side``."""

    def __init__(self, engine: str, source: Source) -> None:
        self.engine, self._model = engine, source.model
        precision = "float64" if engine == ORACLE else "file"
        self._interpreter = Interpreter(source.model, jit=engine == "numpy", precision=precision)
        self._number = names(source.model, source.key).subgraph
        self.plan: Plan = self._interpreter.plans[self._number]

    @property
    def graph(self) -> Subgraph:
        return self._model.subgraphs[self._number]

    @cached_property
    def steps(self) -> Mapping[int, Step]:
        """The sub-graph's operators, bound, by number."""
        return {step.number: step for step in self.plan.every}

    @cached_property
    def fixed(self) -> Mapping[int, Array]:
        """What depends on no input: constants, as they stand or widened, and what was computed of them."""
        return {**self.plan.constants, **self.plan.fixed}

    def run(self, values: Sequence[Array]) -> Mapping[int, Array]:
        found = dict(zip(self.plan.graph.inputs, values, strict=True))
        return found | tensors_of(self._interpreter.trace_of(self._number, *values), self._number, self.plan)

    def alone(self, number: int, read: Read) -> tuple[Array, ...] | None:
        step = self.steps[number]
        return None if step.impure else self.execute(step, self._inputs(step, read))

    def execute(self, step: Step, inputs: Sequence[Array | None]) -> tuple[Array, ...]:
        """A step's results, as in a run: infinities and NaN are values."""
        with np.errstate(all="ignore"):
            return execute(step, inputs, self._model.source)

    def call(self, number: int, read: Read) -> Call:
        """An operator with what it would be given: what bounds look at. For plain definitions alone."""
        step = self.steps[number]
        return Call(step.operator.opcode, step.kernel, self._inputs(step, read), step.options)

    def is_hybrid(self, number: int) -> bool:
        """Are an operator's weights alone int8? LiteRT then rounds its inputs as well."""
        weights = self.steps[number].inputs[1:2]
        weighs = self.graph.operators[number].opcode in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
        return weighs and any(i >= len(self.graph.tensors) for i in weights)

    def _inputs(self, step: Step, read: Read) -> list[Array | None]:
        """Constants of its own plan, all else from ``read``; None for what is left out."""
        fixed = self.fixed
        return [None if i < 0 else fixed[i] if i in fixed else self._as_taken(i, read(i)) for i in step.inputs]

    def _as_taken(self, number: int, value: Array) -> Array:
        """In the type that the graph has here: float32 of another run is widened for the oracle."""
        dtype = self.plan.graph.tensors[number].dtype
        return value if dtype.kind == "O" else value.astype(dtype, copy=False)

    def variables(self) -> dict[str, Array]:
        return dict(self._interpreter.variables)

    def assign(self, values: Mapping[str, Array]) -> None:
        self._interpreter.variables.update(values)
