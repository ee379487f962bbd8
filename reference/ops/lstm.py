"""Long short-term memory: Hochreiter and Schmidhuber 1997, with the later gates. The states outlive a run.

B examples, T steps, I inputs, C cells, U outputs: C, or fewer by a projection. What an operator is given, in order: the
weights of the gates input, forget, cell and output; their recurrent weights; peepholes of input, forget and output;
biases; the projection's weights and bias; the states; the scales of normalised gates. What is left out is not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.elementwise import logistic
from tflite_transfer.reference.ops.limit import within_limit
from tflite_transfer.reference.ops.recurrent import (
    Inputs,
    State,
    activation,
    both_ways,
    each,
    over_time,
    present,
    remembered,
    weighted,
)

Array = NDArray[Any]
Tensors = Sequence[Array | None]

_BASIC = 1  # LSTMOptions.kernel_type


class Gate(NamedTuple):
    """What one gate adds up."""

    weights: tuple[Array, ...]  # (C, I), for each input
    recurrent: Array  # (C, U), or its diagonal alone
    peephole: Array | None  # (C,)
    bias: Array  # (C,)
    norm: Array | None  # (C,)

    def __call__(self, xs: Sequence[Array], h: Array, c: Array) -> Array:
        """``x w^T + h u^T + p c + b``; normalised before the bias is added. (B, I).., (B, U), (B, C) -> (B, C)."""
        units = c.shape[-1]
        z = sum(weighted(x, w) for x, w in zip(xs, self.weights, strict=True))
        z = z + (h * each(self.recurrent, units) if self.recurrent.ndim == 1 else weighted(h, self.recurrent))
        if self.peephole is not None:
            z = z + c * each(self.peephole, units)
        if self.norm is not None:
            centred = z - z.mean(axis=-1, keepdims=True)
            variance = (centred * centred).mean(axis=-1, keepdims=True)
            z = centred / np.sqrt(variance + z.dtype.type(1e-8)) * each(self.norm, units)
        return z + each(self.bias, units)


class Cell(NamedTuple):
    """The gates. Without an input gate, what is forgotten is replaced: ``i = 1 - f``."""

    input: Gate | None
    forget: Gate
    cell: Gate
    output: Gate
    projection: Array | None  # (U, C)
    projection_bias: Array | None  # (U,)

    @property
    def cells(self) -> int:
        """How many numbers it remembers."""
        return len(self.output.bias)

    @property
    def outputs(self) -> int:
        """How many it gives."""
        return self.cells if self.projection is None else len(self.projection)

    def step(self, xs: Sequence[Array], h: Array, c: Array, *, number: int, clip: float, proj_clip: float) -> State:
        """``c' = f c + i g(z)``, ``h' = o g(c')``, f, i, o sigmoids of their gates. -> (B, U), (B, C)."""
        function = activation(number)
        forget = logistic(self.forget(xs, h, c))
        take = 1 - forget if self.input is None else logistic(self.input(xs, h, c))
        c = _clipped(forget * c + take * function(self.cell(xs, h, c)), clip)
        y = logistic(self.output(xs, h, c)) * function(c)
        if self.projection is not None:
            y = weighted(y, self.projection)
            y = _clipped(y if self.projection_bias is None else y + each(self.projection_bias, self.outputs), proj_clip)
        return y, c


def lstm(
    *tensors: Array | None,
    kernel_type: int = 0,
    fused_activation_function: int = 0,
    cell_clip: float = 0,
    proj_clip: float = 0,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> tuple[Array, ...]:
    """One step. (B, I), weights as above -> (B, U). The basic kernel has all gates' weights in one."""
    if kernel_type == _BASIC:
        return _basic(*(present(t) for t in tensors), inputs=inputs, run=run, place=place)
    cell, states = one_way(tensors, inputs, run, place)
    x = present(tensors[0])
    step = partial(cell.step, number=fused_activation_function, clip=cell_clip, proj_clip=proj_clip)
    run.memory.states[place] = state = step((x,), *fitted(cell, states, len(x)))
    return (state[0].copy(),)


def unidirectional_sequence_lstm(
    *tensors: Array | None,
    time_major: bool = False,
    fused_activation_function: int = 0,
    cell_clip: float = 0,
    proj_clip: float = 0,
    diagonal_recurrent_tensors: bool = False,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> Array:
    """The same at each moment. (B, T, I) or, by time, (T, B, I); weights as above -> (B, T, U) or (T, B, U)."""
    cell, states = one_way(tensors, inputs, run, place)
    x = present(tensors[0])
    step = partial(cell.step, number=fused_activation_function, clip=cell_clip, proj_clip=proj_clip)
    states = fitted(cell, states, x.shape[1 if time_major else 0])
    y, run.memory.states[place] = over_time(step, (x,), states, cell.outputs, time_major=time_major)
    return y


def bidirectional_sequence_lstm(
    *tensors: Array | None,
    time_major: bool = True,
    fused_activation_function: int = 0,
    cell_clip: float = 0,
    proj_clip: float = 0,
    merge_outputs: bool = False,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> tuple[Array, ...]:
    """One cell from the first moment to the last, one from the last to the first: two outputs, or one beside the other.

    The 17 weights of each, without scales; both states of each; a second input, and its gates' weights for each.
    (B, T, I) or (T, B, I), ... -> (B, T, U) and (B, T, V), or (B, T, U + V).
    """
    if len(tensors) != 48:
        raise ValueError(f"it takes 48 inputs, not {len(tensors)}")
    x, states = present(tensors[0]), remembered(run, place, inputs[35:39], _all(tensors[35:39]))
    more = [w if any(t is not None for t in w) else None for w in (tensors[40:44], tensors[44:48])]
    found: list[tuple[Array, State]] = []
    for given, (xs, aux), state in zip(
        (tensors[1:18], tensors[18:35]), both_ways(x, tensors[39], *more), (states[:2], states[2:]), strict=True
    ):
        cell = _cell(given, (None,) * 4, [(*pair,) for pair in zip(*aux, strict=True)] if aux else [()] * 4)
        step = partial(cell.step, number=fused_activation_function, clip=cell_clip, proj_clip=proj_clip)
        state = fitted(cell, state, x.shape[1 if time_major else 0])
        backwards = bool(found)
        found.append(over_time(step, xs, state, cell.outputs, time_major=time_major, backwards=backwards))
    if [s.shape for s in found[0][1]] != [s.shape for s in found[1][1]]:
        raise ValueError("its cells are not of one size")
    run.memory.states[place] = (*found[0][1], *found[1][1])
    outputs = tuple(y for y, _ in found)
    return (np.concatenate(outputs, axis=-1),) if merge_outputs else outputs


def _basic(
    x: Array,
    h: Array,
    weights: Array,
    bias: Array,
    c: Array,
    *,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> tuple[Array, ...]:
    """Input, cell, forget and output gate in one product. (B, I), (B, C), (4 C, I + C), (4 C,), (B, C) -> ...

    ... the output and the state, (B, C); and what it computed on the way: (B, I + C), (B, 4 C).
    """
    kept = all(t is not None and t.is_variable for t in (inputs[1], inputs[4]))
    if kept:
        h, c = run.memory.states.get(place, (h, c))
    if c.shape != h.shape or c.shape[0] != len(x) or len(weights) != 4 * c.shape[1]:
        raise ValueError(f"states {h.shape} and {c.shape}, weights {weights.shape} for an input {x.shape}")
    fed = np.concatenate([x, h], axis=1)
    within_limit((len(x), len(weights)), x.itemsize)
    gates = weighted(fed, weights) + each(bias, len(weights))
    take, new, forget, output = np.split(gates, 4, axis=1)
    c = logistic(take) * np.tanh(new) + logistic(forget) * c
    h = logistic(output) * np.tanh(c)
    if kept:
        run.memory.states[place] = h, c
    return h.copy(), c.copy(), fed, gates


def one_way(tensors: Tensors, inputs: Inputs, run: Any, place: tuple[int, int]) -> tuple[Cell, State]:
    """The cell of an operator of one direction, and the states that it kept. Raises ValueError."""
    if len(tensors) not in (20, 24):
        raise ValueError(f"it takes 20 or 24 inputs, not {len(tensors)}")
    states = remembered(run, place, inputs[18:20], _all(tensors[18:20]))
    norms = tensors[20:24] or (None,) * 4
    return _cell(tensors[1:18], norms, [()] * 4), states


def _cell(tensors: Tensors, norms: Tensors, aux: Sequence[tuple[Array | None, ...]]) -> Cell:
    """The 17 tensors of a cell, its scales, and each gate's weights for a second input."""
    weights, recurrent, biases = tensors[0:4], tensors[4:8], tensors[11:15]
    peepholes = (tensors[8], tensors[9], None, tensors[10])
    whole = weights[0] is not None  # or without an input gate
    if not whole and any(t is not None for t in (recurrent[0], biases[0], norms[0])):
        raise ValueError("an input gate without weights")
    gates = [
        Gate((present(w), *(present(a) for a in more)), present(u), p, present(b), norm)
        for w, u, p, b, norm, more in list(zip(weights, recurrent, peepholes, biases, norms, aux, strict=True))[
            not whole :
        ]
    ]
    if len({g.peephole is None for g in (*gates[:-2], gates[-1])}) > 1 or len({g.norm is None for g in gates}) > 1:
        raise ValueError("some gates have peepholes or scales, and others none")
    if tensors[16] is not None and tensors[15] is None:
        raise ValueError("a projection's bias without its weights")
    forget, cell, output = gates[-3:]
    return Cell(gates[0] if whole else None, forget, cell, output, tensors[15], tensors[16])


def fitted(cell: Cell, states: State, batch: int) -> State:
    """Output and cell state, (B, U) and (B, C)."""
    within_limit((batch, 4 * cell.cells), states[0].itemsize)
    return states[0].reshape(batch, cell.outputs), states[1].reshape(batch, cell.cells)


def _all(tensors: Tensors) -> State:
    return tuple(present(t) for t in tensors)


def _clipped(x: Array, most: float) -> Array:
    """Within [-most, most]; 0 is no bound."""
    if most < 0:
        raise ValueError(f"clipped to {most}")
    return np.clip(x, x.dtype.type(-most), x.dtype.type(most)) if most else x
