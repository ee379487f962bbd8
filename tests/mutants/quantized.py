"""Operators on stored integers: a rounding, a step, a zero point."""

# ruff: noqa: E501 - a mutant is a line

from __future__ import annotations

from tests.mutants.mutant import Mutant

OPERATORS, FIXED, OPS = "tests/parity/test_operators.py", "tests/unit/test_fixed_point.py", "reference/ops/quantized"


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
    of("pairs", '"INT16" else 20', '"INT16" else 19', "ADD"),
    of("pairs", "first + sign * second), by)", "first - sign * second), by)", "SUB"),
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
)  # fmt: skip
