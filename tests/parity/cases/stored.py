"""What moves quantised numbers as they are stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.cases.parts import I8, I16, KINDS, U8, counted
from tests.parity.operators import Case, Given, Out, case, fixed

SCALE = np.array([0.5], np.float32)


def cases() -> Iterator[Case]:
    for d in (I8, U8, I16):
        zero = 0 if d is I16 else 3  # LiteRT's int16 is symmetric

        def given(*shape: int, dtype: type = d, zero: int = zero) -> Given:
            return Given(counted(dtype, *shape), scale=SCALE, zero=np.array([zero]))

        out, x = Out(KINDS[d], 0.5, zero), given(2, 3, 4)
        yield case("SPLIT", fixed(-1), x, out=[out] * 2, num_splits=2)
        yield case("SPLIT_V", x, fixed([1, -1]), fixed(1), out=[out] * 2, num_splits=2)
        yield case("UNPACK", x, out=[out] * 3, num=3, axis=1)
        yield case("TILE", x, fixed([1, 2, 2]), out=out)
        yield case("REVERSE_V2", x, fixed([1]), out=out)
        yield case("MATRIX_SET_DIAG", x, given(2, 3), out=out)
        yield case("UNIQUE", given(7), out=[out, Out("INT32")], idx_out_type=2)
        yield case("RANK", x, kind="INT32")
        yield from (case("CAST", x, kind=k, out_data_type=n) for n, k in ((2, "INT32"), (0, "FLOAT32")))
        yield case("BITCAST", given(3, 4 // np.dtype(d).itemsize), kind="INT32")
        yield case("DILATE", x, fixed([1, 2, 3]), given(), out=out)
        yield case("HASHTABLE_LOOKUP", fixed([5, 9]), fixed([5, 7]), given(2, 3), out=[out, Out("UINT8")])
        yield case("FILL", fixed([2, 3]), given(), out=out)
        yield case("FILL", np.array([2, 3], np.int64), given(), out=out)
        rows = {"offset_dims": [1], "collapsed_slice_dims": [0], "start_index_map": [0], "index_vector_dim": 1}
        yield case("STABLEHLO_GATHER", given(3, 4), fixed([[2], [0]]), out=out, slice_sizes=[1, 4], **rows)
        if d is not I8:  # LiteRT has none
            yield case("REVERSE_SEQUENCE", x, fixed([2, 4]), out=out, seq_dim=2, batch_dim=0)
        yield case("MIRROR_PAD", x, fixed([[0, 1], [2, 0], [1, 1]]), out=out, mode=0)
        yield case("BROADCAST_TO", x, fixed([2, 2, 3, 4]), out=out, version=3)
        yield case("GATHER_ND", x, fixed([[1, 2], [0, 1]]), out=out)
        yield case("DYNAMIC_UPDATE_SLICE", x, given(1, 2, 2), fixed([1, 1, 1]), out=out)
        yield case("TOPK_V2", x, fixed(2), out=[out, Out("INT32")])
        yield case("EMBEDDING_LOOKUP", fixed([2, 0]), given(3, 4), out=out)
        image = given(4, 4, 4, 4)
        for paddings in ([[0, 0], [0, 0]], [[1, 1], [0, 2]]):
            yield case("SPACE_TO_BATCH_ND", image, fixed([2, 2]), fixed(paddings), out=out)
        yield case("BATCH_TO_SPACE_ND", image, fixed([2, 2]), fixed([[1, 0], [0, 2]]), out=out)
        yield case("RESIZE_NEAREST_NEIGHBOR", image, fixed([3, 7]), out=out, half_pixel_centers=True)
        if d is not I16:  # LiteRT has none
            yield case("SPACE_TO_DEPTH", image, out=out, block_size=2)
            yield case("DEPTH_TO_SPACE", image, out=out, block_size=2)
        same = Out(KINDS[d], 0.5)  # where the zero point is not 0 LiteRT is wrong: see the tests that pin it
        yield case("MATRIX_DIAG", given(2, 3, zero=0), out=same)
        if d is not I16:  # LiteRT has none
            yield case("SCATTER_ND", fixed([[4], [0], [4]]), given(3, 2, zero=0), fixed([5, 2]), out=same)
            at = fixed([[0, 1], [2, 0]]), fixed([3, 2]), given(2), given()
            yield case("SPARSE_TO_DENSE", *at, out=out)
            yield case(
                "ONE_HOT", fixed([2, 0, 5]), fixed(3), given(), given()._replace(value=np.array(9, d)), out=out, axis=0
            )
    for scales in (SCALE, np.array([0.5, 0.1, 0.3], np.float32)):
        table = Given(counted(I8, 3, 4), in_file=True, scale=scales)
        yield case("EMBEDDING_LOOKUP", fixed([2, 0]), table, kind="FLOAT32")
