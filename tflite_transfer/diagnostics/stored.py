"""A float model against the same one in fewer bits: B's stored integers as the numbers that they stand for.

An operator of B alone takes A's inputs as B stores them. It must give what A's operator makes of these very numbers and
of B's constants, to within two steps of its result; and the constants must be A's but for their rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tflite_transfer.diagnostics import metrics, verdicts
from tflite_transfer.diagnostics.bounds import Call, inputs_in_8_bits, ulps
from tflite_transfer.diagnostics.findings import Difference
from tflite_transfer.diagnostics.graphs import Pair, Runs, Tensors
from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.diagnostics.rules import allowed
from tflite_transfer.diagnostics.sides import Read, Source, is_litert
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.constants import along_axis, widen
from tflite_transfer.reference.step import Step
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Array, Tensor

_STEPS = 2  # of the result: half a one for its rounding, one that fixed point may be off, and a bias in steps


class StoredPair(Pair):
    """See ``Pair``. Nothing is said of whole runs: B's roundings are meant."""

    whole_runs = False

    def kept(self, side: str, values: Sequence[Array]) -> tuple[Tensors, list[Array]]:
        if side != "b":
            return super().kept(side, values)
        stored = [to_stored(v, self.b.graph.tensors[j]) for v, j in zip(values, self.b.graph.inputs, strict=True)]
        found, results = super().kept(side, stored)
        return {i: to_real(v, self._tensor_of_b(i)) for i, v in found.items()}, results

    def _tensor_of_b(self, i: int) -> Tensor:
        return self.b.graph.tensors[self.matching.tensors[i]]

    def _read(self, runs: Runs) -> Read:
        return lambda i: runs.a[i] if i in runs.a else self.plain.fixed[i]

    def _read_by_b(self, runs: Runs) -> Read:
        return lambda j: self._as_stored(j, runs)

    def _isolated(self, bound: Step, runs: Runs) -> Mapping[int, Difference | str]:
        if len(bound.operator.outputs) != 1 or bound.impure:
            return {}
        number, i = self.matching.operators[bound.number], bound.operator.outputs[0]
        try:
            results = self.b.alone(number, self._read_by_b(runs))
        except KeyError:  # an input that the other graph does not have
            results = None
        if results is None:
            return {}
        call = self._call(bound, number, runs)
        made = self._tensor_of_b(i)
        exact = self.plain.execute(bound, call.values)[0]
        a, b = _within(exact, made), to_real(results[0], made)
        unlike = verdicts.unlike(a, b, self.engines)
        return {i: unlike or metrics.difference(a, b, allowed=self._allowed(call, number, exact, made))}

    def _call(self, bound: Step, number: int, runs: Runs) -> Call:
        """A's operator on the numbers that B has: its inputs as they are stored, and its constants."""
        theirs = self.b.graph.operators[number].inputs
        stored = dict(zip(bound.operator.inputs, theirs, strict=False))
        call = self.plain.call(bound.number, lambda i: self._rounded(runs.a[i], stored.get(i, -1)))
        pairs = zip(call.values, (*theirs, *[-1] * len(call.values)), strict=False)
        return call._replace(values=[v if v is None or j < 0 else self._constant(v, j) for v, j in pairs])

    def _as_stored(self, j: int, runs: Runs) -> Array:
        known = self._plain_of_b.fixed
        return known[j] if j in known else to_stored(runs.a[self.matching.in_a[j]], self.b.graph.tensors[j])

    def _rounded(self, x: Array, j: int) -> Array:
        """A's values as B's tensor j has them, if there is one."""
        if j < 0:
            return x
        tensor = self.b.graph.tensors[j]
        return to_real(to_stored(x, tensor), tensor).astype(x.dtype)

    def _constant(self, value: Array, j: int) -> Array:
        """B's constant for A's, if it is that but for a rounding; else A's, and the results will tell."""
        tensors, known = self.b.graph.tensors, self._plain_of_b.fixed
        stored = known.get(j + len(tensors), known.get(j))  # widened, or as it stands
        tensor = tensors[self._narrow.get(j, j)]
        if stored is None or value.dtype.kind != "f" or stored.shape != value.shape:
            return value
        theirs, step = to_real(stored, tensor).astype(value.dtype), 2.0**-11 * np.abs(value) + 2.0**-25  # float16
        if tensor.quantization is not None and tensor.quantization.scale.size:
            step = 0.51 * along_axis(tensor.quantization, value.ndim)[0]
        return theirs if (np.abs(theirs - value) <= step).all() else value

    @cached_property
    def _narrow(self) -> Mapping[int, int]:
        """What B's DEQUANTIZEs widen, by what they make of it."""
        return {o.outputs[0]: o.inputs[0] for o in self.b.graph.operators if o.opcode == "DEQUANTIZE"}

    @cached_property
    def _plain_of_b(self) -> NumpySide:
        return NumpySide("numpy-nojit", self._sources[1])

    def _allowed(self, call: Call, number: int, exact: Array, made: Tensor) -> Any:
        if is_narrow(made) and made.quantization is not None:
            return _STEPS * float(made.quantization.scale.max())
        may = allowed(self.engines, call, exact, stored=False) + ulps(2)(call, exact)
        hybrid = self._plain_of_b.is_hybrid(number) and is_litert(self.engines[1])
        return may + inputs_in_8_bits(call) if hybrid else may


def pair_of(engines: tuple[str, str], sources: tuple[Source, Source]) -> Pair:
    """Two engines with one function each; with B's stored numbers told apart from A's floats. Raises OptionError."""
    one, other = sources
    if _computes_stored(one) and not _computes_stored(other):
        raise OptionError(
            f"{one.name} computes on stored integers and {other.name} on floats: compare the float model against it, "
            "by its name first."
        )
    return (StoredPair if _stores_otherwise(*sources) else Pair)(engines, sources)


def _stores_otherwise(a: Source, b: Source) -> bool:
    """Does B alone hold stored integers, or float16?"""
    return _bits(b) < _bits(a)


def _computes_stored(source: Source) -> bool:
    return any(is_narrow(t) and t.data is None for t in source.model.main.tensors)


def _bits(source: Source) -> int:
    types = {t.type for t in source.model.main.tensors if t.data is not None and t.data.size > 1}
    kinds = {t.type for t in source.model.main.tensors if is_narrow(t)}
    return 8 if kinds else 16 if "FLOAT16" in types else 32


def to_stored(x: Array, tensor: Tensor) -> Array:
    """Numbers as a tensor stores them: ``round(x / scale) + zero``, within its type."""
    if not is_narrow(tensor) or x.dtype.kind != "f" or tensor.quantization is None:
        return x
    scale, zero = along_axis(tensor.quantization, x.ndim)
    ends = np.iinfo(tensor.dtype)
    return np.clip(np.round(x / scale) + zero, ends.min, ends.max).astype(tensor.dtype)


def to_real(stored: Array, tensor: Tensor) -> Array:
    """The numbers that a tensor's stored ones stand for."""
    if is_narrow(tensor) and stored.dtype.kind in "iu" and tensor.quantization is not None:
        return widen(stored, tensor.quantization)
    return stored


def _within(x: Array, tensor: Tensor) -> Array:
    """Numbers no larger than a tensor can store."""
    if not is_narrow(tensor) or tensor.quantization is None:
        return x
    ends = np.iinfo(tensor.dtype)
    low, high = (
        widen(np.array(e, tensor.dtype).reshape((1,) * x.ndim), tensor.quantization) for e in (ends.min, ends.max)
    )
    return np.clip(x, low, high)
