"""Two runs of one sub-graph: every tensor, operator by operator and as a whole. Tensors go by their numbers in A."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tflite_transfer.diagnostics import metrics, verdicts
from tflite_transfer.diagnostics.bounds import inputs_in_8_bits
from tflite_transfer.diagnostics.findings import Difference, Finding
from tflite_transfer.diagnostics.matching import Matching, matched
from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.diagnostics.rules import allowed
from tflite_transfer.diagnostics.sides import ORACLE, Read, Side, Source, is_litert, open_side
from tflite_transfer.diagnostics.single import Cut, cut
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.step import Step
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Subgraph

Tensors = Mapping[int, Array]


@dataclass(frozen=True)
class Runs:
    """What each side kept of one run, and the oracle where there is one.

    ``nothing``: the tensors that were found to hold roundings alone.
    """

    a: Tensors
    b: Tensors
    exact: Tensors | None
    nothing: set[int] = field(default_factory=set)


class Pair:
    """One sub-graph with two engines, the plain definitions that say what is allowed, and the oracle.

    One side is fed with the other one's inputs, operator by operator: the oracle, since float32 widens without loss;
    else one of ours, B before A, whose functions can be called alone; else B, in files of one operator.
    """

    whole_runs = True  # does the oracle tell which of two whole runs is right?

    def __init__(self, engines: tuple[str, str], sources: tuple[Source, Source]) -> None:
        self.engines, self._sources = engines, sources
        self.a, self.b = (open_side(e, s) for e, s in zip(engines, sources, strict=True))
        self.plain = _ours("numpy-nojit", sources[0], [self.a])
        self.oracle = _oracle(sources[0], [self.a, *([self.b] if sources[0] is sources[1] else [])])
        self.matching: Matching = matched(self.graph, self.b.graph)
        self._b_is_fed, self._has_cut = _fed(engines) == 1, False

    @property
    def graph(self) -> Subgraph:
        """A's sub-graph."""
        return self.a.graph

    def run(self, values: Sequence[Array]) -> Runs:
        """All on the same inputs, by position."""
        found = {side: self.kept(side, values)[0] for side in ("a", "b")}
        if self.judge is None:
            return Runs(found["a"], found["b"], None)
        return Runs(found["a"], found["b"], found.get(self.judge) or self.kept("oracle", values)[0])

    @property
    def judge(self) -> str | None:
        """Which side is the oracle: ``a`` or ``b`` may be it itself, and is then not to run twice."""
        if self.oracle is None:
            return None
        return "a" if self.oracle is self.a else "b" if self.oracle is self.b else "oracle"

    def kept(self, side: str, values: Sequence[Array]) -> tuple[Tensors, list[Array]]:
        """What ``a``, ``b`` or the ``oracle`` keeps of a run, and its results by position."""
        runs: Side | None = getattr(self, side)
        assert runs is not None
        found = runs.run(values)
        results = [found[i] for i in runs.graph.outputs]
        if side == "b":
            found = {i: found[j] for i, j in self.matching.tensors.items() if j in found}
        return found, results

    def findings(
        self, runs: Runs, part: str, step: int | None = None, *, alone: bool = True, judged: bool = True
    ) -> Iterator[Finding]:
        """Every tensor that an operator made in both runs, in their order; each operator ``alone`` as well.

        ``judged``: may whole runs be held against the oracle? Else only what is not finite in one is a fault there.
        """
        for bound in self.plain.plan.every:
            if bound.number in self.matching.operators:
                isolated = self._isolated(bound, runs) if alone else {}
                for i in bound.operator.outputs:
                    if i in runs.a and i in runs.b:
                        found = self._finding(bound, i, runs, isolated.get(i), part, step, judged=judged)
                        yield replace(found, cut=self._cut(bound, runs)) if found.fault and i in isolated else found

    def _finding(
        self, bound: Step, i: int, runs: Runs, isolated: Difference | str | None, part: str, step: int | None,
        *, judged: bool,
    ) -> Finding:  # fmt: skip
        a, b = runs.a[i], runs.b[i]
        exact = None if runs.exact is None else runs.exact.get(i)
        cumulative = metrics.difference(a, b, exact=exact) if a.shape == b.shape else None
        from_oracle = verdicts.from_oracle(a, b, exact) if self.whole_runs else None
        fault = verdicts.unlike(a, b, self.engines)
        if fault is None and isinstance(isolated, str):
            fault = isolated
        elif fault is None and isinstance(isolated, Difference):
            fault = verdicts.of_one(isolated, bound.operator.name)
        elif fault is None:
            fault = self.of_a_run(bound.number, i, runs, cumulative, from_oracle if judged else None)
        return Finding(
            "tensor", step, part, bound.number, bound.operator.name, i, self.graph.tensors[i].name, a.shape,
            str(a.dtype), None if isinstance(isolated, str) else isolated, cumulative, from_oracle, fault,
            metrics.heat(a, b) if a.shape == b.shape else None,
        )  # fmt: skip

    def of_a_run(
        self, number: int, i: int, runs: Runs, found: Difference | None, from_oracle: tuple[float, float] | None
    ) -> str | None:
        """Why tensor i, which operator ``number`` made in whole runs, is a fault."""
        fault = verdicts.of_a_run(found, from_oracle, self.engines)
        if fault is None or from_oracle is None or not self._cancels(number, i, runs):
            return fault
        return verdicts.of_a_run(found, None, self.engines)

    def _cancels(self, number: int, i: int, runs: Runs) -> bool:
        """Is what both runs have no further from the oracle than this operator alone may round, ten times over?

        Where terms cancel to nothing, as in the gradient of a bias that a normalisation takes away again, only
        roundings are left in float32, whose own size says nothing. What is made of them is held to their own values.
        """
        bound, exact = self.plain.steps[number], runs.exact
        if exact is None or self.oracle is None or bound.impure:
            return False
        inherited = not runs.nothing.isdisjoint(bound.operator.inputs)
        for side in (runs.a, runs.b):
            known = {**self.plain.fixed, **exact, **(side if inherited else {})}
            made = self.oracle.alone(number, known.__getitem__)
            assert made is not None  # it is pure
            right = made[bound.operator.outputs.index(i)]
            call = self.plain.call(number, known.__getitem__)
            may = np.broadcast_to(allowed((*self.engines, ORACLE), call, right, stored=False), right.shape)
            if metrics.norm(metrics.distance(side[i], right)) > verdicts.FURTHER * metrics.norm(may):
                return False
        runs.nothing.add(i)
        return True

    def _cut(self, bound: Step, runs: Runs) -> Cut | None:
        """The operator by itself on what the fed side is given; of the first that differs alone, others being many."""
        if self._has_cut:
            return None
        self._has_cut, graphs = True, [(self.graph, bound.number, self._read(runs))]
        if self.b.graph is not self.graph:
            graphs.append((self.b.graph, self.matching.operators[bound.number], self._read_by_b(runs)))
        return cut(graphs, self.engines)

    def _read(self, runs: Runs) -> Read:
        """The values that the fed side is given: those of the other one, by their numbers in A."""
        theirs, own = (runs.a, runs.b) if self._b_is_fed else (runs.b, runs.a)
        return lambda i: theirs[i] if i in theirs else self.plain.fixed[i] if i in self.plain.fixed else own[i]

    def _read_by_b(self, runs: Runs) -> Read:
        """The same, by their numbers in B."""
        read = self._read(runs)
        return lambda j: read(self.matching.in_a[j])

    def _isolated(self, bound: Step, runs: Runs) -> Mapping[int, Difference | str]:
        """By output: how far the fed side's result is from the other run's, on that run's inputs; or why not at all."""
        theirs, read = runs.a if self._b_is_fed else runs.b, self._read(runs)
        try:
            results = self._alone(bound.number, read)
        except ModelError as e:
            return dict.fromkeys(bound.operator.outputs, str(e))
        except KeyError:  # an input that the other graph does not have
            results = None
        return {
            i: self._apart(bound, i, theirs[i], result, read)
            for i, result in zip(bound.operator.outputs, results or (), strict=False)
            if i in theirs
        }

    def _alone(self, number: int, read: Read) -> tuple[Array, ...] | None:
        if ORACLE in self.engines and self.graph.operators[number].opcode == "CUSTOM":
            return None  # no rule says what these round
        if self._b_is_fed:
            return self.b.alone(self.matching.operators[number], lambda j: read(self.matching.in_a[j]))
        return self.a.alone(number, read)

    def _apart(self, bound: Step, i: int, theirs: Array, result: Array, read: Read) -> Difference | str:
        a, b = (theirs, result) if self._b_is_fed else (result, theirs)
        unlike = verdicts.unlike(a, b, self.engines)
        if unlike is not None:
            return unlike
        call = self.plain.call(bound.number, read)
        may = allowed(self.engines, call, theirs, stored=is_narrow(self.graph.tensors[i]))
        if any(map(is_litert, self.engines)) and self.plain.is_hybrid(bound.number):
            may = may + inputs_in_8_bits(call)
        found = metrics.difference(a, b, allowed=may)
        if found.share is None or found.share <= 1 or self.oracle is None:
            return found
        exact = self.oracle.alone(bound.number, read)  # a fault: what does the oracle say of the same inputs?
        place = bound.operator.outputs.index(i)
        return found if exact is None else metrics.difference(a, b, allowed=may, exact=exact[place])


def _fed(engines: tuple[str, str]) -> int:
    for wanted in (lambda e: e == ORACLE, lambda e: not is_litert(e)):
        for place in (1, 0):
            if wanted(engines[place]):
                return place
    return 1


def _ours(engine: str, source: Source, sides: Sequence[Side]) -> NumpySide:
    """That engine of ours, of which there may be one already."""
    for side in sides:
        if isinstance(side, NumpySide) and side.engine == engine:
            return side
    return NumpySide(engine, source)


def _oracle(source: Source, sides: Sequence[Side]) -> NumpySide | None:
    """None for a graph that computes on stored integers: in float64 it would be another."""
    try:
        return _ours(ORACLE, source, sides)
    except ModelError:
        return None
