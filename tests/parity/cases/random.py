"""Random numbers with seeds, in the first run of an interpreter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.parity.operators import Case, case, fixed, normal
from tflite_transfer.diagnostics.bounds import ulps

SEEDS = (1, 0), (0, 1), (2**40 + 17, 3), (-5, 2**50), (2**63 - 1, -(2**63))
I32 = np.int32
NORMAL = ulps(4)  # 2, 2


def cases() -> Iterator[Case]:
    for seed, seed2 in SEEDS:
        seeds = {"seed": seed, "seed2": seed2}
        for shape in ([7], [4], [3, 5, 2], [1000], [0, 3], [1]):
            for opcode, rule in (("RANDOM_UNIFORM", ulps(0)), ("RANDOM_STANDARD_NORMAL", NORMAL)):
                yield case(opcode, fixed(shape), rule=rule, kind="FLOAT32", **seeds)
        yield case("RANDOM_UNIFORM", np.array([2, 3], I32), kind="FLOAT32", **seeds)
        yield case("RANDOM_STANDARD_NORMAL", np.array([2, 3], I32), rule=NORMAL, kind="FLOAT32", **seeds)
        odd = np.array(
            [[0, -np.inf, 1, np.nan], [np.inf, 5, -100, 5], [-1, 0, 0, -2], [-np.inf, np.nan, np.inf, np.nan]],
            np.float32,
        )
        for logits in (normal(2, 5), normal(1, 1), normal(3, 1000, scale=3), odd):
            for samples, kind in ((1, "INT32"), (7, "INT64"), (100, "INT64")):
                yield case("MULTINOMIAL", logits, fixed(samples), kind=kind, **seeds)
        yield case("MULTINOMIAL", normal(2, 5), np.array(3, I32), kind="INT64", **seeds)


def refused() -> Iterator[Case]:
    """Not a shape with a size below 0: there LiteRT crashes."""
    for opcode in ("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"):
        yield case(opcode, fixed([[2]]), kind="FLOAT32", seed=1)
        yield case(opcode, fixed([2]), kind="INT32", seed=1)
        yield case(opcode, fixed([2], np.int64), kind="FLOAT32", seed=1)
    for logits, count, kind in (
        (normal(3), fixed(2), "INT32"), (np.zeros((2, 0), np.float32), fixed(2), "INT32"),
        (normal(2, 3), np.array(-2, I32), "INT32"), (normal(2, 3), fixed(2), "FLOAT32"),
        (normal(2, 3), fixed([2]), "INT32"), (normal(2, 3), fixed(2, np.int64), "INT32"),
    ):  # fmt: skip
        yield case("MULTINOMIAL", logits, count, kind=kind, seed=1)
