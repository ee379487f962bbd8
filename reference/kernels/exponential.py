"""``exp`` of a vector of float32, as a kernel's own: numba calls the C library for each number alone."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from tflite_transfer.reference.kernels.vector import FLOATS, INTS, VECTOR, WIDTH, declared, fused, intrinsic, within

_LEAST, _MOST = -104.0, 89.0  # below exp is 0 in float32, above infinity
# ln 2 in two parts, of which the first has 9 bits: times a whole number below 2^8 it is exact (Cody and Waite 1980).
_LN2 = 0.693359375, -2.12194440e-4
# (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2: a minimax polynomial, found by weighted least squares, so that exp is off
# by 0.05 units of 2^-24 at most before anything is rounded. With roundings: 1.0, tests/unit/test_kernels_softmax.py.
_TERMS = 0.001381459847522272, 0.008368716887352246, 0.04166838804883041, 0.16666520631627155, 0.4999999344777912


@intrinsic
def exponential(context: Any, vector: Any) -> Any:  # noqa: ARG001 - it is for numba to say
    """``exp(x)`` of each number: ``2^n exp(r)`` with ``x = n ln 2 + r``. NaN stays NaN; small results are denormal."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
        def number(value: float) -> Any:
            return ir.Constant(FLOATS, [value] * WIDTH)

        x = within(builder, values[0], number(_LEAST), number(_MOST))
        nearest = declared(builder, f"llvm.rint.v{WIDTH}f32", FLOATS, [FLOATS])
        n = builder.call(nearest, [builder.fmul(x, number(1.4426950408889634))])
        r = x
        for ln2 in _LN2:
            r = fused(builder, n, number(-ln2), r)
        y = number(_TERMS[0])
        for term in _TERMS[1:]:
            y = fused(builder, y, r, number(term))
        y = builder.fadd(fused(builder, y, builder.fmul(r, r), r), number(1.0))
        whole = builder.fptosi(n, INTS)
        half = builder.ashr(whole, ir.Constant(INTS, [1] * WIDTH))
        for power in half, builder.sub(whole, half):  # 2^n in two: at the ends it is no float32 itself
            bits = builder.shl(builder.add(power, ir.Constant(INTS, [127] * WIDTH)), ir.Constant(INTS, [23] * WIDTH))
            y = builder.fmul(y, builder.bitcast(bits, FLOATS))
        return y

    return VECTOR(VECTOR), build
