"""Plain operators, each against LiteRT."""

# ruff: noqa: E501 - a mutant is a line

from __future__ import annotations

from tests.mutants.mutant import Mutant

OPERATORS, STATES, OPS = "tests/parity/test_operators.py", "tests/parity/test_states.py", "reference/ops"


def of(file: str, old: str, new: str, opcode: str) -> Mutant:
    """Without the compiled kernels, where there are any: compiling them takes 10 s."""
    return Mutant(f"{OPS}/{file}.py", old, new, OPERATORS, f"{opcode} and False")


MUTANTS = (
    # windows
    of("windows", "out = -(-size // stride)", "out = size // stride", "CONV_2D"),
    of("windows", "Axis(out, total // 2, total - total // 2)", "Axis(out, total - total // 2, total // 2)", "CONV_2D"),
    of("windows", "-(-(size - reach + 1) // stride)", "(size - reach + 1) // stride", "CONV_2D"),
    of("windows", "i * dilation[0], j * dilation[1]", "i * dilation[1], j * dilation[0]", "CONV_2D"),
    of("windows", "left : right : stride[1]]", "left : right : stride[0]]", "POOL_2D"),
    of("conv", "slice(g * depth, (g + 1) * depth)", "slice(0, depth)", "CONV_2D"),
    of("conv", "y[..., out] += product", "y[..., out] -= product", "CONV_2D"),
    of("conv", "np.repeat(pixels, multiplier, axis=3)", "np.tile(pixels, multiplier)", "DEPTHWISE_CONV_2D"),
    of("transpose_conv", "slice(a.before, a.before + n)", "slice(a.after, a.after + n)", "TRANSPOSE_CONV"),
    of("transpose_conv", "slice(t * d, t * d + r, s)", "slice(t, t + r, s)", "CONV_3D_TRANSPOSE"),
    of("conv_3d", "slice(t * d, t * d + (a.size", "slice(t, t + (a.size", "CONV_3D"),
    of("pool", "np.divide(total, count)", "total / (filter_height * filter_width)", "AVERAGE_POOL_2D"),
    of("pool", "pad_image(x, rows, columns, least)", "pad_image(x, rows, columns)", "MAX_POOL_2D"),
    of("pool", "np.abs(total) + count // 2", "np.abs(total)", "AVERAGE_POOL_2D"),
    of("pool", "average_pool_2d(x * x,", "average_pool_2d(abs(x),", "L2_POOL_2D"),
    # products and sums
    of("linear", "x.shape[-1] if keep_num_dims else weights.shape[1]", "weights.shape[1] if keep_num_dims else x.shape[-1]", "FULLY_CONNECTED"),
    of("linear", "np.swapaxes(b, -1, -2) if adj_y", "np.swapaxes(b, -1, -2) if adj_x", "BATCH_MATMUL"),
    of("reduce", "((sums < 0) & (sums %", "((sums > 0) & (sums %", "MEAN"),
    of("reduce", "int(a) + rank if a < 0", "int(a) + rank - 1 if a < 0", "SUM"),
    of("reduce", "initial=ends(x.dtype)[0]", "initial=0", "REDUCE_MAX"),
    of("reduce", "x.prod(axis=axes_of(x, axes), keepdims=keep_dims", "x.prod(axis=axes_of(x, axes), keepdims=True", "REDUCE_PROD"),
    of("reduce", "np.roll(sums, 1, along)", "np.roll(sums, -1, along)", "CUMSUM"),
    of("reduce", "return np.flip(sums, along) if reverse else sums", "return sums", "CUMSUM"),
    of("reduce", "numbers = x == x", "numbers = x == np.abs(x)", "ARG_M"),
    of("reduce", "(z - z.max(axis=-1, keepdims=True)) * z.dtype.type(beta)", "z * z.dtype.type(beta)", "SOFTMAX"),
    of("normalization", "x.dtype.type(1e-6)", "x.dtype.type(1e-12)", "L2_NORMALIZATION"),
    Mutant(f"{OPS}/normalization.py", "c + radius + 1]", "c + radius]", OPERATORS, "channels_is_symmetric"),
    # images
    of("resize", "scale - dtype.type(0.5) if half", "scale if half", "RESIZE_BILINEAR"),
    of("resize", "dtype((before - aligned) / (after - aligned))", "dtype(before / after)", "RESIZE_BILINEAR"),
    of("resize", "np.abs(total) + (1 << 19)", "np.abs(total)", "RESIZE_BILINEAR"),
    of("resize", "place + 0.5 if align_corners else place", "place", "RESIZE_NEAREST"),
    of("resize", "upper[:, :, right] * z) * (1 - y)", "upper[:, :, right] * z) * y", "RESIZE_BILINEAR"),
    # moves
    of("shape", "x.dtype.type(0) if value is None", "x.dtype.type(1) if value is None", "PAD"),
    of("shape", "last = b + e if offset else e", "last = e", "STRIDED_SLICE"),
    of("shape", "None if end_mask & bit else last", "None if begin_mask & bit else last", "STRIDED_SLICE"),
    of("shape", "n if s == -1 else b + s", "n if s == -1 else s", "SLICE"),
    of("shape", "+ n * np.arange(count)", "+ np.arange(count)", "GATHER"),
    of("shape", "np.stack(values, axis=axis)", "np.stack(values, axis=0)", "PACK"),
    of("repeat", 'mode="reflect" if mode == _REFLECT', 'mode="reflect" if mode != _REFLECT', "MIRROR_PAD"),
    of("repeat", "np.where(steps < n, n - 1 - steps", "np.where(steps < n - 1, n - 1 - steps", "REVERSE_SEQUENCE"),
    of("split", "np.cumsum(parts[:-1], dtype=int)", "np.cumsum(parts[1:], dtype=int)", "SPLIT_V"),
    of("blocks", "cut.transpose(*within, 0, *across,", "cut.transpose(0, *within, *across,", "SPACE_TO_BATCH"),
    of("blocks", "c // (s * s)).transpose(0, 1, 3, 2", "c // (s * s)).transpose(0, 1, 4, 2, 3, 5).transpose(0, 1, 2, 3", "DEPTH_TO_SPACE"),
    # places
    of("scatter", "math.prod(shape[k + 1 :])", "math.prod(shape[k:])", "GATHER_ND"),
    of("scatter", "np.add.at(y, _rows(indices, whole[:k]), updates)", "y[_rows(indices, whole[:k])] = updates", "SCATTER_ND"),
    of("scatter", "np.clip(start, 0, room)", "np.minimum(start, room)", "DYNAMIC_UPDATE_SLICE"),
    of("search", "np.expand_dims(indices, place) ==", "np.expand_dims(indices, place) + 1 ==", "ONE_HOT"),
    of("search", "backwards = x[..., ::-1]", "backwards = x", "TOPK"),
    of("segment", "kept = segments >= 0", "kept = segments > 0", "UNSORTED_SEGMENT"),
    # numbers alone
    of("elementwise", "((a < 0) != (b < 0))", "((a < 0) == (b < 0))", "DIV"),
    of("elementwise", "relu6(x + x.dtype.type(3))", "relu6(x + x.dtype.type(2))", "HARD_SWISH"),
    of("integer", "np.mod(a, b)", "np.fmod(a, b)", "FLOOR_MOD"),
    of("integer", "8 * a.itemsize - 1)", "8 * a.itemsize)", "RIGHT_SHIFT"),
    of("compare", "condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim))", "condition", "SELECT"),
    of("rounding", "(x > float(ends.min)) & (x < float(ends.max))", "(x > float(ends.min)) & (x <= float(ends.max))", "CAST"),
    of("rounding", ">= 0.5, np.sign(x)", "> 0.5, np.sign(x)", "FAKE_QUANT"),
    of("activation", "0.044715, math", "0.0447, math", "GELU"),
    # cells, whose state stays
    of("lstm", "take = 1 - forget", "take = forget", "LSTM"),
    of("lstm", "forget * c + take *", "forget * c - take *", "LSTM"),
    of("lstm", "z.dtype.type(1e-8)", "z.dtype.type(1e-3)", "LSTM"),
    of("lstm", "function(self.cell(xs, h, c)), clip)", "function(self.cell(xs, h, c)), proj_clip)", "LSTM"),
    of("lstm", "take, new, forget, output = np.split", "take, forget, new, output = np.split", "LSTM"),
    of("recurrent", "reversed(moments) if backwards", "moments if backwards", "BIDIRECTIONAL"),
    Mutant(f"{OPS}/recurrent.py", "*times.shape)[:, :, 1:]", "*times.shape)[:, :, :-1]", STATES, "SVDF"),
    of("recurrent", "weighted(h, recurrent)", "weighted(h, recurrent.T)", "RNN"),
    # random numbers
    of("random", "_ROUNDS = 10", "_ROUNDS = 9", "RANDOM"),
    of("random", "np.sin(angle).astype(dtype) * length, np.cos(angle)", "np.cos(angle).astype(dtype) * length, np.sin(angle)", "RANDOM"),
    Mutant(f"{OPS}/random.py", "at + (ahead or blocks)", "at + (ahead or blocks + 1)", STATES, "RANDOM"),
    Mutant(f"{OPS}/random.py", "* 4) * 512", "* 4) * 256", STATES, "MULTINOMIAL"),
)  # fmt: skip
