"""Two runs of one sub-graph: every tensor, operator by operator and as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tflite_transfer.diagnostics import metrics, verdicts
from tflite_transfer.diagnostics.bounds import Call, inputs_in_8_bits
from tflite_transfer.diagnostics.findings import Difference, Finding
from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.diagnostics.rules import allowed
from tflite_transfer.diagnostics.sides import ORACLE, Read, Side, Source, is_litert, open_side
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.step import Step
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Subgraph

Tensors = Mapping[int, Array]


@dataclass(frozen=True)
class Runs:
    """What each side kept of one run, and the oracle where there is one."""

    a: Tensors
    b: Tensors
    exact: Tensors | None


class Pair:
    """One sub-graph with two engines, the plain definitions that say what is allowed, and the oracle.

    One side is fed with the other one's inputs, operator by operator: the oracle, since float32 widens without loss;
    else one of ours, B before A, whose functions can be called alone; else B, in files of one operator.
    """

    def __init__(self, engines: tuple[str, str], source: Source, key: str | None = None) -> None:
        self.engines = engines
        self.a, self.b = (open_side(engine, source, key) for engine in engines)
        self.plain = _ours("numpy-nojit", source, key, (self.a, self.b))
        self.oracle = _oracle(source, key, (self.a, self.b))
        self.fed = _fed(engines)

    @property
    def graph(self) -> Subgraph:
        """The sub-graph."""
        return self.plain.plan.graph

    def run(self, a: Sequence[Array], b: Sequence[Array], exact: Sequence[Array]) -> Runs:
        """Each side, and the oracle, on its own inputs by position."""
        return Runs(self.a.run(a), self.b.run(b), None if self.oracle is None else self.oracle.run(exact))

    def findings(self, runs: Runs, part: str, step: int | None = None, *, alone: bool = True) -> Iterator[Finding]:
        """Every tensor that an operator made in both runs, in their order."""
        for bound in self.plain.plan.every:
            isolated = self._isolated(bound, runs) if alone else {}
            for i in bound.operator.outputs:
                if i in runs.a and i in runs.b:
                    yield self._finding(bound, i, runs, isolated.get(i), part, step)

    def _finding(
        self, bound: Step, i: int, runs: Runs, isolated: Difference | str | None, part: str, step: int | None
    ) -> Finding:
        a, b = runs.a[i], runs.b[i]
        exact = None if runs.exact is None else runs.exact.get(i)
        cumulative = metrics.difference(a, b, exact=exact) if a.shape == b.shape else None
        from_oracle = verdicts.from_oracle(a, b, exact)
        fault = verdicts.unlike(a, b, self.engines)
        if fault is None and isinstance(isolated, str):
            fault = isolated
        elif fault is None and isinstance(isolated, Difference):
            fault = verdicts.of_one(isolated, bound.operator.name)
        elif fault is None:
            fault = verdicts.of_a_run(cumulative, from_oracle)
        tensor = self.graph.tensors[i]
        return Finding(
            "tensor", step, part, bound.number, bound.operator.name, i, tensor.name, a.shape, str(a.dtype),
            None if isinstance(isolated, str) else isolated, cumulative, from_oracle, fault,
            metrics.heat(a, b) if a.shape == b.shape else None,
        )  # fmt: skip

    def _isolated(self, bound: Step, runs: Runs) -> Mapping[int, Difference | str]:
        """By output: how far the fed side's result is from the other run's, on that run's inputs; or why not at all."""
        fed, theirs, own = (self.b, runs.a, runs.b) if self.fed == "b" else (self.a, runs.b, runs.a)

        def read(i: int) -> Array:
            return theirs[i] if i in theirs else self.plain.fixed[i] if i in self.plain.fixed else own[i]

        try:
            results = fed.alone(bound.number, read)
        except ModelError as e:
            return dict.fromkeys(bound.operator.outputs, str(e))
        if results is None:
            return {}
        return {
            i: self._apart(bound, i, theirs[i], result, read)
            for i, result in zip(bound.operator.outputs, results, strict=True)
            if i in theirs
        }

    def _apart(self, bound: Step, i: int, theirs: Array, result: Array, read: Read) -> Difference | str:
        a, b = (theirs, result) if self.fed == "b" else (result, theirs)
        unlike = verdicts.unlike(a, b, self.engines)
        if unlike is not None:
            return unlike
        inputs = self.plain.inputs(bound, read)
        call = Call(bound.operator.opcode, bound.kernel, inputs, bound.options)
        may = allowed(self.engines, call, theirs, stored=is_narrow(self.graph.tensors[i]))
        if any(map(is_litert, self.engines)):
            may = may + inputs_in_8_bits(call, len(bound.inputs) > 1 and bound.inputs[1] >= len(self.graph.tensors))
        found = metrics.difference(a, b, allowed=may)
        return found if found.share is None or found.share <= 1 else self._with_exact(found, a, b, may, bound, i, read)

    def _with_exact(
        self, found: Difference, a: Array, b: Array, may: object, bound: Step, i: int, read: Read
    ) -> Difference:
        """A fault once more, with what the oracle says of the same inputs."""
        results = None if self.oracle is None else self.oracle.alone(bound.number, read)
        if results is None:
            return found
        return metrics.difference(a, b, allowed=may, exact=results[bound.operator.outputs.index(i)])


def _fed(engines: tuple[str, str]) -> str:
    for wanted in (lambda e: e == ORACLE, lambda e: not is_litert(e)):
        for name, engine in (("b", engines[1]), ("a", engines[0])):
            if wanted(engine):
                return name
    return "b"


def _ours(engine: str, source: Source, key: str | None, sides: Sequence[Side]) -> NumpySide:
    """That engine of ours, of which there may be one already."""
    for side in sides:
        if isinstance(side, NumpySide) and side.engine == engine:
            return side
    return NumpySide(engine, source.model, key)


def _oracle(source: Source, key: str | None, sides: Sequence[Side]) -> NumpySide | None:
    """None for a graph that computes on stored integers: in float64 it would be another."""
    try:
        return _ours(ORACLE, source, key, sides)
    except ModelError:
        return None
