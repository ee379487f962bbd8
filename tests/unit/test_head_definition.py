"""The softmax head's definition against what does not share its code: TensorFlow, differences, and its own symmetries.

B examples, F features, C classes. Labels are soft: with one-hot ones half of the cross-entropy's terms are not seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.parity import training
from tflite_transfer.diagnostics.gradients.slopes import central_difference, relative_error
from tflite_transfer.reference import head

Array = Any

# |a - b| <= c 2^-24 sum|terms| (tests/parity/training.py). Largest c seen in this file: 1.7 for a loss, 2.9 for a
# gradient of at most 18 examples.
LOSS_C, GRADIENT_C = 4.0, 8.0
SHAPES = [(1, 1, 2), (3, 7, 4), (20, 33, 10), (128, 5, 2), (2, 3, 1000)]  # B, F, C

fixed = settings(derandomize=True, deadline=None, max_examples=60, database=None)
sizes = st.integers(0, 2**32 - 1)


def numbers(shape: tuple[int, ...], largest: float) -> Any:
    """Arrays from denormals to ``largest``; hypothesis likes zeros, ends and repetitions."""
    return arrays(np.float32, shape, elements=st.floats(-largest, largest, width=32, allow_subnormal=True))


shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(2, 9))
logits = st.tuples(st.integers(1, 5), st.integers(2, 40)).flatmap(lambda shape: numbers(shape, 1e4))


@st.composite
def problems(draw: Any, largest: float = 30.0) -> tuple[Array, Array, Array, Array]:
    """x, y, ws, bs with logits up to about 1e4: products of two numbers up to 30, and 9 of them."""
    b, f, c = draw(shapes)
    x, ws, bs = draw(numbers((b, f), largest)), draw(numbers((f, c), largest)), draw(numbers((c,), largest))
    return x, soft_labels(np.random.default_rng(draw(sizes)), b, c), ws, bs


def problem(shape: tuple[int, int, int], seed: int = 0) -> tuple[Array, Array, Array, Array]:
    """x, y, ws, bs of usual magnitudes."""
    b, f, c = shape
    rng = np.random.default_rng(seed)
    ws = rng.standard_normal((f, c), np.float32) / np.float32(np.sqrt(f))
    return rng.standard_normal((b, f), np.float32), soft_labels(rng, b, c), ws, rng.standard_normal(c, np.float32)


def soft_labels(rng: np.random.Generator, b: int, c: int) -> Array:
    y = rng.random((b, c), np.float32) ** 3
    return y / y.sum(axis=1, keepdims=True)


def check(found: head.HeadGradients, x: Array, y: Array, ws: Array, bs: Array, l2: float | None = None) -> None:
    """Within the bounds of the float64 formula, which also judges the backends."""
    decay = {} if l2 is None else {"l2": float(np.float32(l2)), "l2/twice": float(np.float32(2 * l2))}
    exact = training.gradients(decay, {"ws": ws, "bs": bs}, x, y)
    assert training.needed(found.loss, exact["loss"]) <= LOSS_C
    assert training.needed(found.ws, exact["grad_ws"]) <= GRADIENT_C
    assert training.needed(found.bs, exact["grad_bs"]) <= GRADIENT_C


@pytest.mark.parametrize("l2", [None, 0.0, 0.125])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_tensorflows(shape: tuple[int, int, int], l2: float | None) -> None:
    tf = pytest.importorskip("tensorflow")
    x, y, ws, bs = (a.astype(np.float64) for a in problem(shape))
    w, b = tf.Variable(ws), tf.Variable(bs)
    with tf.GradientTape() as tape:
        each = tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=tf.matmul(x, w) + b)
        loss = tf.reduce_mean(each) + (l2 or 0.0) * tf.reduce_sum(w * w)
    grad_ws, grad_bs = tape.gradient(loss, [w, b])
    found = head.gradients(x, y, ws, bs, l2=l2)
    assert found.ws.dtype == np.float64  # float64 in, float64 out: the formula itself is compared
    # Seen: 4e-16 of the largest value. The loss is rounded to float32 once, and once more with L2.
    np.testing.assert_allclose(found.ws, grad_ws.numpy(), rtol=0, atol=1e-14 * np.abs(grad_ws).max())
    np.testing.assert_allclose(found.bs, grad_bs.numpy(), rtol=0, atol=1e-14 * np.abs(grad_bs).max())
    np.testing.assert_allclose(found.loss, loss.numpy(), rtol=2 * 2.0**-24)


@pytest.mark.parametrize("l2", [None, 0.125])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_slopes(shape: tuple[int, int, int], l2: float | None) -> None:
    """Central differences along random directions, of a loss written down in another way."""
    x, y, ws, bs = (a.astype(np.float64) for a in problem(shape, 1))
    y /= y.sum(axis=1, keepdims=True)  # to the last bit of float64: the gradient p - y takes it that y sums to 1
    found = head.gradients(x, y, ws, bs, l2=l2)
    rng = np.random.default_rng(2)

    def loss(ws: Array, bs: Array) -> float:
        z = x @ ws + bs
        each = y.sum(axis=1) * np.logaddexp.reduce(z, axis=1) - (y * z).sum(axis=1)
        return float(each.mean() + (l2 or 0.0) * np.vdot(ws, ws))

    for _ in range(5):
        v_ws, v_bs = rng.standard_normal(ws.shape), rng.standard_normal(bs.shape)
        slope = central_difference(lambda h, v=v_ws, u=v_bs: loss(ws + h * v, bs + h * u), 1e-5)
        terms = np.concatenate([(found.ws * v_ws).ravel(), found.bs * v_bs])
        assert relative_error(slope, terms) <= 1e-8  # seen: 1.5e-9


@pytest.mark.parametrize("examples", [1, 7, 20, 128])
@pytest.mark.parametrize("classes", [2, 3, 4, 5, 10, 1000])
def test_the_first_loss_is_ln_c(classes: int, examples: int) -> None:
    rng = np.random.default_rng(classes)
    x = rng.standard_normal((examples, 6), np.float32)
    y = np.eye(classes, dtype=np.float32)[rng.integers(0, classes, examples)]
    ws, bs = np.zeros((6, classes), np.float32), np.zeros(classes, np.float32)
    assert head.gradients(x, y, ws, bs).loss == np.float32(np.log(classes))
    np.testing.assert_array_equal(head.predict(x, ws, bs), np.full((examples, classes), 1 / classes, np.float32))


@fixed
@given(logits)
def test_softmax_rows_sum_to_one(z: Array) -> None:
    p = head.softmax(z)
    assert np.isfinite(p).all()
    assert (p >= 0).all()
    # Seen in 20,000 random arrays: 4.8, as the sum that every term is divided by has an error of its own.
    assert np.abs(p.sum(axis=1, dtype=np.float64) - 1).max() <= 8 * training.UNIT


@fixed
@given(logits)
def test_log_softmax_is_finite(z: Array) -> None:
    """Even where softmax underflows."""
    found, p = head.log_softmax(z), head.softmax(z)
    assert np.isfinite(found).all()
    assert (found <= 0).all()
    # Seen in 20,000 random arrays: 6.2. The gap's own rounding is a factor of the probability.
    gap = 1 + (z.max(axis=1, keepdims=True) - z).astype(np.float64)
    assert (np.abs(np.exp(found.astype(np.float64)) - p) <= 10 * training.UNIT * gap * p + 2.0**-126).all()


@fixed
@given(
    arrays(np.int32, st.tuples(st.integers(1, 5), st.integers(2, 9)), elements=st.integers(-9999, 9999)),
    st.integers(-9999, 9999),
)
def test_a_shift_of_all_logits_is_ignored(whole: Array, shift: int) -> None:
    """Bit for bit, where the shift itself is exact: whole numbers."""
    z = whole.astype(np.float32)
    np.testing.assert_array_equal(head.softmax(z + np.float32(shift)), head.softmax(z))
    np.testing.assert_array_equal(head.log_softmax(z + np.float32(shift)), head.log_softmax(z))


@fixed
@given(problems(), st.sampled_from([None, 0.01]))
def test_any_problem_is_within_the_bounds(given_problem: tuple[Array, ...], l2: float | None) -> None:
    x, y, ws, bs = given_problem
    check(head.gradients(x, y, ws, bs, l2=l2), x, y, ws, bs, l2)


@pytest.mark.parametrize("scale", [1e4, -1e4, 1e-40, 0.0], ids=str)
@pytest.mark.parametrize("right", [True, False])
def test_hostile_values(scale: float, right: bool) -> None:
    """Logits of +-1e4, answered rightly and wrongly; denormal ones; all of them equal."""
    z = np.float32(scale) * np.array([[1, 0, 0, 0.5], [0, 1, 1, 0], [1, 1, 1, 1]], np.float32)
    y = np.eye(4, dtype=np.float32)[z.argmax(axis=1) if right else z.argmin(axis=1)]
    x, bs = np.eye(3, dtype=np.float32), np.zeros(4, np.float32)
    found = head.gradients(x, y, z, bs)
    assert np.isfinite(found.loss)
    assert np.isfinite(found.ws).all()
    check(found, x, y, z, bs)
    np.testing.assert_array_equal(head.softmax(z)[2], np.full(4, 0.25, np.float32))


@fixed
@given(problems())
def test_the_gradient_of_a_row_of_logits_sums_to_zero(given_problem: tuple[Array, ...]) -> None:
    """With x the unit matrix, a row of the weights' gradient is that of an example's logits."""
    _, y, ws, bs = given_problem
    x = np.eye(len(y), dtype=np.float32)
    ws = np.resize(ws, (len(y), len(bs)))
    found = head.gradients(x, y, ws, bs)
    terms = training.gradients({}, {"ws": ws, "bs": bs}, x, y)["grad_ws"].terms.sum(axis=1)
    assert (np.abs(found.ws.sum(axis=1, dtype=np.float64)) <= GRADIENT_C * training.UNIT * terms).all()
    assert abs(found.bs.sum(dtype=np.float64)) <= GRADIENT_C * training.UNIT * terms.sum()


@fixed
@given(problems(), sizes)
def test_relabelling_permutes(given_problem: tuple[Array, ...], seed: int) -> None:
    x, y, ws, bs = given_problem
    order = np.random.default_rng(seed).permutation(len(bs))
    found, exact = (
        head.gradients(x, y[:, order], ws[:, order], bs[order]),
        training.gradients({}, {"ws": ws, "bs": bs}, x, y),
    )
    assert training.needed(found.loss, exact["loss"]) <= LOSS_C
    for name, part in (("grad_ws", found.ws), ("grad_bs", found.bs)):
        assert training.needed(part[..., np.argsort(order)], exact[name]) <= GRADIENT_C


@fixed
@given(problems(), st.sampled_from([None, 0.01]))
def test_a_batch_twice_is_its_mean(given_problem: tuple[Array, ...], l2: float | None) -> None:
    x, y, ws, bs = given_problem
    check(head.gradients(np.tile(x, (2, 1)), np.tile(y, (2, 1)), ws, bs, l2=l2), x, y, ws, bs, l2)


@pytest.mark.parametrize("l2", [None, 0.01])
def test_what_is_given_stays(l2: float | None) -> None:
    inputs = problem((20, 33, 10))
    kept = [a.copy() for a in inputs]
    for a in inputs:
        a.flags.writeable = False
    first, again = (head.gradients(*inputs, l2=l2) for _ in range(2))
    head.predict(inputs[0], *inputs[2:])
    for found, same in zip(first, again, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, same)
        assert not any(np.shares_memory(found, a) for a in inputs)
    for a, before in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(a, before)


def test_the_divisor_is_for_the_weights_alone() -> None:
    """As in a file of the original converter: its training batch is baked into the weights' gradient only."""
    inputs = problem((7, 5, 3))
    plain, divided = head.gradients(*inputs), head.gradients(*inputs, divisor=28)
    np.testing.assert_array_equal(divided.ws * np.float32(4), plain.ws)
    np.testing.assert_array_equal(divided.bs, plain.bs)
    np.testing.assert_array_equal(divided.loss, plain.loss)
