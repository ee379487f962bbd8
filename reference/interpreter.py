"""Runs a .tflite with NumPy: what each operator means is in ``ops/``, and nothing else happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.reference.budget import Budget, Room
from tflite_transfer.reference.memory import Handle, Memory, Variables
from tflite_transfer.reference.missing import missing_operators
from tflite_transfer.reference.plan import plans
from tflite_transfer.reference.precision import in_float64
from tflite_transfer.reference.run import Executed, Run
from tflite_transfer.reference.signatures import Names, Signature, arguments, fitted, names, signatures
from tflite_transfer.reference.step import execute
from tflite_transfer.reference.tflite.errors import ModelError, OptionError, ShapeError, UnsupportedOpError
from tflite_transfer.reference.tflite.graph import Array, Model, Subgraph
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.verify import verify
from tflite_transfer.reference.unpack import unpacked

PRECISIONS = ("file", "float64")


class Interpreter:
    """A .tflite, read, checked and ready to run. Between runs it keeps its variables; threads may share it.

    Raises ModelError for a damaged file and UnsupportedOpError, naming every operator that is missing.

    Parameters
    ----------
    source : path or bytes of a .tflite, or a ``Model``
    jit : use the numba kernels where there are any; False runs the plain-NumPy definitions alone
    precision : ``file`` computes in the file's types; ``float64`` widens every float, and refuses quantised graphs
    budget : what one run may use
    folder : where the model may save and restore: a path that it is given, or holds, must not lead out of it
    num_threads : between which large convolutions and products are shared; the results are the same
    resize : take inputs of other sizes than the file's, where its operators can; else only what it leaves free
    """

    def __init__(
        self,
        source: str | Path | bytes | Model,
        *,
        jit: bool = True,
        precision: str = "file",
        budget: Budget | None = None,
        folder: str | Path = ".",
        resize: bool = False,
        num_threads: int = 1,
    ) -> None:
        if precision not in PRECISIONS:
            raise OptionError(f"precision must be one of {', '.join(PRECISIONS)}, but is {precision!r}.")
        model = source if isinstance(source, Model) else read(source)
        verify(model)
        self.budget, self.folder, self.resize = budget or Budget(), Path(folder), resize
        self.num_threads = num_threads
        _check_operators(model)
        room = Room(self.budget.bytes)
        model = unpacked(model, room)
        self.model = in_float64(model) if precision == "float64" else model
        self.plans = plans(self.model, self.budget, room, jit=jit)
        self._constants = frozenset(id(a) for plan in self.plans for a in plan.constants.values())
        self._keeps = any(step.impure for plan in self.plans for step in plan.every)
        self._memory = Memory(Variables(self.model))
        self._names = cache(partial(names, self.model))

    @property
    def graph(self) -> Subgraph:
        """The sub-graph that runs when no signature is named."""
        return self.model.main

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """What the model can be asked, by key."""
        return signatures(self.model)

    @property
    def variables(self) -> Variables:
        """Resource variables by name, to be read and set; with the values that the file gives them at first.

        Those that nothing has assigned yet are not there.
        """
        with self._turn():
            for step in (s for plan in self.plans for s in plan.every if s.operator.opcode == "CALL_ONCE"):
                execute(step, (), self.model.source, run=self._run())
        return self._memory.variables

    def run(self, signature: str | None = None, /, **inputs: Any) -> dict[str, Array]:
        """Run a signature by its argument names; with None, the main graph by its tensors' names.

        Returns the outputs by name. Raises ShapeError where an input does not fit, BudgetError, ModelError.
        """
        found = self._names(signature)
        values = self._values(found, inputs)
        with self._turn():
            results = self._own_results(found.subgraph, values)
        by_number = dict(zip(self.model.subgraphs[found.subgraph].outputs, results, strict=True))
        return {name: by_number[i] for name, i in found.outputs.items()}

    def trace(self, signature: str | None = None, /, **inputs: Any) -> Iterator[Executed]:
        """Run, and tell of every operator in the order in which they ran, those of other sub-graphs included.

        What is told is held, and counts to the budget; an operator that fails is an error after those before it.
        """
        found = self._names(signature)
        return self._traced(found.subgraph, self._values(found, inputs))

    def trace_of(self, number: int, *values: Any) -> Iterator[Executed]:
        """The same of a sub-graph by its number, given its inputs by position, whatever its tensors are called."""
        return self._traced(number, self._fitted(number, values))

    def call(self, *values: Any) -> list[Array]:
        """Run the main graph by position, whatever its tensors are called."""
        given = self._fitted(0, values)
        with self._turn():
            return self._own_results(0, given)

    def forget(self) -> None:
        """Back to the file's own state: variables, hash tables and random numbers begin anew."""
        self._memory = Memory(Variables(self.model))

    def _traced(self, number: int, values: Sequence[Array]) -> Iterator[Executed]:
        told = list[Executed]()
        failure: ModelError | None = None
        try:
            with self._turn():
                self._run(told.append).call(number, values)
        except ModelError as e:
            failure = e
        yield from told
        if failure is not None:
            raise failure

    def _turn(self) -> AbstractContextManager[Any]:
        """Runs of a model that keeps something take turns."""
        return self._memory.turn if self._keeps else nullcontext()

    def _run(self, observe: Any = None) -> Run:
        return Run(self.model, self.plans, self._memory, self.budget, self.folder, self.num_threads, observe)

    def _values(self, found: Names, inputs: Mapping[str, Any]) -> list[Array]:
        given = arguments(self.model, found, inputs, resize=self.resize)
        by_number = {i: given[name] for name, i in found.inputs.items()}
        return [by_number[i] for i in self.model.subgraphs[found.subgraph].inputs]

    def _fitted(self, number: int, values: Sequence[Any]) -> list[Array]:
        graph = self.model.subgraphs[number]
        if len(values) != len(graph.inputs):
            raise ShapeError(f"{self.model.source} takes {len(graph.inputs)} inputs, but was given {len(values)}.")
        return [fitted(graph.tensors[i], v, resize=self.resize) for i, v in zip(graph.inputs, values, strict=True)]

    def _own_results(self, number: int, values: Sequence[Array]) -> list[Array]:
        """A sub-graph's results in memory of their own: not an input's, a constant's or a variable's."""
        run = self._run()
        results = run.call(number, values)
        if any(isinstance(r, Handle) for r in results):
            raise ModelError(f"{self.model.source} gives a resource, which has no value outside of it.")
        kept = self._constants.union(map(id, (*values, *self._memory.variables.held().values())))
        arrays = [np.asarray(r) for r in results]
        shared = [r.base is not None or id(r) in kept for r in arrays]
        run.meter.hold(sum(r.nbytes * (1 + s) for r, s in zip(arrays, shared, strict=True)))
        return [r.copy() if s else r for r, s in zip(arrays, shared, strict=True)]


def _check_operators(model: Model) -> None:
    try:
        missing = sorted({name for graph in model.subgraphs for name in missing_operators(graph)})
    except ValueError as e:
        raise ModelError(f"{model.source} is damaged: {e}.") from e
    if missing:
        raise UnsupportedOpError(
            f"{model.source} needs {len(missing)} operator(s) that the NumPy backend does not have: "
            f"{', '.join(missing)}. Run it with the TFLite backend (--backend tflite), "
            "or add them to reference/ops/table.py.",
            missing,
        )
