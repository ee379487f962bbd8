"""What each rule writes, run by LiteRT: the same gradient as in float64, but for rounding.

Differences are in units of 2^-24 of the gradient's largest value. The bounds are about twice the largest difference of
LiteRT 2.3's two resolvers over all cases, which stands behind them; where a rule moves numbers, there is none.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.operators import MISSING, RESOLVERS, Array
from tests.unit.gradients.cases import ALL
from tests.unit.gradients.differentiated import Derivative, File, differentiated
from tflite_transfer.converter.gradients.table import RULES
from tflite_transfer.reference.tflite import write

EXACT = frozenset(
    [
        "ABS",
        "ADD_N",
        "BATCH_TO_SPACE_ND",
        "CAST",
        "CEIL",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "EXPAND_DIMS",
        "FLOOR",
        "NEG",
        "PACK",
        "PAD",
        "PADV2",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESHAPE",
        "REVERSE_V2",
        "ROUND",
        "SELECT",
        "SIGN",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUM",
        "TRANSPOSE",
        "UNPACK",
        "ZEROS_LIKE",
    ]
)
LARGER = {
    "CONV_2D": 15,  # 7.0
    "DEPTHWISE_CONV_2D": 17,  # 8.3
    "GELU": 20,  # 9.6
    "MUL": 16,  # 7.7, of a single factor, whose gradient's 60 terms cancel
    "POW": 22,  # 10.7
    "TRANSPOSE_CONV": 26,  # 13.0
}
BOUND = 8.0  # 3.6, RSQRT
FIRST = {c.case.opcode: c for c in reversed(ALL)}


def litert(file: File, resolver: str) -> dict[str, Array]:
    """LiteRT's results by name."""
    kernels = RESOLVERS[resolver]
    interpreter = LiteRT(model_content=write(file.model), experimental_op_resolver_type=kernels, num_threads=1)
    return interpreter.get_signature_runner("run")(**file.given)


def apart(file: File, resolver: str) -> float:
    """The largest difference of a gradient, in units of 2^-24 of its largest value."""
    found, worst = litert(file, resolver), 0.0
    assert set(found) == set(file.exact)
    for name in (n for n in found if n.startswith("dx")):
        assert found[name].shape == file.exact[name].shape
        largest = np.abs(file.exact[name]).max()
        difference = np.abs(found[name] - file.exact[name]).max()
        worst = max(worst, float(difference / largest * 2**24) if largest else float(difference > 0) * np.inf)
    return worst


def measured(cases: Iterable[Derivative] = ALL) -> dict[str, dict[str, float]]:
    """The largest difference of each operator's gradient, by resolver."""
    worst: dict[str, dict[str, float]] = {}
    for case in cases:
        file, by = differentiated(case, free=True), worst.setdefault(case.case.opcode, {})
        for resolver in RESOLVERS:
            if case.case.opcode not in MISSING[resolver]:
                by[resolver] = max(by.get(resolver, 0.0), apart(file, resolver))
    return worst


def check(case: Derivative) -> None:
    opcode = case.case.opcode
    for resolver, found in measured([case])[opcode].items():
        assert found <= (0 if opcode in EXACT else LARGER.get(opcode, BOUND)), resolver


@pytest.mark.parametrize("opcode", RULES)
def test_litert_gives_the_gradient(opcode: str) -> None:
    check(FIRST[opcode])


@pytest.mark.full
@pytest.mark.parametrize("case", ALL, ids=str)
def test_litert_gives_the_gradient_in_all_cases(case: Derivative) -> None:
    check(case)
