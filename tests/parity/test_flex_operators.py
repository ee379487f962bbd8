"""TensorFlow's kernels, one by one, against ``tf.raw_ops``.

Bounds: ``c 2^-24`` times the same function of absolute values in double where terms are summed; the largest c seen
from double and from TensorFlow, stands beside each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.parity.operators import normal
from tflite_transfer.reference.flex import convolution, elementwise, losses, normalization, pooling
from tflite_transfer.reference.ops import conv

tf = pytest.importorskip("tensorflow")
Array = Any
UNIT = 2.0**-24


class Case(NamedTuple):
    op: str
    ours: Callable[..., Any]
    values: tuple[Array, ...]
    options: dict[str, Any]
    c: float  # of the bound on sums; 0: to a unit in the last place or two


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def elementwise_cases() -> Iterator[Case]:
    g, x = normal(500), normal(500, seed=1, scale=4)
    x[:4] = [0, -0.0, 6, -1]
    y, positive = np.tanh(x / 4).astype(np.float32), np.abs(x) + np.float32(0.1)
    for op in ("ReluGrad", "Relu6Grad", "SoftplusGrad", "SoftsignGrad"):
        yield Case(op, getattr(elementwise, _snake(op)), (g, x), {}, 0)
    yield Case("LeakyReluGrad", elementwise.leaky_relu_grad, (g, x), {"alpha": 0.3}, 0)
    yield from (Case(op, getattr(elementwise, _snake(op)), (g, y), {}, 0) for op in ("EluGrad", "SeluGrad"))
    yield from (Case(op, getattr(elementwise, _snake(op)), (y, g), {}, 0) for op in ("TanhGrad", "SigmoidGrad"))
    yield from (Case(op, getattr(elementwise, _snake(op)), (positive, g), {}, 0) for op in ("SqrtGrad", "RsqrtGrad"))
    yield from (Case(op, elementwise.reciprocal_grad, (positive, g), {}, 0) for op in ("ReciprocalGrad", "InvGrad"))
    yield Case("BiasAddGrad", elementwise.bias_add_grad, (normal(5, 6, 7, 3),), {}, 4)
    for a, b in (((2, 3), (3,)), ((1, 3), (2, 1)), ((2, 3), (2, 3)), ((), (2, 1)), ((1,), (1, 1)), ((4, 1, 3), (1, 3))):
        shapes = (np.array(a, np.int32), np.array(b, np.int32))
        yield Case("BroadcastGradientArgs", elementwise.broadcast_gradient_args, shapes, {}, 0)


def loss_cases() -> Iterator[Case]:
    for b, c in ((1, 2), (6, 4), (20, 1000)):
        z, rng = normal(b, c, scale=5), np.random.default_rng(b)
        yield Case(
            "SoftmaxCrossEntropyWithLogits", losses.softmax_cross_entropy_with_logits,
            (z, rng.dirichlet(np.ones(c), b).astype(np.float32)), {}, 4,  # 1.9, 2.0
        )  # fmt: skip
        yield Case(
            "SparseSoftmaxCrossEntropyWithLogits", losses.sparse_softmax_cross_entropy_with_logits,
            (z, rng.integers(c, size=b)), {}, 4,  # 1.9, 2.0
        )  # fmt: skip


def window_cases() -> Iterator[Case]:
    """2.6 and 2.8 for convolutions, 2.1 and 2.7 for pooling."""
    for padding in ("SAME", "VALID"):
        for size, k, stride in (((8, 9), (3, 3), 1), ((7, 8), (2, 3), 2), ((5, 5), (1, 1), 2), ((9, 7), (3, 2), 3)):
            strides = [1, stride, stride, 1]
            out = [-(-(n - (kk - 1 if padding == "VALID" else 0)) // stride) for n, kk in zip(size, k, strict=True)]
            x, sizes = normal(2, *size, 4), np.array([2, *size, 4], np.int32)
            options: dict[str, Any] = {"strides": strides, "padding": padding}
            w, g = normal(*k, 4, 5, seed=1), normal(2, *out, 5, seed=2)
            shape = np.array(w.shape, np.int32)
            yield Case("Conv2DBackpropFilter", convolution.conv2d_backprop_filter, (x, shape, g), options, 6)
            yield Case("Conv2DBackpropInput", convolution.conv2d_backprop_input, (sizes, w, g), options, 6)
            w, g = normal(*k, 4, 2, seed=1), normal(2, *out, 8, seed=2)
            shape = np.array(w.shape, np.int32)
            name, functions = "DepthwiseConv2dNativeBackprop", convolution
            yield Case(name + "Filter", functions.depthwise_conv2d_backprop_filter, (x, shape, g), options, 6)
            yield Case(name + "Input", functions.depthwise_conv2d_backprop_input, (sizes, w, g), options, 6)
            pool, g = options | {"ksize": [1, *k, 1]}, normal(2, *out, 4, seed=3)
            y = tf.nn.max_pool2d(x, k, stride, padding).numpy()
            yield Case("MaxPoolGrad", pooling.max_pool_grad, (x, y, g), pool, 4)
            yield Case("AvgPoolGrad", pooling.avg_pool_grad, (sizes, g), pool, 4)
    x, g, w = normal(2, 8, 9, 4), normal(2, 4, 9, 5, seed=1), normal(3, 2, 4, 5, seed=2)
    uneven = {"strides": [1, 2, 1, 1], "padding": "SAME"}
    around = uneven | {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 1, 0, 1, 0, 0]}
    for options in (uneven, around):
        shapes = np.array(x.shape, np.int32), np.array(w.shape, np.int32)
        yield Case("Conv2DBackpropFilter", convolution.conv2d_backprop_filter, (x, shapes[1], g), options, 6)
        yield Case("Conv2DBackpropInput", convolution.conv2d_backprop_input, (shapes[0], w, g), options, 6)
    pool, g = uneven | {"ksize": [1, 3, 2, 1]}, normal(2, 4, 9, 4, seed=3)
    y = tf.nn.max_pool2d(x, (3, 2), (2, 1), "SAME").numpy()
    yield Case("MaxPoolGrad", pooling.max_pool_grad, (x, y, g), pool, 4)
    yield Case("AvgPoolGrad", pooling.avg_pool_grad, (shapes[0], g), pool, 4)
    ties = np.zeros((1, 4, 4, 2), np.float32)
    pool = {"ksize": [1, 3, 3, 1], "strides": [1, 1, 1, 1], "padding": "SAME"}
    yield Case("MaxPoolGrad", pooling.max_pool_grad, (ties, ties, normal(1, 4, 4, 2)), pool, 4)


def norm_cases() -> Iterator[Case]:
    x, g = normal(3, 5, 4, 6), normal(3, 5, 4, 6, seed=1)
    scale, offset, mean = (normal(6, seed=n) for n in (2, 3, 4))
    variance = np.abs(normal(6, seed=5))
    for training in (True, False):
        options = {"epsilon": 1e-3, "is_training": training}
        given = (x, scale, offset, mean, variance)
        yield Case("FusedBatchNormV3", normalization.fused_batch_norm_v3, given, options, 6)  # 2.8, 0.9
        averaged = options | {"exponential_avg_factor": 0.25}
        if training:
            yield Case("FusedBatchNormV3", normalization.fused_batch_norm_v3, given, averaged, 6)
        given = (g, x, scale, mean, variance, np.zeros(0, np.float32))
        yield Case("FusedBatchNormGradV3", normalization.fused_batch_norm_grad_v3, given, options, 10)  # 4.8, 2.2


CASES = [c for family in (elementwise_cases, loss_cases, window_cases, norm_cases) for c in family()]


def theirs(case: Case) -> list[Array]:
    function = getattr(tf.raw_ops, case.op)
    parameters = [p for p in function.__signature__.parameters if p != "name"]
    result = function(**dict(zip(parameters, case.values, strict=False)), **case.options)
    return [t.numpy() for t in (result if isinstance(result, tuple | list) else [result])]


def in_double(case: Case, change: Callable[[Array], Array] = np.asarray) -> tuple[Array, ...]:
    values = (change(v.astype(np.float64)) if v.dtype == np.float32 else v for v in case.values)
    found = case.ours(*values, **case.options)
    return found if isinstance(found, tuple) else (found,)


def sizes(case: Case, double: Array) -> Array:
    """What an error is measured by: sum|terms| of what is linear, else the largest result, 1 at least."""
    if any(word in case.op for word in ("Conv", "AvgPool", "BiasAdd")):
        return in_double(case, np.abs)[0]
    return max(float(np.abs(double).max()), 1.0)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{n} {c.op}" for n, c in enumerate(CASES)])
def test_the_kernel_is_tensorflow_s(number: int) -> None:
    case = CASES[number]
    found = case.ours(*case.values, **case.options)
    found, expected = found if isinstance(found, tuple) else (found,), theirs(case)
    wide = in_double(case)
    compared = 0
    for ours, double, tensorflow in zip(found, wide, expected, strict=True):
        if tensorflow.size == 0 or ("Norm" in case.op and compared >= 3):
            continue  # what only a GPU, or the gradient's kernel on the same device, reads
        compared += 1
        assert (ours.shape, ours.dtype) == (tensorflow.shape, tensorflow.dtype)
        if case.c == 0:
            np.testing.assert_array_almost_equal_nulp(ours, tensorflow, 4)
            continue
        bound = case.c * UNIT * sizes(case, double)
        assert (np.abs(ours - double) <= bound).all()
        assert (np.abs(ours.astype(np.float64) - tensorflow) <= bound).all()


@pytest.mark.parametrize(("depth", "dilations"), [(2, (1, 1)), (4, (2, 3)), (1, (2, 1))])
def test_groups_and_dilations_which_tensorflow_has_on_gpus_alone(depth: int, dilations: tuple[int, int]) -> None:
    """A convolution is linear: along any direction the gradient is the convolution of that direction."""
    x, w = normal(2, 8, 9, 4).astype(np.float64), normal(3, 2, depth, 8).astype(np.float64)
    window = {"padding": "SAME", "stride_h": 2, "stride_w": 1}
    window |= dict(zip(("dilation_h_factor", "dilation_w_factor"), dilations, strict=True))
    y = conv.conv_2d(x, np.moveaxis(w, 3, 0), **window)
    g = normal(*y.shape, seed=1).astype(np.float64)
    options: dict[str, Any] = {"strides": [1, 2, 1, 1], "padding": "SAME", "dilations": [1, *dilations, 1]}
    dw = convolution.conv2d_backprop_filter(x, np.array(w.shape), g, **options)
    dx = convolution.conv2d_backprop_input(np.array(x.shape), w, g, **options)
    np.testing.assert_allclose([(dw * w).sum(), (dx * x).sum()], (g * y).sum(), rtol=1e-12)


def test_a_class_that_is_not_there_is_nan_as_in_tensorflow() -> None:
    z = normal(3, 4)
    loss, gradient = losses.sparse_softmax_cross_entropy_with_logits(z, np.array([0, 4, -1]))
    assert np.isnan(loss[1:]).all()
    assert np.isnan(gradient[1:]).all()
    assert np.isfinite(loss[0])
