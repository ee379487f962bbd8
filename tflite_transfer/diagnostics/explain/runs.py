"""A graph run as a whole by an engine, with every tensor that it makes; and a whole training step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.explain.batch import Start
from tflite_transfer.diagnostics.explain.subject import Graph, batch_of, role_of, train_of
from tflite_transfer.diagnostics.sides import ORACLE, open_side
from tflite_transfer.reference.signatures import names
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.one_file import OneFile


class Run(NamedTuple):
    """Tensors by number, and the variables as the run left them."""

    tensors: Mapping[int, Array]
    variables: Tree


def run(engine: str, graph: Graph) -> Run:
    """Random streams begin anew. Raises ModelError, MissingExtraError where LiteRT is not installed."""
    side = open_side(engine, graph.source)
    if graph.variables:
        side.assign(graph.variables)
    by_number = {i: graph.given[name] for name, i in names(graph.source.model, graph.source.key).inputs.items()}
    values = [by_number[i] for i in side.graph.inputs]
    wide = [v.astype(np.float64) if engine == ORACLE and v.dtype.kind == "f" else v for v in values]
    return Run(side.run(wide), side.variables() if graph.variables else {})


Once = Callable[[str, Tree], Run]  # by an engine, from these parameters and slots


class Passes:
    """The file's own step, and once more with what it makes of the weights: each engine takes them once.

    Only of the weights: a count of steps, too, would give dropout another mask, and the loss another meaning.
    """

    def __init__(self, model: OneFile | Bundle, start: Start, weights: Collection[str]) -> None:
        self._model, self._start, self._weights = model, start, weights
        self.once, self.values = step_of(model, start), {**start.params, **start.slots}
        self.now, self.then = cache(self._now), cache(self._then)

    def _now(self, engine: str) -> Run:
        return self.once(engine, self.values)

    def _then(self, engine: str) -> Run:
        after = self.now(engine).variables
        return self.once(engine, {**self.values, **{name: after[name] for name in self._weights}})

    def alone(self, i: int) -> Run:
        """The reference's step on sample i of the batch, and on no other."""
        b = self._start.batch
        one = replace(b, names=b.names[i : i + 1], pixels=b.pixels[i : i + 1], classes=b.classes[i : i + 1])
        return step_of(self._model, replace(self._start, batch=one))("numpy", self.values)


def step_of(model: OneFile | Bundle, start: Start) -> Once:
    """The file's step on a batch: the tensors of train, or of train_head, and the parameters and slots after it."""
    if isinstance(model, OneFile):
        train = train_of(model, start)
        return lambda engine, values: run(engine, replace(train, variables=values))
    return lambda engine, values: _five_files(model, start, engine, values)


def _five_files(model: Bundle, start: Start, engine: str, values: Tree) -> Run:
    params = [values[name] for name in model.parameters]
    now = run(engine, role_of(model, "train_head", [*batch_of(model, start), *params]))
    grads = [now.tensors[i] for i in model.models["train_head"].main.outputs[1:]]
    slots = [values[name] for name in model.slots]
    then = run(engine, role_of(model, "optimizer", [*params, *grads, *slots]))
    after = (then.tensors[i] for i in model.models["optimizer"].main.outputs)
    return Run(now.tensors, dict(zip((*model.parameters, *model.slots), after, strict=True)))
