"""What trains: the head, optimizers, TensorFlow's gradients, checkpoints, compiled kernels."""

# ruff: noqa: E501 - a mutant is a line

from __future__ import annotations

from tests.mutants.mutant import Mutant

HEAD, RULES = "tests/unit/test_head_definition.py", "tests/unit/test_optimizer_definition.py"
FLEX, SAVED = "tests/parity/test_flex_operators.py", "tests/unit/test_checkpoint.py"
CONV, STEPS, ADAM = (
    "tests/unit/test_kernels_conv.py",
    "tests/unit/test_kernels_head.py",
    "tests/unit/test_kernels_optimizers.py",
)
JOINED, TOGETHER = "backends/joined.py", "tests/unit/test_joined.py"
CACHE, ROWS = "tests/unit/test_cache.py", "tflite_transfer/row_files.py"
SHARED = "tests/parity/test_shared_weights.py"
CONSTANTS, BIASES = "converter/networks/constants.py", "converter/networks/biases.py"
CONVOLVED, TAPS = "reference/kernels/conv.py", "reference/kernels/depthwise.py"
LOOP, VECTOR = "reference/kernels/head_loop.py", "reference/kernels/vector.py"
PRODUCTS = "reference/kernels/head_products.py"
STEADY, REPEATED, SOFTMAX = "reference/steady.py", "tests/unit/test_steady.py", "tests/unit/test_kernels_softmax.py"


def flex(file: str, old: str, new: str, keyword: str) -> Mutant:
    return Mutant(f"reference/flex/{file}.py", old, new, FLEX, keyword)


MUTANTS = (
    Mutant("reference/head.py", "e / e.sum(axis=-1", "e / e.sum(axis=0", HEAD, "sum_to_one"),
    Mutant("reference/head.py", "return s - np.log(", "return s + np.log(", HEAD, "first_loss"),
    Mutant("reference/head.py", "d = softmax(z) - y", "d = softmax(z) + y", HEAD, "slopes"),
    Mutant("reference/head.py", "np.float32(2 * l2) * ws", "np.float32(l2) * ws", HEAD, "slopes"),
    Mutant("reference/head.py", "d.sum(axis=0) / np.float32(examples)", "d.sum(axis=0) / np.float32(divisor or examples)", HEAD, "divisor"),
    Mutant("reference/optimizers.py", "{k: w - rule.learning_rate * grads", "{k: w + rule.learning_rate * grads", RULES, "sgd"),
    Mutant("reference/optimizers.py", "np.sqrt(square[k] / correction2) + rule.epsilon", "np.sqrt(square[k] / correction2 + rule.epsilon)", RULES, "adam"),
    Mutant("reference/optimizers.py", "t = float(step) + 1.0", "t = float(step) + 2.0", RULES, "bias_corrections"),
    Mutant("reference/optimizers.py", "rule.complement2 * (g * g)", "rule.complement2 * abs(g)", RULES, "adam"),
    flex("geometry", "(strides[1], strides[2])", "(strides[2], strides[1])", "Conv2D"),
    flex("convolution", "slice(n * depth, (n + 1) * depth), slice(n * share, (n + 1) * share)\n            dw",
         "slice(0, depth), slice(n * share, (n + 1) * share)\n            dw", "groups"),
    flex("convolution", "pixels[..., into] += product", "pixels[..., into] = product", "Conv2DBackpropInput"),
    flex("convolution", "(by_channel * w[i, j]).sum(axis=-1", "(by_channel + w[i, j]).sum(axis=-1", "Depthwise"),
    flex("elementwise", "(x > 0) & (x < 6)", "(x >= 0) & (x < 6)", "Relu6Grad"),
    flex("elementwise", "g * (y + 1), g)", "g * y, g)", "EluGrad"),
    flex("elementwise", "g * (1 - y * y)", "g * (1 + y * y)", "TanhGrad"),
    flex("normalization", "(d_scale / count) if is_training", "d_scale if is_training", "BatchNorm"),
    flex("normalization", "len(rows) / max(len(rows) - 1, 1)", "1", "BatchNorm"),
    flex("pooling", "waiting &= ~here", "waiting &= True", "MaxPoolGrad"),
    flex("pooling", "g / sum(ones for _, _, ones in at.taps(inside))", "g / np.prod(ksize).astype(g.dtype)", "AvgPoolGrad"),
    flex("losses", "gradient[rows, column] -= 1", "gradient[rows, column] += 1", "Sparse"),
    Mutant("reference/checkpoint/crc32c.py", "POLYNOMIAL = 0x82F63B78", "POLYNOMIAL = 0xEDB88320", SAVED, "published"),
    Mutant("reference/checkpoint/crc32c.py", "crc >> 15 | crc << 17", "crc >> 17 | crc << 15", SAVED, "rotation"),
    Mutant("reference/kernels/crc32c.py", "tables[3, data[i + 4]]", "tables[2, data[i + 4]]", SAVED, "compiled_crc32c"),
    Mutant(CONVOLVED, "max(a.image + a.before, a.reach)", "max(a.image + a.before, a.image)", CONV, "definitions and conv"),
    Mutant(CONVOLVED, "c, r = 0, r + 1", "c, r = 0, r", CONV, "definitions and conv"),
    Mutant(CONVOLVED, "k * PANEL + WIDTH)", "k * PANEL)", CONV, "definitions and conv"),
    Mutant(CONVOLVED, "span = columns.kernel if columns.dilation == 1 else 1", "span = columns.kernel", CONV, "definitions and conv"),
    Mutant(TAPS, "// axis.dilation + 1, axis.kernel)", "// axis.dilation, axis.kernel)", CONV, "definitions and depthwise"),
    Mutant(TAPS, "(2 * stride + j)", "(stride + j)", CONV, "definitions and depthwise"),
    Mutant(TAPS, "square = rows[3:] == columns[3:] and", "square =", CONV, "definitions and depthwise"),
    Mutant(TAPS, "load(x, at + 2 * step)", "load(x, at + step)", CONV, "definitions and depthwise"),
    Mutant(VECTOR, 'fcmp_ordered("<"', 'fcmp_unordered("<"', CONV, "infinities"),
    Mutant("reference/kernels/head_errors.py", "math.log(whole) + gap", "math.log(whole) - gap", STEPS, "a_step_is"),
    Mutant(LOOP, "    meet(share.gates, share.thread, k + 1)\n", "", STEPS, "threads_change"),
    Mutant(LOOP, "apart = size", "apart = ZERO", STEPS, "threads_change"),
    Mutant("reference/kernels/head.py", "head.bs.copy() if own", "head.bs if own", STEPS, "threads_change"),
    Mutant(LOOP, "twice_l2 = np.float32(2) * l2", "twice_l2 = l2", STEPS, "a_step_is"),
    Mutant(PRODUCTS, "descent.begin + n * descent.apart + f", "descent.begin + f", STEPS, "a_step_is"),
    Mutant(PRODUCTS, "multiply_add(lanes(descent.twice_l2), w, g)", "multiply_add(lanes(descent.rate), w, g)", STEPS, "a_step_is"),
    Mutant(PRODUCTS, "load(x, at + WIDTH)", "load(x, at)", STEPS, "a_step_is"),
    Mutant(PRODUCTS, "c * rows.size + TILE * i", "c * rows.size + ROWS * i", STEPS, "a_step_is"),
    Mutant("reference/kernels/optimizers.py", "math.sqrt(v[f] / correction2) + epsilon", "math.sqrt(v[f] / correction2 + epsilon)", ADAM, "adam"),
    Mutant("reference/kernels/softmax.py", "tops = larger(load(z, c), tops)", "tops = load(z, c)", SOFTMAX, "softmax_is"),
    Mutant("reference/kernels/exponential.py", "builder.sub(whole, half)", "half", SOFTMAX, "unit_in_the_last"),
    Mutant(STEADY, " - {i for s in others for i in s.inputs}", "", REPEATED, "checked_runs"),
    Mutant(STEADY, " and step.inputs[1] in own", "", REPEATED, "checked_runs"),
    Mutant(STEADY, "step.inputs[1] in step.release", "step.inputs[1] in step.inputs", REPEATED, "checked_runs"),
    Mutant(STEADY, "number in own and number in step.release", "number in own", REPEATED, "checked_runs"),
    Mutant(STEADY, "told.difference(graph.outputs)", "told", REPEATED, "callers_own"),
    Mutant(CONSTANTS, "slot.spot if _is_even(values[tensor]) else None", "None", SHARED, "biases or PReLU"),
    Mutant(CONSTANTS, "-operator - 1 if _is_even(values[matrix]) else matrix", "-operator - 1", SHARED, "times"),
    Mutant(BIASES, "return values[other].size == units", "return False", SHARED, "steps or attention"),
    Mutant(BIASES, "layer_of(n, matrix, values)", "-n - 1", SHARED, "times"),
    Mutant(JOINED, "(*losses, *state, *between)", "(*losses, *state)", TOGETHER, "memory"),
    Mutant(JOINED, " or o.opcode in RANDOM", "", TOGETHER, "random"),
    Mutant("backends/tflite.py", "if k > 0:", "if k > 9:", TOGETHER, "two_files"),
    Mutant(ROWS, "if zlib.crc32(row.data) == self._checks[number]:", "if True:", CACHE, "any_byte"),
    Mutant(ROWS, "right = own == _check(name, check)", "right = True", CACHE, "any_byte"),
    Mutant(ROWS, "self._cut(number)\n", "pass\n", CACHE, "full_disk"),
    Mutant(ROWS, "            wrong += 1\n", "            pass\n", CACHE, "any_byte"),
    Mutant(ROWS, "fcntl.LOCK_EX", "fcntl.LOCK_SH", CACHE, "one_at_a_time"),
    Mutant("tflite_transfer/cache.py", "if n not in self._taken)", "if True)", CACHE, "bits_are"),
    Mutant("tflite_transfer/cache.py", "self._name(image) != name", "self._name(image) == b''", CACHE, "replaced_meanwhile"),
    Mutant("tflite_transfer/cache.py", "base.input_range, backend", "base.input_range", CACHE, "computed_itself"),
    Mutant("tflite_transfer/learner.py", "max(begin, self._asked)", "begin", CACHE, "next_batches"),
)  # fmt: skip
