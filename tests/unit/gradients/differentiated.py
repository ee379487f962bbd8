"""A file that holds one operator and its gradient, and central differences to hold that against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tests.parity.operators import Array, Case, Given, case, content, name
from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.gradients import pull_back
from tflite_transfer.diagnostics.gradients.slopes import central_difference, lost, relative_error
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read
from tflite_transfer.reference.tflite.graph import Model, Subgraph, Tensor

STEP = 1e-6


class Derivative(NamedTuple):
    """An operator to differentiate. ``free``: inputs whose number of rows the file leaves open."""

    case: Case
    free: tuple[int, ...]

    def __str__(self) -> str:
        return name(self.case)


def of(opcode: str, *inputs: Array | Given | None, free: tuple[int, ...] = (0,), **options: Any) -> Derivative:
    """The derivative for all inputs that are given; see ``case``."""
    return Derivative(case(opcode, *inputs, kind="FLOAT32", **options), free)


@dataclass(frozen=True)
class File:
    """``x0, ..., dy0, ... -> y0, ..., dx0, ...``, and float32 values for what it takes."""

    model: Model
    given: Mapping[str, Array]

    @property
    def wanted(self) -> list[str]:
        """The inputs that have a gradient, if there is one."""
        return [n for n, v in self.given.items() if n.startswith("x") and v.dtype == np.float32]

    @property
    def seeds(self) -> list[str]:
        return [n for n in self.given if n.startswith("dy")]

    @cached_property
    def wide(self) -> Interpreter:
        """In float64, by the plain definitions."""
        return Interpreter(self.model, precision="float64", jit=False)

    @cached_property
    def exact(self) -> dict[str, Array]:
        return self.wide.run("run", **self.given)


def differentiated(derivative: Derivative, *, free: bool, seeds: int | None = None) -> File:
    """The operator, and behind it what ``pull_back`` writes for random cotangents of its first results, or of all."""
    main = _graph(derivative, free=free)
    graph = Graph(main)
    graph.inputs = {main.tensors[i].name: i for i in main.inputs}
    values = {main.tensors[i].name: v for i, v in zip(main.inputs, _given(derivative.case), strict=True)}
    wanted = {n: i for n, i in graph.inputs.items() if values[n].dtype == np.float32}
    rng, cotangents = np.random.default_rng(7), {}
    for n, i in enumerate(main.outputs[:seeds]):
        cotangents[i] = graph.argument(f"dy{n}", main.tensors[i].free_shape)
        values[f"dy{n}"] = rng.normal(size=main.tensors[i].shape).astype(np.float32)
        graph.output(f"y{n}", i)
    found = pull_back(graph, cotangents, wanted.values())
    for x, i in wanted.items():
        if i in found:
            graph.result(f"d{x}", found[i])
    return File(graph.model("run"), values)


def _given(case: Case) -> list[Array]:
    return [i.value for i in case.inputs if i is not None and not i.in_file]


def _graph(derivative: Derivative, *, free: bool) -> Subgraph:
    """The operator alone. What one example fewer makes smaller is free."""
    whole = read(content(derivative.case)[0]).main
    if not free:
        return whole
    inputs = tuple(
        i._replace(value=i.value[1:]) if n in derivative.free and i is not None else i
        for n, i in enumerate(derivative.case.inputs)
    )
    fewer = read(content(derivative.case._replace(inputs=inputs))[0]).main
    return replace(whole, tensors=tuple(map(_freed, whole.tensors, fewer.tensors)))


def _freed(tensor: Tensor, other: Tensor) -> Tensor:
    signature = tuple(n if n == m else -1 for n, m in zip(tensor.shape, other.shape, strict=True))
    return replace(tensor, signature=signature if -1 in signature else None)


def error(file: File) -> float:
    """How far ``Σ dx d`` is from the slope of ``Σ dy f`` along a random d: see ``relative_error``."""
    rng, worst = np.random.default_rng(8), 0.0
    cotangents = {dy[1:]: file.given[dy].astype(np.float64) for dy in file.seeds}
    size = sum(float(np.vdot(np.abs(dy), np.abs(file.exact[y]))) for y, dy in cotangents.items())

    def along(x: str, move: Array) -> float:
        results = file.wide.run("run", **{**file.given, x: file.given[x] + move})
        return sum(float(np.vdot(dy, results[y])) for y, dy in cotangents.items())

    for x in file.wanted:
        d = rng.normal(size=np.shape(file.given[x])) * np.abs(file.given[x]).max()
        slope = central_difference(lambda h, x=x, d=d: along(x, h * d), STEP)
        terms = file.exact.get(f"d{x}", np.zeros_like(d)) * d
        worst = max(worst, relative_error(slope, terms, lost(size, STEP)))
    return worst
