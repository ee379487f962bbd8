"""What moves elements, and computes nothing."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra.numpy import broadcastable_shapes

from tests.parity.cases.parts import BOOL, F16, F32, I8, I16, I32, I64, U8
from tests.parity.operators import Array, Case, case, fixed
from tests.parity.strategies.arrays import SPECIAL, Draw, arrays, axes, indices, inputs, shapes
from tflite_transfer.reference.ops.shape import strided_slice

MOVED = (F32, U8, I8, I16, I32, I64)


@st.composite
def values(draw: Draw, shape: Any, *types: Any) -> Array:
    """Of one of the types, or one of those that every such operator moves."""
    return draw(arrays(shape, draw(st.sampled_from(types or MOVED)), special=SPECIAL))


@st.composite
def shapes_alone(draw: Draw) -> Case:
    """The same elements in another shape. LiteRT's Python API cannot read the shape of a single number: it is empty."""
    opcode = draw(st.sampled_from(("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "SHAPE")))
    shape = draw(shapes(opcode == "SHAPE"))
    x = draw(values(shape))
    if opcode == "RESHAPE":
        order = draw(st.permutations(shape))
        cut = draw(st.integers(0, len(order)))
        target = [*order[:cut], prod(order[cut:])]
        if draw(st.booleans()):
            target[draw(st.integers(0, cut))] = -1
        return case(opcode, x, new_shape=target) if draw(st.booleans()) else case(opcode, x, draw(indices(target, I32)))
    if opcode == "SQUEEZE":
        ones = [i for i, n in enumerate(shape) if n == 1 and draw(st.booleans())]
        return case(opcode, x, squeeze_dims=[i - draw(st.sampled_from((0, len(shape)))) for i in ones])
    if opcode == "EXPAND_DIMS":
        return case(opcode, x, draw(indices(draw(axes(len(shape) + 1)))))
    return case(opcode, x, kind="INT32", out_type=2)


@st.composite
def transpositions(draw: Draw) -> Case:
    """Not of a single number, for which LiteRT gives 0."""
    shape = draw(shapes(1))
    x = draw(values(shape, *MOVED, BOOL))
    return case("TRANSPOSE", x, draw(indices(draw(st.permutations(range(len(shape)))), I32)))


MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@st.composite
def entries(draw: Draw, role: str, size: int) -> tuple[int, int, int, set[str]]:
    """Begin, end and stride along one axis, and the masks that have the entry's bit, those without effect too."""
    masks = {role} | {m for m in ("begin_mask", "end_mask", "shrink_axis_mask") if draw(st.booleans())}
    begin, end, stride = draw(st.integers(-7, 7)), draw(st.integers(-7, 7)), draw(st.sampled_from((1, 2, 3, -1, -2)))
    if "shrink_axis_mask" in masks:  # out of bounds, or backwards, LiteRT reads another element than was asked for
        return max(-size, min(size - 1, begin)), end, abs(stride), masks
    bounds = slice(None if "begin_mask" in masks else begin, None if "end_mask" in masks else end, stride)
    return begin, end, stride if range(*bounds.indices(size)) else -stride, masks


@st.composite
def strided_slices(draw: Draw) -> Case:
    """LiteRT's Python API cannot read a result without elements."""
    shape = draw(shapes(1, 4, 5))
    first = draw(st.integers(0, len(shape) - 1))
    last = draw(st.integers(0, len(shape) - 1 - first))  # at least one axis is left for an ellipsis
    roles = [("", n) for n in shape[: first + 1]]
    if draw(st.booleans()):
        roles[first:] = [("ellipsis_mask", 1), *(("", n) for n in shape[len(shape) - last :])]
    roles[draw(st.integers(0, len(roles))) : 0] = [("new_axis_mask", 1)] * draw(st.integers(0, 5 - len(shape)))
    drawn = [draw(entries(*role)) for role in roles]
    x, parts = draw(values(shape, *MOVED, BOOL)), [draw(indices(p, I32)) for p in [*zip(*drawn, strict=True)][:3]]
    masks = {m: sum((m in entry[3]) << bit for bit, entry in enumerate(drawn)) for m in MASKS}
    assume(strided_slice(x, *(p.value for p in parts), **masks).size)
    return case("STRIDED_SLICE", x, *parts, **masks)


@st.composite
def slices(draw: Draw) -> Case:
    shape = draw(shapes(1))
    begin = [draw(st.integers(0, n - 1)) for n in shape]
    size = [draw(st.sampled_from((-1, n - b, 1))) for n, b in zip(shape, begin, strict=True)]
    dtype = draw(st.sampled_from((I32, I64)))
    return case("SLICE", draw(values(shape, *MOVED, BOOL)), draw(indices(begin, dtype)), draw(indices(size, dtype)))


@st.composite
def pads(draw: Draw) -> Case:
    opcode, mode = draw(st.sampled_from(("PAD", "PADV2", "MIRROR_PAD"))), draw(st.integers(0, 1))
    shape = draw(shapes(1))
    most = [n - (mode == 0) if opcode == "MIRROR_PAD" else 3 for n in shape]
    x, paddings = draw(values(shape)), draw(indices([[draw(st.integers(0, m)) for _ in range(2)] for m in most]))
    if opcode == "MIRROR_PAD":
        return case(opcode, x, paddings, mode=mode)
    return case(opcode, x, paddings, *([draw(inputs((), x.dtype, SPECIAL))] if opcode == "PADV2" else []))


@st.composite
def joins(draw: Draw) -> Case:
    opcode, count = draw(st.sampled_from(("PACK", "CONCATENATION"))), draw(st.integers(1, 4))
    shape, dtype = list(draw(shapes(opcode == "CONCATENATION", 4))), draw(st.sampled_from(MOVED))
    axis = draw(axes(len(shape) + (opcode == "PACK")))
    parts = []
    for _ in range(count):
        if opcode == "CONCATENATION":
            shape[axis] = draw(st.integers(1, 3))
        parts.append(draw(inputs(tuple(shape), dtype, SPECIAL)))
    return case(opcode, *parts, axis=axis, **({"values_count": count} if opcode == "PACK" else {}))


@st.composite
def splits(draw: Draw) -> Case:
    opcode, count = draw(st.sampled_from(("SPLIT", "SPLIT_V", "UNPACK"))), draw(st.integers(1, 4))
    shape = list(draw(shapes(1, 4)))
    axis = draw(axes(len(shape)))
    sizes = [draw(st.integers(1 if count == 1 else 0, 3)) for _ in range(count)]
    shape[axis] = {"SPLIT": shape[axis] * count, "SPLIT_V": max(sum(sizes), 1), "UNPACK": count}[opcode]
    x = draw(values(shape, F32, U8, I8, I16, I32, BOOL if opcode == "UNPACK" else I64))
    out = {"out": case("RANK", x).outputs * count}
    if opcode == "SPLIT":
        return case(opcode, draw(indices(axis, I32)), x, **out, num_splits=count)
    if opcode == "UNPACK":
        return case(opcode, x, **out, num=count, axis=axis)
    sizes[0] += shape[axis] - sum(sizes)
    if draw(st.booleans()):
        sizes[draw(st.integers(0, count - 1))] = -1
    dtype = draw(st.sampled_from((I32, I64)))
    return case(opcode, x, fixed(sizes, dtype), fixed(axis), **out, num_splits=count)


@st.composite
def repetitions(draw: Draw) -> Case:
    opcode, shape = draw(st.sampled_from(("TILE", "BROADCAST_TO"))), draw(shapes(0, 4, 3))
    if opcode == "TILE":
        return case(
            opcode, draw(values(shape, *MOVED, F16, BOOL)), draw(indices([draw(st.integers(1, 3)) for _ in shape]))
        )
    small = draw(broadcastable_shapes(shape, max_dims=len(shape), max_side=3))
    target = list(np.broadcast_shapes(small, shape))
    return case(opcode, draw(values(small, *MOVED, F16, BOOL)), draw(indices(target)), version=2)


@st.composite
def reversals(draw: Draw) -> Case:
    """LiteRT reverses axes that are neighbours only."""
    opcode, shape = draw(st.sampled_from(("REVERSE_V2", "REVERSE_SEQUENCE"))), draw(shapes(2))
    seq, batch, *_ = draw(st.permutations(range(len(shape))))
    if opcode == "REVERSE_V2":
        over = draw(st.permutations(range(min(seq, batch), max(seq, batch) + draw(st.integers(0, 1)))))
        return case(opcode, draw(values(shape, *MOVED, F16, BOOL)), draw(indices(over, I32)))
    lengths = [draw(st.integers(0, shape[seq])) for _ in range(shape[batch])]
    x = draw(values(shape, F32, U8, I16, I32, I64))
    return case(opcode, x, draw(indices(lengths)), seq_dim=seq, batch_dim=batch)


BLOCKS = (F32, U8, I8, I32, I64)


@st.composite
def depths(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")))
    s, (b, h, w, c) = draw(st.integers(1, 3)), (draw(st.integers(1, 3)) for _ in range(4))
    shape = (b, h * s, w * s, c) if opcode == "SPACE_TO_DEPTH" else (b, h, w, c * s * s)
    return case(opcode, draw(values(shape, *BLOCKS)), block_size=s)


@st.composite
def batches(draw: Draw) -> Case:
    opcode = draw(st.sampled_from(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")))
    block = [draw(st.integers(1, 3)) for _ in range(draw(st.integers(1, 2)))]
    small = [draw(st.integers(1, 3)) for _ in block]
    around = []
    for n, s in zip(small, block, strict=True):
        before = draw(st.integers(0, n * s - 1))
        around.append([before, draw(st.integers(0, n * s - 1 - before))])
    large = [n * s - sum(a) for n, s, a in zip(small, block, around, strict=True)]
    b, c = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    shape = (b, *large, c) if opcode == "SPACE_TO_BATCH_ND" else (b * prod(block), *small, c)
    return case(opcode, draw(values(shape, *BLOCKS)), draw(indices(block, I32)), draw(indices(around, I32)))
