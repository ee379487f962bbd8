"""Operators on stored integers: a rounding, a step, a zero point."""

# ruff: noqa: E501 - a mutant is a line

from __future__ import annotations

from tests.mutants.mutant import Mutant

OPERATORS, FIXED, OPS = "tests/parity/test_operators.py", "tests/unit/test_fixed_point.py", "reference/ops/quantized"


COMPILED = "tests/unit/test_kernels_quantized.py"


def compiled(file: str, old: str, new: str, keyword: str) -> Mutant:
    return Mutant(f"reference/kernels/quantized/{file}.py", old, new, COMPILED, keyword)


def of(file: str, old: str, new: str, opcode: str) -> Mutant:
    return Mutant(f"{OPS}/{file}.py", old, new, OPERATORS, f"{opcode} and False-reference")


MUTANTS = (
    Mutant(f"{OPS}/fixed_point.py", "half, 1 - half)", "half, half)", FIXED, "test"),
    Mutant(f"{OPS}/fixed_point.py", "(mask >> 1) + (x < 0)", "(mask >> 1)", FIXED, "test"),
    Mutant(f"{OPS}/fixed_point.py", "fraction * 2.0**31 + 0.5", "fraction * 2.0**31", FIXED, "test"),
    Mutant(f"{OPS}/fixed_point.py", "(x * short + (np.int64(1) << (right - 1)))", "(x * short)", FIXED, "test"),
    of("affine", "return x.astype(np.int64) - zero", "return x.astype(np.int64) + zero", "MUL"),
    of("affine", "np.abs(x - whole) >= 0.5", "np.abs(x - whole) > 0.5", "QUANTIZE"),
    of("conv", "multiply(wrap(total), by) if narrow else multiply_wide(total, by)", "multiply(wrap(total), by)", "CONV_2D"),
    of("conv", "(a.scale * scales).astype(np.float64) /", "np.float64(a.scale) * scales.astype(np.float64) /", "CONV_2D"),
    of("conv", "return centred(x, int(quantization.zero_point.reshape(-1)[0]))", "return centred(x, 0)", "DEPTHWISE"),
    of("conv", "total + one_each(bias, total.shape[-1])", "total - one_each(bias, total.shape[-1])", "TRANSPOSE_CONV"),
    of("linear", ", narrow=False)", ")", "FULLY_CONNECTED"),
    of("linear", "round_away(with_bias(", "np.rint(with_bias(", "FULLY_CONNECTED"),
    of("linear", "np.float64(one * two) /", "np.float64(one) * np.float64(two) /", "BATCH_MATMUL"),
    of("pairs", "BITS = 20", "BITS = 19", "ADD"),
    of("pairs", "to_one) + sign * multiply(", "to_one) - sign * multiply(", "SUB"),
    of("pairs", "    by = quantize_multiplier(one.scale * two.scale / y.scale)\n    return finish(multiply(wrap(first * second)", "    by = quantize_multiplier(np.float64(one.scale) * two.scale / y.scale)\n    return finish(multiply(wrap(first * second)", "MUL"),
    of("pairs", "np.where(value >= 0, positive", "np.where(value > 1, positive", "PRELU"),
    of("reduce", "min(count.bit_length() - 1, 32", "min(count.bit_length() - 2, 32", "MEAN"),
    of("softmax", "bits + 31 - 8", "bits + 31 - 7", "SOFTMAX"),
    of("softmax", "difference >= least, scaled, 0", "difference > least, scaled, 0", "LOG_SOFTMAX"),
    of("quantize", "round_away(x / scale)", "np.rint(x / scale)", "QUANTIZE"),
    of("quantize", "np.float64(a.scale) / np.float64(b.scale)", "b.scale / a.scale", "QUANTIZE"),
    of("lookup", "slope * rest + 64", "slope * rest", "EXP"),
    of("lookup", ".astype(np.int16).astype(np.int64)\n    return", "\n    return", "EXP"),
    of("activations", "gate = (gate + (1 << 15)) >> 1", "gate = (gate + (1 << 14)) >> 1", "HARD_SWISH"),
    of("lstm_cell", "30 + self.logarithm", "29 + self.logarithm", "LSTM"),
    of("lstm_cell", "np.where(y > 0, 512, -512)", "512", "LSTM"),
    of("affine", "np.float32(-a.zero) * scale", "np.float32(a.zero) * scale", "CONCATENATION"),
    compiled("integers", "(2**30, 1, 32)", "(2**30 - 1, 1, 32)", "change_of_scale"),
    compiled("integers", "builder.lshr(high, ir.Constant(_INTS, [31] * WIDTH))", "ir.Constant(_INTS, [0] * WIDTH)", "change_of_scale"),
    compiled("integers", '_binary(builder, "smax", _narrow(builder, moved, 8), low)', "_narrow(builder, moved, 8)", "activation"),
    compiled("bands", "np.int16(narrow[i]) - zero", "np.int16(narrow[i])", "every_bit"),
    compiled("bands", "room > channels or seen < width or stop - start < height", "room > channels or seen < width", "every_bit"),
    compiled("conv", "c * columns.stride) * channels", "c) * channels", "every_bit"),
    compiled("conv", "to += to % 2", "to += 0", "every_bit"),
    compiled("conv", "and x.shape[3] == filters.shape[3]", "", "refuses"),
    compiled("depthwise", "packed[:, :channels, 0] = taps", "packed[:, :channels, 1] = taps", "every_bit"),
    compiled("depthwise", "columns.stride * room", "room", "every_bit"),
    compiled("linear", "255 * 128 < 2**31", "255 * 128 < 2**32", "may_not_fit"),
    compiled("pairs", "rows[:2, 1] += pairs.BITS", "rows[:2, 1] += pairs.BITS - 1", "sums"),
    compiled("scales", "filters.zero_point.any()", "False", "no_int8"),
    Mutant("reference/kernels/compile.py", 'folder.rglob("*.py")', 'folder.glob("*.py")', "tests/unit/test_kernels_compile.py", "digest"),
)  # fmt: skip
