"""SVDF in integers: inputs, filters over features and outputs of 8 bits, filters over time and memory of 16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.quantized.affine import Tensors, affine, centred, finish
from tflite_transfer.reference.ops.quantized.fixed_point import multiply, quantize_multiplier, wrap
from tflite_transfer.reference.ops.recurrent import each, present, remembered, units_of, weighted, with_latest
from tflite_transfer.reference.tflite.enums import ACTIVATIONS
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def svdf(
    x: Array,
    features: Array,
    times: Array,
    bias: Array | None = None,
    state: Array | None = None,
    *,
    rank: int,
    fused_activation_function: int = 0,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    run: Any,
    place: tuple[int, int],
) -> Array:
    """``s_h s_t / s_y (sum_m a_m t_m + b) + z_y``. Shapes as in ``ops/recurrent.py``.

    RELU has to be fused, and is left to the output's least value, as in LiteRT.
    """
    if ACTIVATIONS[fused_activation_function] != "RELU" or (bias is not None and bias.dtype != np.int32):
        raise ValueError("integers take a bias of int32, and RELU")
    given, made, memory = affine(inputs[0], "INT8"), affine(outputs[0], "INT8"), affine(inputs[4], "INT16")
    one, two = affine(inputs[1], "INT8"), affine(inputs[2], "INT16")
    if one.zero or two.zero or memory.zero:
        raise ValueError("filters and memory have zero points other than 0")
    (old,) = remembered(run, place, inputs[4:5], (present(state),))
    units = units_of(x, features, times, rank)
    sums = wrap(weighted(centred(x, given.zero), features.astype(np.int64)))
    latest = np.clip(multiply(sums, quantize_multiplier(given.scale * one.scale / memory.scale)), -32768, 32767)
    new = with_latest(old, latest.astype(np.int16), times)
    run.memory.states[place] = (new,)
    y = (new.astype(np.int64) * times).sum(axis=2).reshape(len(x), units, rank).sum(axis=2)
    y = wrap(y if bias is None else y + each(bias, units))
    return finish(multiply(y, quantize_multiplier(memory.scale * two.scale / made.scale)), outputs[0])
