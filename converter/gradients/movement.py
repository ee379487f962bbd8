"""Gradients of functions that move elements: they move the other way."""

from __future__ import annotations

import math

import numpy as np

from tflite_transfer.converter.expressions import (
    Expression,
    reshape,
    reshape_like,
    reverse,
    slice_,
    sum_to,
    total,
    transpose,
)
from tflite_transfer.converter.gradients.rule import Call, Pulled


def fixed(call: Call, x: Expression) -> list[int]:
    """The numbers that say what an operator does. Raises UnsupportedOpError where the graph computes them."""
    if x.value is None:
        raise call.refused(f"it has none where the file does not fix {x.graph.tensors[x.number].name!r}")
    return [int(n) for n in np.ravel(x.value)]


def reshape_(call: Call, dy: Expression) -> Pulled:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: dy in x's shape."""
    return (lambda: reshape_like(dy, call.operands[0]),)


def transpose_(call: Call, dy: Expression) -> Pulled:
    """The inverse permutation."""
    _, order = call.operands
    return (lambda: transpose(dy, np.argsort(fixed(call, order)).tolist()),)


def reverse_(call: Call, dy: Expression) -> Pulled:
    """Once more back to front."""
    _, axes = call.operands
    return (lambda: reverse(dy, fixed(call, axes)),)


def pad_(call: Call, dy: Expression) -> Pulled:
    """PAD, PADV2: what lies within the padding."""
    x, widths = call.operands[0], call.operands[1]
    return (lambda: slice_(dy, fixed(call, widths)[::2], x.shape),)


def tile(call: Call, dy: Expression) -> Pulled:
    """The sum of the copies, axis after axis."""
    x, times = call.operands

    def pull() -> Expression:
        dx = dy
        for axis, n in enumerate(fixed(call, times)):
            if n != 1:
                before, after = dx.shape[:axis], dx.shape[axis + 1 :]
                rows = reshape(dx, (_size(before), n, _size((x.shape[axis], *after))))
                dx = reshape(total(rows, [1]), (*before, x.shape[axis], *after))
        return dx

    return (pull,)


def _size(shape: tuple[int, ...]) -> int:
    return -1 if -1 in shape else math.prod(shape)


def broadcast_to(call: Call, dy: Expression) -> Pulled:
    """The sum of the copies."""
    return (lambda: sum_to(dy, call.operands[0].shape),)


def space_to_depth(call: Call, dy: Expression) -> Pulled:
    """DEPTH_TO_SPACE."""
    return (
        lambda: call.graph.write("DEPTH_TO_SPACE", [dy], call.operands[0].shape, block_size=call.options["block_size"]),
    )


def depth_to_space(call: Call, dy: Expression) -> Pulled:
    """SPACE_TO_DEPTH."""
    return (
        lambda: call.graph.write("SPACE_TO_DEPTH", [dy], call.operands[0].shape, block_size=call.options["block_size"]),
    )


def space_to_batch_nd(call: Call, dy: Expression) -> Pulled:
    """BATCH_TO_SPACE_ND: what was padded is cropped."""
    x, block, widths = call.operands
    return (lambda: call.graph.write("BATCH_TO_SPACE_ND", [dy, block, widths], x.shape),)


def batch_to_space_nd(call: Call, dy: Expression) -> Pulled:
    """SPACE_TO_BATCH_ND: what was cropped is padded."""
    x, block, crops = call.operands
    return (lambda: call.graph.write("SPACE_TO_BATCH_ND", [dy, block, crops], x.shape),)
