"""Long short-term memory in integers: what the scales of its tensors say.

Shapes, and the order of what is given, are those of ``ops/lstm.py``. Five tensors in between are in the file for their
scales: four of normalised gates, then the one of ``o g(c)``. Source: LiteRT's ``unidirectional_sequence_lstm.cc``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.lstm import Cell, Gate, fitted, one_way
from tflite_transfer.reference.ops.quantized.affine import Tensors, affine, same_scale, whole_logarithm
from tflite_transfer.reference.ops.quantized.fixed_point import quantize_multiplier
from tflite_transfer.reference.ops.quantized.lstm_cell import Integers, Norm, Output, Sum
from tflite_transfer.reference.ops.recurrent import each, over_time, present
from tflite_transfer.reference.tflite.enums import ACTIVATIONS
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def lstm(
    *tensors: Array | None,
    kernel_type: int = 0,
    fused_activation_function: int = 0,
    cell_clip: float = 0,
    proj_clip: float = 0,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    intermediates: Tensors,
    run: Any,
    place: tuple[int, int],
) -> tuple[Array, ...]:
    """One step. (B, I), weights -> (B, U)."""
    if kernel_type:
        raise ValueError("the basic kernel has none of integers")
    cell, states = one_way(tensors, inputs, run, place)
    x = present(tensors[0])
    bounds = _bounds(fused_activation_function, cell_clip, proj_clip)
    step = _integers(cell, inputs, outputs[0], intermediates, bounds).step
    run.memory.states[place] = state = step((x,), *fitted(cell, states, len(x)))
    return (state[0].copy(),)


def unidirectional_sequence_lstm(
    *tensors: Array | None,
    time_major: bool = False,
    fused_activation_function: int = 0,
    cell_clip: float = 0,
    proj_clip: float = 0,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    intermediates: Tensors,
    run: Any,
    place: tuple[int, int],
) -> Array:
    """The same at each moment. (B, T, I) or, by time, (T, B, I); weights -> (B, T, U) or (T, B, U)."""
    cell, states = one_way(tensors, inputs, run, place)
    x = present(tensors[0])
    bounds = _bounds(fused_activation_function, cell_clip, proj_clip)
    step = _integers(cell, inputs, outputs[0], intermediates, bounds).step
    states = fitted(cell, states, x.shape[1 if time_major else 0])
    y, run.memory.states[place] = over_time(step, (x,), states, cell.outputs, time_major=time_major)
    return y


def _bounds(number: int, cell_clip: float, proj_clip: float) -> tuple[np.float32, np.float32]:
    """Those of the cell's state and of the projection. Raises ValueError, also for another activation than TANH."""
    if ACTIVATIONS[number] != "TANH":
        raise ValueError(f"a cell of integers has the activation TANH, and not {ACTIVATIONS[number]}")
    if min(cell_clip, proj_clip) < 0:
        raise ValueError(f"clipped to {cell_clip} and {proj_clip}")
    return np.float32(cell_clip), np.float32(proj_clip)


def _integers(
    cell: Cell, inputs: Tensors, output: Tensor, between: Tensors, bounds: tuple[np.float32, np.float32]
) -> Integers:
    """The cell with all that its scales say. Raises ValueError."""
    if len(between) != 5:
        raise ValueError(f"{len(between)} tensors in between, and not five")
    memory, made, hidden = _scale(inputs[19], "INT16"), same_scale(inputs[18], output), affine(between[4])
    logarithm = whole_logarithm(memory)
    if logarithm is None or not 0 <= 15 + logarithm <= 6:
        raise ValueError(f"a cell's state has the scale {memory}, and not a power of two from 2^-15 to 2^-9")
    forget, new, out = (
        _sum(n, gate, inputs, between, logarithm) for n, gate in enumerate((cell.forget, cell.cell, cell.output), 1)
    )
    by_hidden, projection = quantize_multiplier(np.float32(2.0**-15 / float(hidden.scale) * 2.0**-15)), None
    if cell.projection is not None:
        by = quantize_multiplier(_scale(inputs[16], "INT8") * hidden.scale / made.scale)
        projection = cell.projection.astype(np.int64), _bias(cell.projection_bias, cell.outputs), by
    return Integers(
        None if cell.input is None else _sum(0, cell.input, inputs, between, logarithm),
        forget,
        new,
        out,
        Output(hidden, made, by_hidden, projection, int(min(bounds[1] / made.scale, 127))),
        affine(inputs[0], "INT8").zero,
        logarithm,
        int(min(bounds[0] / memory, 32767)),
    )


def _sum(n: int, gate: Gate, inputs: Tensors, between: Tensors, logarithm: int) -> Sum:
    """The n-th gate: 0 input, 1 forget, 2 cell, 3 output."""
    units = len(gate.bias)
    bias = _bias(gate.bias, units)
    z = np.float32(2**-12) if gate.norm is None else affine(between[n]).scale
    by_x = quantize_multiplier(_scale(inputs[1 + n], "INT8") * affine(inputs[0], "INT8").scale / z)
    by_h = quantize_multiplier(_scale(inputs[5 + n], "INT8") * affine(inputs[18], "INT8").scale / z)
    peephole = norm = None
    if gate.peephole is not None:
        scale = 2.0**logarithm * float(_scale(inputs[{0: 9, 1: 10, 3: 11}[n]], "INT16")) / float(z)
        peephole = each(gate.peephole, units).astype(np.int64), quantize_multiplier(np.float32(scale))
    if gate.norm is not None:
        scale = _scale(inputs[20 + n], "INT16")
        scales = each(gate.norm, units).astype(np.int64)
        norm = Norm(scales, bias, quantize_multiplier(scale), max(1, int(np.float32(10000) * scale)))
    if gate.recurrent.shape != (units, gate.recurrent.shape[-1]):
        raise ValueError(f"recurrent weights of shape {gate.recurrent.shape} for {units} units")
    weights, recurrent = gate.weights[0].astype(np.int64), gate.recurrent.astype(np.int64)
    return Sum(((weights, 0 if norm else bias, by_x), (recurrent, 0, by_h)), peephole, norm)


def _scale(tensor: Tensor | None, kind: str) -> np.float32:
    """The scale of a tensor whose zero point is 0."""
    found = affine(tensor, kind)
    if found.zero:
        raise ValueError(f"{tensor.name if tensor else ''!r} has the zero point {found.zero}, and not 0")
    return found.scale


def _bias(bias: Array | None, units: int) -> Array:
    if bias is None:
        return np.zeros(units, np.int64)
    if bias.dtype != np.int32:
        raise ValueError(f"a bias of type {bias.dtype}")
    return each(bias, units).astype(np.int64)
