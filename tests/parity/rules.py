"""How far the floats of LiteRT's kernels may be from ours, operator by operator; those not named here are equal.

Sums differ by the order of their terms, and functions that each library approximates in its own way by some units in
the last place: the bounds are about twice the largest difference from LiteRT 2.3 on an AVX-512 machine, which stands
beside them: default, reference. hypothesis looks for it: see ``test_properties.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tests.parity.operators import TINY, Array, Case, Rule, terms, ulps, units

LARGEST = float(np.finfo(np.float32).max)


def where(holds: Callable[[Array], Array], rule: Rule) -> Rule:
    """``rule`` where something holds of the input; elsewhere LiteRT is wrong, as test_operators.py shows."""
    return lambda case, y: np.where(holds(case.values[0]), rule(case, y), np.inf)


def of_input(c: float) -> Rule:
    """``c 2^-24 |x|``, and the least normal number: XNNPACK gives 0 for what is smaller."""
    return lambda case, _: c * 2**-24 * np.abs(case.values[0]) + TINY


def exponential(c: float) -> Rule:
    """``c + 1.5 |log y|`` units in the last place: XNNPACK takes whole powers of 2 from x, and rounds what is left.

    65 at e^-87, 16 at e^20 (reference: 2, everywhere).
    """

    def bound(_: Case, y: Array) -> Array:
        with np.errstate(all="ignore"):
            return (c + 1.5 * np.abs(np.log(y, dtype=np.float64))) * np.spacing(np.abs(y)) + 2 * TINY

    return bound


def blend(c: float) -> Rule:
    """``c 2^-24 max|x| (1 + H + W)``: a place among n pixels is rounded to ``n 2^-24``, and with it the weights."""
    return lambda case, _: c * 2**-24 * np.abs(case.values[0]).max() * (1 + sum(case.values[0].shape[1:3]))


def factors(case: Case, y: Array) -> Array:
    """A rounding for each factor."""
    return case.values[0].size * 2**-24 * np.abs(y)


def hard_swish(case: Case, _: Array) -> Array:
    """``6 2^-24 |x| (|x| + 3) / 6``."""
    x = np.abs(case.values[0].astype(np.float64))
    return 6 * 2**-24 * x * (x + 3) / 6


RULES: Mapping[str, Rule | Mapping[str, Rule]] = {
    "ATAN2": ulps(4),  # 2, 2
    "AVERAGE_POOL_2D": terms(5),  # 2.7, 0
    "BATCH_MATMUL": terms(7),  # 2.5, 3.5
    "CONV_2D": terms(12),  # 5.6, 5.6
    "CONV_3D": terms(8),  # 3.8, 3.8
    "CONV_3D_TRANSPOSE": terms(7),  # 3.6, 3.6
    "COS": {"reference": units(2), "default": where(lambda x: ~(np.abs(x) > 1e5), units(14))},  # 7.0, 1.0
    "DEPTHWISE_CONV_2D": terms(7),  # 3.4, 3.3
    "ELU": ulps(4),  # 2, none
    "EXP": {"reference": ulps(4), "default": where(lambda x: x < 88.37, exponential(4))},
    "FULLY_CONNECTED": terms(20),  # 9.8, 5.2
    "GELU": of_input(8),  # 3.6, 3.5
    "HARD_SWISH": {"reference": ulps(0), "default": where(lambda x: np.abs(x) < LARGEST / 6, hard_swish)},  # 2.8, 0
    "L2_POOL_2D": terms(5),  # 2.0, 0
    "LOG": {"reference": units(4), "default": where(lambda x: (x < 2.4e38) | (x < 0), units(8))},  # 4.0, 2.0
    "LOGISTIC": units(4),  # 2.0, 2.0
    "LOG_SOFTMAX": units(8),  # 3.5, 4.0
    "MEAN": terms(4),
    "REDUCE_PROD": factors,  # 0, 0
    "RESIZE_BILINEAR": blend(3),  # 1.1, 1.3
    "RSQRT": {"reference": ulps(0), "default": where(lambda x: (np.abs(x) >= TINY) & (x < 2.0**126), ulps(4))},  # 2, 0
    "SIN": {"reference": units(2), "default": where(lambda x: ~(np.abs(x) > 1e5), units(14))},  # 6.3, 1.0
    "SOFTMAX": {"reference": ulps(16), "default": exponential(16)},  # 7, 8
    "SQRT": {"reference": ulps(0), "default": where(lambda x: ~(x >= 2.0**126), ulps(6))},  # 3, 0
    "SUM": terms(4),
    "TANH": ulps(8),  # 4, 3
    "TRANSPOSE_CONV": terms(8),  # 3.8, 3.8
}
