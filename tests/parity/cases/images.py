"""Images in another size, and boxes that overlap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.cases.parts import F32, I8, I16, I32, KINDS, U8, counted, special
from tests.parity.operators import Array, Case, Out, case, fixed, normal
from tests.parity.rules import RULES
from tflite_transfer.diagnostics.bounds import Call, Rule

SIZES = ((2, 2), (5, 7), (8, 10), (1, 1), (3, 13), (40, 31))
MODES = ({}, {"align_corners": True}, {"half_pixel_centers": True})


def cases() -> Iterator[Case]:
    for size in SIZES:
        for mode in (*MODES, {"align_corners": True, "half_pixel_centers": True}):
            for shape in ((1, 4, 5, 3), (2, 17, 12, 1), (1, 1, 1, 2)):
                yield case("RESIZE_NEAREST_NEIGHBOR", special(*shape), fixed(size), **mode)
        for mode in MODES:
            for shape in ((1, 4, 5, 3), (2, 17, 12, 1), (1, 1, 1, 2)):
                yield case(
                    "RESIZE_BILINEAR", normal(*shape), fixed(size), rule=RULES["RESIZE_BILINEAR"], **mode
                )  # 1.0, 1.3
    for n in (224, 300):
        yield case("RESIZE_NEAREST_NEIGHBOR", counted(I32, 1, 97, 97, 1), fixed([n, n]))
        yield from (
            case("RESIZE_BILINEAR", normal(1, 97, 97, 1), fixed([n, n]), rule=RULES["RESIZE_BILINEAR"], **m)
            for m in MODES
        )
    for opcode in ("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"):
        yield case(opcode, normal(1, 4, 4, 2), np.array([8, 6], I32), rule=RULES["RESIZE_BILINEAR"])
    for d in (U8, I8, I16, I32):
        yield case("RESIZE_NEAREST_NEIGHBOR", counted(d, 1, 3, 4, 2), fixed([5, 2]), kind=KINDS[d])
    yield from _suppressions()


def decay(c: float) -> Rule:
    """``c 2^-24 n (1 + 1 / 2 sigma) |score|``: the n-th score is a product of at most n exponentials.

    The numbers of the boxes are equal.
    """

    def bound(case: Call, y: Array) -> Array | float:
        exponent = 0.5 / max(float(case.values[-1]), 1e-3)
        return c * 2**-24 * (1 + exponent) * np.arange(1, y.size + 1) * np.abs(y) if y.dtype.kind == "f" else 0

    return bound


def boxes(count: int) -> tuple[Array, Array]:
    """Many that overlap, corners in any order, with scores that all differ."""
    corner, side = normal(count, 2), np.abs(normal(count, 2, seed=1)) + F32(0.2)
    found = np.concatenate([corner, corner + side], 1)
    found[::3] = found[::3][:, [2, 1, 0, 3]]
    return found, normal(count, seed=2)


def _suppressions() -> Iterator[Case]:
    v4, v5 = [Out("INT32"), Out("INT32")], [Out("INT32"), Out("FLOAT32"), Out("INT32")]
    for count, most in ((40, 10), (40, 60), (1, 3), (200, 50)):
        for overlap in (0.0, 0.3, 0.5, 1.0):
            for score in (-np.inf, 0.1, 9.0):
                limits = *boxes(count), fixed(most), fixed(overlap, F32), fixed(score, F32)
                yield case("NON_MAX_SUPPRESSION_V4", *limits, out=v4)
                if score != -np.inf:
                    for sigma in (0.0, 0.5, 0.05):
                        soft = *limits, fixed(sigma, F32)
                        yield case("NON_MAX_SUPPRESSION_V5", *soft, rule=decay(0.6), out=v5)  # 0.3, 0.3
    x, scores = boxes(20)
    scores[3] = np.nan
    yield case("NON_MAX_SUPPRESSION_V4", x, scores, np.array(5, I32), fixed(0.5, F32), fixed(0, F32), out=v4)
