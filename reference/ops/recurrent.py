"""Recurrent operators: plain cells and SVDF. Their states outlive a run, as variables do.

B examples, T steps, I inputs, U units. A second input, where there is one, has weights of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.elementwise import ACTIVATIONS
from tflite_transfer.reference.ops.limit import in_time, within_limit
from tflite_transfer.reference.ops.linear import product
from tflite_transfer.reference.tflite.enums import ACTIVATIONS as NAMES
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]
Inputs = tuple[Tensor | None, ...]
State = tuple[Array, ...]
Step = Callable[..., State]  # the inputs of one moment and the state -> the state, whose first array is the output


def rnn(
    x: Array,
    weights: Array,
    recurrent: Array,
    bias: Array,
    state: Array,
    *,
    fused_activation_function: int = 0,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> Array:
    """``h' = f(x w^T + h u^T + b)``, one step. (B, I), (U, I), (U, U), (U,), (B, U) -> (B, U)."""
    (h,) = remembered(run, place, inputs[4:5], (state,))
    y = _cell((weights,), recurrent, bias, fused_activation_function)((x,), h)[0]
    run.memory.states[place] = (y,)
    return y.copy()


def unidirectional_sequence_rnn(
    x: Array,
    weights: Array,
    recurrent: Array,
    bias: Array,
    state: Array,
    *,
    time_major: bool = False,
    fused_activation_function: int = 0,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> Array:
    """The same at each moment. (B, T, I) or, by time, (T, B, I); weights as in ``rnn`` -> (B, T, U) or (T, B, U)."""
    h = remembered(run, place, inputs[4:5], (state,))
    step = _cell((weights,), recurrent, bias, fused_activation_function)
    y, run.memory.states[place] = over_time(step, (x,), h, len(bias), time_major=time_major)
    return y


def bidirectional_sequence_rnn(
    x: Array,
    *tensors: Array | None,
    time_major: bool = False,
    fused_activation_function: int = 0,
    merge_outputs: bool = False,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> tuple[Array, ...]:
    """One cell from the first moment to the last, one from the last to the first: two outputs, or one beside the other.

    Weights, recurrent weights, bias and state of each; a second input, and each cell's weights for it.
    (B, T, I) or (T, B, I), ... -> (B, T, U) and (B, T, V), or (B, T, U + V).
    """
    if len(tensors) != 11:
        raise ValueError(f"it takes 12 inputs, not {len(tensors) + 1}")
    states = remembered(run, place, (inputs[4], inputs[8]), (present(tensors[3]), present(tensors[7])))
    found = []
    for cell, given, state in zip(
        (tensors[0:3], tensors[4:7]), both_ways(x, tensors[8], tensors[9], tensors[10]), states, strict=True
    ):
        weights, recurrent, bias = (present(t) for t in cell)
        xs, more = given
        step = _cell((weights, *more), recurrent, bias, fused_activation_function)
        backwards = bool(found)
        found.append(over_time(step, xs, (state,), len(bias), time_major=time_major, backwards=backwards))
    run.memory.states[place] = tuple(state for _, (state,) in found)
    outputs = tuple(y for y, _ in found)
    return (np.concatenate(outputs, axis=-1),) if merge_outputs else outputs


def svdf(
    x: Array,
    features: Array,
    times: Array,
    bias: Array | None = None,
    state: Array | None = None,
    *,
    rank: int,
    fused_activation_function: int = 0,
    inputs: Inputs,
    run: Any,
    place: tuple[int, int],
) -> Array:
    """``f(sum_m a_m t_m + b)``: a filter over features, whose last M results a filter over time adds up.

    (B, I), (F, I), (F, M), (F / rank,)?, (B, F M) -> (B, F / rank): each output is the sum of ``rank`` filters.
    Nakkiran et al. 2015, "Compressing deep neural networks using a rank-constrained topology".
    """
    (old,) = remembered(run, place, inputs[4:5], (present(state),))
    units = units_of(x, features, times, rank)
    new = with_latest(old, weighted(x, features), times)
    run.memory.states[place] = (new,)
    y = (new * times).sum(axis=2).reshape(len(x), units, rank).sum(axis=2)
    return activation(fused_activation_function)(y if bias is None else y + each(bias, units))


def units_of(x: Array, features: Array, times: Array, rank: int) -> int:
    """How many outputs an SVDF has, if its filters fit. Raises ValueError."""
    filters, moments = times.shape
    if rank < 1 or filters % rank or features.shape != (filters, x.shape[-1]) or moments < 1:
        raise ValueError(f"filters {features.shape} and {times.shape} of rank {rank}")
    within_limit((len(x), filters), x.itemsize)
    return filters // rank


def with_latest(old: Array, latest: Array, times: Array) -> Array:
    """An SVDF's memory, the oldest moment replaced by the latest. (B, F M), (B, F), (F, M) -> (B, F, M)."""
    return np.concatenate([old.reshape(len(latest), *times.shape)[:, :, 1:], latest[:, :, None]], axis=2)


def remembered(run: Any, place: tuple[int, int], tensors: Inputs, first: State) -> State:
    """What the operator kept from the run before; at first the file's values, which are 0."""
    if not all(t is not None and t.is_variable for t in tensors):
        raise ValueError("its state is not a variable")
    return run.memory.states.get(place, first)


def over_time(
    step: Step, xs: Sequence[Array], state: State, units: int, *, time_major: bool, backwards: bool = False
) -> tuple[Array, State]:
    """``step`` at each moment: all outputs, and the last state. n times (B, T, I) or (T, B, I) -> (B, T, U) or ..."""
    if any(x.ndim != 3 or x.shape[:2] != xs[0].shape[:2] for x in xs):
        raise ValueError(f"inputs of shapes {[x.shape for x in xs]} are not of the same examples and moments")
    by_time = [x if time_major else x.swapaxes(0, 1) for x in xs]
    y = np.empty(within_limit((*by_time[0].shape[:2], units), xs[0].itemsize), xs[0].dtype)
    moments = range(len(y))
    for t in reversed(moments) if backwards else moments:
        in_time()
        state = step([x[t] for x in by_time], *state)
        y[t] = state[0]
    return (y if time_major else y.swapaxes(0, 1).copy()), state


def both_ways(
    x: Array, aux: Array | None, forward: Any, backward: Any
) -> tuple[tuple[tuple[Array, ...], Any], tuple[tuple[Array, ...], Any]]:
    """The inputs of both cells, with the second input's weights. Without these the backward cell has it alone."""
    if (forward is None) != (backward is None) or (forward is not None and aux is None):
        raise ValueError("the second input has weights for one direction alone, or is not there")
    if aux is None:
        return ((x,), ()), ((x,), ())
    if forward is None:
        return ((x,), ()), ((aux,), ())
    return ((x, aux), (forward,)), ((x, aux), (backward,))


def activation(number: int) -> Callable[[Array], Array]:
    """The fused activation of a recurrent operator, by its number in the file."""
    name = NAMES[number]
    return {"NONE": np.positive, "TANH": np.tanh, **ACTIVATIONS}[name]


def present(tensor: Array | None) -> Array:
    """``tensor``, which must be there. Raises ValueError."""
    if tensor is None:
        raise ValueError("it lacks an input")
    return tensor


def weighted(x: Array, w: Array) -> Array:
    """``x w^T``. (B, I), (C, I) -> (B, C)."""
    if x.ndim != 2 or w.ndim != 2:
        raise ValueError(f"an input of shape {x.shape} for weights of shape {w.shape}")
    return product(x, w.T)


def each(vector: Array, units: int) -> Array:
    """``vector``, which must hold one number for each unit. Raises ValueError."""
    if vector.shape != (units,):
        raise ValueError(f"a vector of shape {vector.shape} for {units} units")
    return vector


def _cell(weights: Sequence[Array], recurrent: Array, bias: Array, number: int) -> Step:
    function, units = activation(number), len(bias)

    def step(xs: Sequence[Array], h: Array) -> State:
        within_limit((len(xs[0]), units), xs[0].itemsize)
        if h.shape != (len(xs[0]), units) or recurrent.shape != (units, units):
            raise ValueError(f"a state of shape {h.shape} and weights {recurrent.shape} for {units} units")
        fed = sum(weighted(x, w) for x, w in zip(xs, weights, strict=True))
        return (function(fed + weighted(h, recurrent) + each(bias, units)),)

    return step
