"""A training model in one file as a ``Training``: its variables are the state, its signature train is the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tflite_transfer.diagnostics.gradients.wiring import wiring_of
from tflite_transfer.diagnostics.graphs import Pair
from tflite_transfer.diagnostics.sides import Side, Source
from tflite_transfer.diagnostics.training import Batch, Place, Stepped, Training, Tree, written
from tflite_transfer.reference.memory import handles_of
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile


class InOneFile(Training):
    """See ``Training``."""

    update = "train"

    def __init__(self, engines: tuple[str, str], models: tuple[OneFile, OneFile]) -> None:
        one, other = models
        if one.parameters.keys() ^ other.parameters.keys():
            raise ModelError(
                f"the models must have the same parameters, but have {sorted(one.parameters)} and "
                f"{sorted(other.parameters)}."
            )
        first, second = (Source(m.content, m.model, one.roles.train.key) for m in models)
        self._roles, self._model = one.roles, one
        pair = Pair(engines, (first, first if one is other else second))
        self.pairs = {"train": pair}
        self.parameters: Sequence[str] = tuple(one.parameters)
        graph = pair.graph
        places = {("loss", "loss"): written(graph, "train", self._loss)}
        for name, place in _variables(graph):
            places["parameter" if name in self.parameters else "slot", name] = place
        self.read: Mapping[str, int] = {n: i for n, i in _read(graph) if n not in self.parameters}
        wiring = wiring_of(one)
        self._gradients = wiring.gradients
        known = len(wiring.gradients) == len(wiring.learning)
        x = one.signature(self._roles.train.key).inputs[self._roles.train.argument]
        self.sources: Sequence[int] = (*wiring.gradients.values(), *wiring.counted(x)) if known else ()
        self.places = places | {("gradient", name): written(graph, "train", i) for name, i in self._gradients.items()}

    @property
    def _loss(self) -> int:
        return self._model.signature(self._roles.train.key).outputs[self._roles.train.result]

    def start(self) -> Tree:
        """As the file has it."""
        return self.pairs["train"].a.variables()

    def step(self, side: str, state: Tree, batch: Batch) -> Stepped:
        pair = self.pairs["train"]
        runs: Side = getattr(pair, side)
        runs.assign(state)
        signature = self._model.signature(self._roles.train.key)
        given = {signature.inputs[self._roles.train.argument]: batch.x, signature.inputs[self._roles.labels]: batch.y}
        kept, _ = pair.kept(side, [given[i] for i in pair.graph.inputs])
        gradients = {name: kept[i] for name, i in self._gradients.items() if i in kept}
        return Stepped({"train": kept}, kept[self._loss], gradients, runs.variables())


def _variables(graph: Subgraph) -> Iterator[tuple[str, Place]]:
    """Each variable with the tensor that it is assigned, else with what is read of it."""
    handles = handles_of(graph)
    for opcode, side, place in (("READ_VARIABLE", "outputs", 0), ("ASSIGN_VARIABLE", "inputs", 1)):
        for n, o in enumerate(graph.operators):
            if o.opcode == opcode and o.inputs[0] in handles:
                yield handles[o.inputs[0]], Place("train", getattr(o, side)[place], n, o.name)


def _read(graph: Subgraph) -> Iterator[tuple[str, int]]:
    """Each variable with what is read of it before it is assigned."""
    handles, done = handles_of(graph), set[str]()
    for o in graph.operators:
        name = handles.get(o.inputs[0]) if o.opcode in ("READ_VARIABLE", "ASSIGN_VARIABLE") else None
        if name is not None and name not in done:
            done.add(name)
            if o.opcode == "READ_VARIABLE":
                yield name, o.outputs[0]
