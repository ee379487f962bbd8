"""Shapes found by running: what differs between one example and two is free, all else is fixed.

A file's own shapes do not always tell: converters leave sizes free that never change, and write 1 for a batch that may
be any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tflite_transfer.converter.gradients.missing import check_alone
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import DTYPES, Array, Model, Subgraph, Tensor

Shape = tuple[int, ...]


def measured(function: Function, source: str) -> Function:
    """The function with -1 for each free size, and every other size as it is. The first axis of x is the batch.

    Raises ModelError where a result does not grow with the batch, and for what the interpreter or the file cannot run.
    """
    check_alone(function.graph, source)
    one = _shapes(function, 1, source)
    try:
        two = _shapes(function, 2, source)
    except ModelError as e:
        raise ModelError(f"{source} does not take any number of examples: with two, {e}") from e
    for number, tensor in enumerate(function.graph.tensors):
        if number in one:
            shape = tuple(n if n == m else -1 for n, m in zip(one[number], two[number], strict=True))
            function.graph.tensors[number] = _described(tensor, shape, function.graph.batch)
    output = function.graph.tensors[function.output]
    if output.free_shape[:1] != (-1,):
        raise ModelError(
            f"{source} does not take a batch: for two examples {output.name!r} has shape {two[function.output]}."
        )
    return function


def check_apart(function: Function, source: str) -> None:
    """Raise ModelError where an example's result is another one beside a second example: that was no batch."""
    x, rng = function.graph.tensors[function.x], np.random.default_rng(0)
    shape, dtype = (2, *_image(x)), DTYPES[x.type]
    two = rng.random(shape).astype(dtype) if dtype.kind == "f" else rng.integers(0, 2, shape).astype(dtype)
    beside, alone = (_result(function, given, source) for given in (two, two[:1]))
    if not np.allclose(beside[:1], alone, rtol=0, atol=1e-3 * np.abs(alone).max(), equal_nan=True):
        raise ModelError(f"{source} takes one example at a time, and mixes two: export it with a free batch.")


def _described(tensor: Tensor, shape: Shape, batch: int) -> Tensor:
    fixed = tuple(batch if n == -1 else n for n in shape)
    return replace(tensor, shape=fixed, signature=shape if fixed != shape else None)


def _shapes(function: Function, batch: int, source: str) -> dict[int, Shape]:
    """The shape of each tensor that is given or computed, for so many examples."""
    x = function.graph.tensors[function.x]
    zeros = np.zeros((batch, *_image(x)), DTYPES[x.type])
    return {number: np.shape(value) for number, value in _values(function, zeros, source)}


def _result(function: Function, x: Array, source: str) -> Array:
    return next(value for number, value in _values(function, x, source) if number == function.output)


def _values(function: Function, x: Array, source: str) -> Iterator[tuple[int, Array]]:
    """Each tensor that is given or computed, one after the other; what else the graph takes is 0."""
    graph = function.graph
    tensors, inputs = list(graph.tensors), tuple(graph.inputs.values())
    tensors[function.x] = _described(tensors[function.x], x.shape, len(x))
    named = tuple(replace(t, name=str(i)) for i, t in enumerate(tensors))
    main = Subgraph(named, tuple(graph.operators), inputs, (function.output,))
    interpreter = Interpreter(Model((main,), source=source), jit=False)
    given: dict[int, Array] = {i: np.zeros(tensors[i].shape, DTYPES[tensors[i].type]) for i in inputs}
    given[function.x] = x
    yield from given.items()
    for step in interpreter.trace(**{str(i): value for i, value in given.items()}):
        if step.subgraph == 0:
            yield from zip(graph.operators[step.number].outputs, step.outputs.values(), strict=True)


def _image(x: Tensor) -> Shape:
    if -1 in x.free_shape[1:]:
        raise ModelError(f"{x.name} leaves more than its batch free {x.free_shape}; export it with a fixed size.")
    return x.free_shape[1:]
