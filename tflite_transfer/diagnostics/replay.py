"""What an update makes of gradients that are a little off: the operators behind some tensors, run again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.reference.memory import handles_of
from tflite_transfer.reference.tflite.graph import Array

_ROUNDING = 2.0**-23  # of a float32 result: two of its half units in the last place


def spread(
    side: NumpySide, kept: Mapping[int, Array], errors: Mapping[int, Array], wanted: Mapping[str, int]
) -> dict[str, Array]:
    """How far apart two float32 updates may leave the ``wanted`` tensors, by name, where others are off by ``errors``.

    The oracle's update is run again with these errors, and with a rounding of every result instead, each one way and
    the other way; what the one does may undo the other, and is added. Its quotients and differences say what becomes of
    them: Adam divides a gradient by its own size, so that one which is only rounding moves a parameter either way.
    """
    runs = [
        _replayed(side, kept, {i: kept[i] + error * e for i, e in errors.items()}, rounding)
        for error, rounding in ((1, 0), (-1, 0), (0, _ROUNDING), (0, -_ROUNDING))
    ]
    return {name: _apart(kept[i], *(run[i] for run in runs)) for name, i in wanted.items()}


def _apart(kept: Array, *found: Array) -> Array:
    """How far apart two runs may be, whose values may be any of these: by the errors, and by the roundings."""
    pairs = zip(found[::2], found[1::2], strict=True)
    return sum(
        (np.abs(more - less) + np.abs(more - kept) + np.abs(less - kept) for more, less in pairs), np.zeros_like(kept)
    )


def _replayed(
    side: NumpySide, kept: Mapping[int, Array], changed: Mapping[int, Array], rounding: float
) -> Mapping[int, Array]:
    """A run's tensors, ``kept``, with some ``changed``, and with them all that is computed of these."""
    values, new = {**kept, **changed}, set(changed)
    handles, now = handles_of(side.graph), dict[str, int]()  # variables, and the tensor that each was assigned
    signs = np.random.default_rng(0)  # which results are rounded up
    for number, operator in enumerate(side.graph.operators):
        name = handles.get(operator.inputs[0]) if operator.inputs else None
        if operator.opcode == "ASSIGN_VARIABLE" and name is not None:
            now[name] = operator.inputs[1]
        elif operator.opcode == "READ_VARIABLE" and name is not None and now.get(name) in new:
            values[operator.outputs[0]] = values[now[name]]
            new.add(operator.outputs[0])
        elif new.intersection(operator.inputs) and not new.issuperset(operator.outputs):
            for i, result in zip(operator.outputs, side.alone(number, values.__getitem__) or (), strict=False):
                up = np.where(signs.random(result.shape) < 0.5, rounding, -rounding)
                values[i] = result * (1 + up) if result.dtype.kind == "f" else result
                new.add(i)
    return values
