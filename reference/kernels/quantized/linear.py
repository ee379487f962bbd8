"""Products of matrices of stored integers: a convolution's sums, which are rescaled in double."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.arguments import prepared_by
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.quantized.conv import TILE, in_pairs, tile
from tflite_transfer.reference.kernels.quantized.integers import keep
from tflite_transfer.reference.kernels.quantized.scales import PANEL, panels, zero_of
from tflite_transfer.reference.kernels.threads import each
from tflite_transfer.reference.kernels.vector import WIDTH
from tflite_transfer.reference.ops.limit import within_limit
from tflite_transfer.reference.ops.quantized import linear
from tflite_transfer.reference.ops.quantized.affine import Tensors
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


class Weights(NamedTuple):
    """Weights as the kernel reads them: see ``in_pairs``. The definition rescales their sums."""

    numbers: Array
    zero: np.int16  # of the features

    @property
    def nbytes(self) -> int:
        """What they take."""
        return self.numbers.nbytes


def pack(weights: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Weights | None:
    """None unless all is int8, and for sums that 32 bits may not hold: the definition's do not overflow."""
    zero = zero_of(*inputs[:2])
    if zero is None or weights.dtype != np.int8 or weights.ndim != 2 or outputs[0].type != "INT8":
        return None
    return Weights(in_pairs(weights), np.int16(zero)) if weights.shape[1] * 255 * 128 < 2**31 else None


@prepared_by(pack)
def fully_connected(
    x: Array,
    weights: Array,
    bias: Array | None = None,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    keep_num_dims: bool = False,
    activation: str = "NONE",
    packed: Weights | None = None,
) -> Array:
    """``ops.quantized.linear.fully_connected``, if the weights were packed."""
    wrong = weights.ndim != 2 or x.dtype != np.int8 or (keep_num_dims and x.shape[-1] != weights.shape[1])
    if packed is None or wrong or x.size == 0 or x.size % weights.shape[1]:
        return linear.fully_connected(
            x, weights, bias, inputs=inputs, outputs=outputs, keep_num_dims=keep_num_dims, activation=activation
        )
    shape = x.shape[:-1] if keep_num_dims else (x.size // weights.shape[1],)
    rows = np.zeros((x.size // weights.shape[1], -(-weights.shape[1] // 2) * 2), np.int16)
    np.subtract(x.reshape(len(rows), -1), packed.zero, out=rows[:, : weights.shape[1]])
    total = np.empty(within_limit((len(rows), panels(len(weights)) * PANEL), 4), np.int32)
    numbers, pairs = rows.view(np.int32).reshape(-1), rows.shape[1] // 2
    each(len(rows), packed.numbers.size, lambda some: _products(numbers, pairs, packed.numbers, total, some))
    sums = total[:, : len(weights)].astype(np.float64).reshape(*shape, len(weights))
    return linear.scaled(sums, bias, inputs, outputs[0], activation)


@kernel()
def _products(x: Array, depth: int, w: Array, y: Array, some: tuple[int, int]) -> None:
    """``y = x w`` of some rows: sums in 32 bits."""
    nothing = np.zeros(y.shape[1], np.int32)
    sums = y.reshape(-1)
    for o in range(0, y.shape[1], PANEL):
        for p in range(some[0], some[1], TILE):
            last = min(TILE, some[1] - p) - 1
            for n, (left, right) in enumerate(tile(x, p, last, depth, w, nothing, o)):
                at = (p + min(n, last)) * y.shape[1] + o
                keep(sums, at, left)
                keep(sums, at + WIDTH, right)
