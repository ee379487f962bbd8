"""Every tensor that a model's main graph makes, ours beside LiteRT's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tests.parity.operator_table import difference
from tests.parity.operators import Array
from tflite_transfer.diagnostics.bounds import inputs_in_8_bits
from tflite_transfer.diagnostics.litert import LiteRTSide
from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.diagnostics.sides import Source
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read

ENGINES = {"default": "tflite", "reference": "tflite-ref"}
SUMS = frozenset({"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX"})


class Pair(NamedTuple):
    """A tensor that an operator made: ours, LiteRT's, and ours ``alone``, made of LiteRT's own inputs.

    Nothing is alone where a loop runs or a state is kept. ``stored``: integers that stand for real numbers.
    """

    op: str
    stored: bool
    ours: Array
    theirs: Array
    alone: Array | None
    rounding: Array | None


def pairs(content: bytes, x: Array, resolver: str, *, jit: bool) -> Iterator[Pair]:
    """All tensors of the main graph that LiteRT keeps, in the order in which they are made."""
    source = Source(content, read(content))
    mine, theirs = NumpySide("numpy" if jit else "numpy-nojit", source), LiteRTSide(ENGINES[resolver], source)
    graph, plain = mine.graph, NumpySide("numpy-nojit", source)
    ours, kept = mine.run([x]), theirs.run([x])
    for i, y in zip(graph.outputs, Interpreter(content, jit=jit).call(x), strict=True):
        np.testing.assert_array_equal(y, ours[i], "a run gives what a trace tells")

    def value(i: int) -> Array:
        return kept[i] if i in kept else ours[i]

    for number, operator in enumerate(graph.operators):
        alone = mine.alone(number, value)
        rounding = inputs_in_8_bits(plain.call(number, value)) if plain.is_hybrid(number) else None
        for n, i in enumerate(operator.outputs):
            if i in kept:
                made = None if alone is None else alone[n]
                yield Pair(operator.name, is_narrow(graph.tensors[i]), ours[i], kept[i], made, rounding)


def apart(pair: Pair, ours: Array) -> float:
    """In steps of stored integers, or in units of 2^-24 of the largest value; other integers must be equal."""
    theirs = pair.theirs
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), pair.op
    if ours.dtype.kind in "fc":
        assert np.isfinite(ours).all(), pair.op
        assert np.isfinite(theirs).all(), pair.op
    elif not pair.stored:
        return 0.0 if np.array_equal(ours, theirs) else np.inf
    return difference(ours, theirs)


Largest = tuple[float, str]  # a difference, and the operator that made it


class Worst(NamedTuple):
    """The largest differences among a model's tensors."""

    run: Largest = (0.0, "")  # of a whole run: of stored integers, in a model that computes with these; else of floats
    sums: Largest = (0.0, "")  # of operators alone: of floats that are sums of many
    floats: Largest = (0.0, "")  # other floats
    stored: Largest = (0.0, "")
    rounded: Largest = (0.0, "")  # as a share of what rounding allows
    values: float = np.inf  # not a difference: how many a tensor of stored integers has, of more than eight


def first_of(differences: Iterable[Largest]) -> Largest:
    """The largest of them, and the first that is as large."""
    return max(differences, key=lambda d: d[0])


def worst(found: list[Pair], *, integers: bool) -> Worst:
    """``integers``: does the model compute with stored integers?"""
    seen: dict[str, list[Largest]] = {}

    def see(name: str, value: float, pair: Pair) -> None:
        seen.setdefault(name, []).append((value, pair.op))

    for pair in found:
        if pair.ours.dtype.kind not in "fc" if integers else not pair.stored:
            see("run", apart(pair, pair.ours), pair)
        if pair.alone is not None and pair.rounding is not None:
            assert (pair.rounding > 0).all(), pair.op
            see("rounded", float((np.abs(pair.alone - pair.theirs) / pair.rounding).max()), pair)
        elif pair.alone is not None:
            see("stored" if pair.stored else "sums" if pair.op in SUMS else "floats", apart(pair, pair.alone), pair)
    values = (len(np.unique(p.ours)) for p in found if p.stored and p.ours.size > 8)
    return Worst(**{name: first_of(d) for name, d in seen.items()}, values=min(values, default=np.inf))
