"""The kernels of stored integers against their definitions in ``reference.ops.quantized``: every bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_kernels_conv import CASES, ONE, Case
from tflite_transfer.reference.kernels import threads
from tflite_transfer.reference.kernels.quantized import conv, depthwise, linear, pairs
from tflite_transfer.reference.kernels.quantized.integers import keep, load, rescaled
from tflite_transfer.reference.kernels.quantized.scales import PANEL, parts
from tflite_transfer.reference.kernels.vector import WIDTH
from tflite_transfer.reference.ops.limit import ALLOWED, Allowance
from tflite_transfer.reference.ops.quantized import conv as definition
from tflite_transfer.reference.ops.quantized import linear as products
from tflite_transfer.reference.ops.quantized import pairs as sums
from tflite_transfer.reference.ops.quantized.fixed_point import Multiplier, multiply
from tflite_transfer.reference.tflite import Quantization
from tflite_transfer.reference.tflite.graph import Tensor

Array = Any
I8, I32 = np.int8, np.int32
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
FAST = {"conv": conv.conv_2d, "depthwise": depthwise.depthwise_conv_2d, "linear": linear.fully_connected}
PLAIN = {
    "conv": definition.conv_2d, "depthwise": definition.depthwise_conv_2d, "linear": products.fully_connected
}  # fmt: skip
EACH = pytest.mark.parametrize("op", ["conv", "depthwise"])
SHAPES = pytest.mark.parametrize("case", CASES, ids=str)


def tensor(value: Array, scale: Any, zero: Any = 0, axis: int = 0) -> Tensor:
    scales = np.atleast_1d(np.asarray(scale, np.float32))
    zeros = np.broadcast_to(np.asarray(zero, np.int64), scales.shape)
    kind = {"int8": "INT8", "uint8": "UINT8", "int16": "INT16", "int32": "INT32"}[value.dtype.name]
    return Tensor("t", value.shape, kind, quantization=Quantization(scales, zeros, axis))


def surrounded(a: Array, fill: int) -> Array:
    """``a``, read-only, with 64 other numbers before and behind it in memory."""
    room = np.full(a.size + 128, fill, a.dtype)
    middle = room[64:-64].reshape(a.shape)
    middle[...] = a
    middle.flags.writeable = False
    return middle


class Problem:
    """Arguments of a product of weights: numbers of all sizes, many at the ends, at scales so that outputs spread."""

    def __init__(
        self, op: str, x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any], seed: int = 0, *,
        fine: float = 1, zeros: tuple[int, int, int] = (-7, 0, 5), each: bool = True, bias: bool = True,
        activation: str = "NONE",
    ) -> None:  # fmt: skip
        rng = np.random.default_rng(seed)
        axis, ends = 3 if op == "depthwise" else 0, np.array([-128, -128, 127, 127])
        outputs, terms = w[axis], np.prod(w) / w[axis]

        def numbers(shape: tuple[int, ...]) -> Array:
            return np.where(rng.random(shape) < 0.1, rng.choice(ends, shape), rng.integers(-128, 128, shape)).astype(I8)

        self.op, self.x, self.w, self.b = op, numbers(x), numbers(w), None
        if bias:
            self.b = rng.integers(-(2**12), 2**12, outputs).astype(I32)
            if outputs > 3:
                self.b[-2:] = 2**31 - 1, -(2**31)
        scales = rng.uniform(0.001, 0.004, outputs if each else 1).astype(np.float32)
        inputs = tensor(self.x, 0.05, zeros[0]), tensor(self.w, scales, zeros[1], axis)
        bias_scale = np.float32(0.05) * scales
        self.inputs = (*inputs, *([tensor(self.b, bias_scale)] if bias else []))
        made = np.float32(0.05 * 0.002 * 80 * 80 * np.sqrt(terms) / 60 * fine)
        self.options = {"inputs": self.inputs, "outputs": (tensor(np.zeros(1, I8), made, zeros[2]),), **options}
        self.options["activation"] = activation

    @classmethod
    def of(cls, op: str, case: Case, seed: int = 0, **more: Any) -> Problem:
        shape = (1, *case.kernel, case.channels) if op == "depthwise" else (case.outputs, *case.kernel, case.channels)
        return cls(op, (case.batch, *case.image, case.channels), shape, case.options, seed, bias=case.bias, **more)

    @property
    def packed(self) -> Any:
        prepare = FAST[self.op].__dict__["prepare"]
        more = {} if self.op == "linear" else {"activation": self.options["activation"]}
        return prepare(self.w, inputs=self.inputs, outputs=self.options["outputs"], **more)

    def plain(self) -> Array:
        return PLAIN[self.op](self.x, self.w, self.b, **self.options)

    def fast(self, fill: int = 99) -> Array:
        """With nonsense around the arguments, and for weights: only their shape may matter."""
        packed, other = self.packed, np.full_like(self.w, 55)
        assert packed is not None
        x, b = surrounded(self.x, fill), None if self.b is None else surrounded(self.b, fill)
        return FAST[self.op](x, other, b, **self.options, packed=packed)


def same(problem: Problem) -> Array:
    """The result, which must be the definition's."""
    expected, found = problem.plain(), problem.fast()
    assert found.dtype == I8
    np.testing.assert_array_equal(found, expected)
    return found


@EACH
@SHAPES
def test_every_bit_is_the_definitions(op: str, case: Case) -> None:
    number = CASES.index(case)
    same(Problem.of(op, case, number, each=number % 3 > 0, activation=ACTIVATIONS[number % 5 % 4]))


@EACH
def test_the_cases_make_every_number(op: str) -> None:
    assert len(np.unique(np.concatenate([Problem.of(op, case).plain().ravel() for case in CASES]))) == 256


@EACH
@pytest.mark.parametrize("fine", [3e-11, 1e-6, 2e-3, 0.1, 30, 1e9])  # from shifts to the left to all but nothing
def test_every_change_of_scale(op: str, fine: float) -> None:
    left, right = (Problem.of(op, ONE, fine=f).packed.scales.rows.reshape(5, -1)[n, 0] for f, n in ((1e-6, 0), (30, 2)))
    assert left > 0
    assert right > 0
    same(Problem.of(op, ONE, fine=fine))
    same(Problem.of(op, ONE._replace(bias=False), fine=fine, zeros=(127, 0, -128)))


@EACH
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(op: str, activation: str) -> None:
    """At a scale at which all of them cut."""
    problem = Problem.of(op, ONE, activation=activation)
    found = same(problem)
    if activation != "NONE":
        problem.options["activation"] = "NONE"
        assert (problem.plain() != found).any()


WINDOW = st.integers(1, 4)


@given(
    st.sampled_from(["conv", "depthwise"]), st.tuples(WINDOW, WINDOW), st.tuples(WINDOW, WINDOW), st.integers(1, 3),
    st.sampled_from(["SAME", "VALID"]), st.integers(1, 3), st.tuples(st.integers(1, 12), st.integers(1, 40)),
    st.integers(1, 70), st.integers(1, 70), st.booleans(), st.integers(0, 2**32),
    st.tuples(*[st.integers(-128, 127)] * 2), st.floats(-30, 30), st.sampled_from(ACTIVATIONS),
)  # fmt: skip
def test_drawn_convolutions(
    op: str, kernel: Any, stride: Any, dilation: int, padding: str, batch: int, image: Any, channels: int, outputs: int,
    bias: bool, seed: int, zeros: tuple[int, int], logarithm: float, activation: str,
) -> None:  # fmt: skip
    reach = [(k - 1) * dilation + 1 for k in kernel]
    image = tuple(max(n, r) for n, r in zip(image, reach, strict=True)) if padding == "VALID" else image
    case = Case(kernel, stride, dilation, padding, batch, image, channels, outputs, bias)
    same(Problem.of(op, case, seed, fine=2.0**logarithm, zeros=(zeros[0], 0, zeros[1]), activation=activation))


def addends(shape: tuple[int, ...], seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    a, b = (surrounded(rng.integers(-128, 128, shape).astype(I8), 99) for _ in range(2))
    return a, b


ADDED: dict[str, Any] = {
    "inputs": tuple(tensor(np.zeros(1, I8), s, z) for s, z in ((0.05, -7), (0.03, 9))),
    "outputs": (tensor(np.zeros(1, I8), 0.07, 4),),
}


def _rooms(monkeypatch: pytest.MonkeyPatch, fill: int) -> list[Array]:
    """What ``np.empty`` makes from now on, with 64 numbers before and behind it."""
    rooms: list[Array] = []

    def guarded(shape: tuple[int, ...], dtype: Any) -> Array:
        rooms.append(np.full(int(np.prod(shape)) + 128, fill, dtype))
        return rooms[-1][64:-64].reshape(shape)

    monkeypatch.setattr(np, "empty", guarded)
    return rooms


def _problems() -> Iterator[Callable[[], Array]]:
    for case in CASES[::3]:
        yield Problem.of("conv", case).fast
        yield Problem.of("depthwise", case).fast
    yield Problem("linear", (3, 33), (35, 33), {}).fast
    yield partial(pairs.add, *addends((3, 5, 7)), **ADDED)


PROBLEMS = pytest.mark.parametrize("run", list(_problems()))


@PROBLEMS
@pytest.mark.parametrize("name", ["WORTH", "TERMS"])
def test_is_the_same_in_parts(name: str, run: Callable[[], Array], monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared between threads, and one after the other."""
    whole = run()
    monkeypatch.setattr(threads, name, 1)
    token = ALLOWED.set(Allowance(threads=3 if name == "WORTH" else 1))
    try:
        np.testing.assert_array_equal(run(), whole)
    finally:
        ALLOWED.reset(token)


@PROBLEMS
def test_writes_all_of_its_result_and_nothing_else(run: Callable[[], Array], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run()
    for fill in (77, -77):
        with monkeypatch.context() as m:
            rooms = _rooms(m, fill)
            found = run()
        np.testing.assert_array_equal(found, expected)
        assert len(rooms) == 1
        assert (rooms[0][:64] == fill).all()
        assert (rooms[0][-64:] == fill).all()


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("shape", "outputs"), [((1, 1280), 10), ((3, 4, 33), 33), ((7, 5), 1), ((20, 64), 100)])
def test_fully_connected(shape: tuple[int, ...], outputs: int, each: bool, keep: bool) -> None:
    for activation, bias in (("NONE", True), ("RELU6", False)):
        problem = Problem(
            "linear", shape, (outputs, shape[-1]), {"keep_num_dims": keep}, each=each, bias=bias, activation=activation
        )
        if not each:  # the definition holds the bias's scale against the products'
            assert same(problem).shape == (*shape[:-1], outputs) if keep else (np.prod(shape[:-1]), outputs)
        same(problem)


def test_weights_whose_sums_may_not_fit_are_the_definitions() -> None:
    deepest = (2**31 - 1) // (255 * 128)
    for depth in (deepest, deepest + 1):
        problem = Problem("linear", (1, depth), (1, depth), {}, each=False, zeros=(127, 0, 0), bias=False)
        problem.x[:] = problem.w[:] = -128
        assert (problem.packed is None) == (depth > deepest)
        expected = problem.plain()
        assert np.array_equal(linear.fully_connected(problem.x, problem.w, **problem.options), expected)
        if problem.packed is not None:
            assert np.array_equal(problem.fast(), expected)


@given(
    st.sampled_from([1, PANEL - 1, PANEL, PANEL + 1, 3 * PANEL + 5, 1000]), st.integers(0, 2**32),
    st.tuples(*[st.floats(-12, 12)] * 3), st.tuples(*[st.integers(-128, 127)] * 3), st.sampled_from(ACTIVATIONS),
)  # fmt: skip
def test_sums(size: int, seed: int, logarithms: Any, zeros: Any, activation: str) -> None:
    one, two, made = (tensor(np.zeros(1, I8), 2.0**n, z) for n, z in zip(logarithms, zeros, strict=True))
    options: dict[str, Any] = {"inputs": (one, two), "outputs": (made,), "activation": activation}
    a, b = addends((size,), seed)
    np.testing.assert_array_equal(pairs.add(a, b, **options), sums.add(a, b, **options))


def test_sums_of_every_two_numbers() -> None:
    every = np.arange(-128, 128).astype(I8)
    a, b = np.repeat(every, 256), np.tile(every, 256)
    np.testing.assert_array_equal(pairs.add(a, b, **ADDED), sums.add(a, b, **ADDED))


def test_broadcast_sums_are_the_definitions() -> None:
    a, b = addends((40, 40))
    for two in (b[:1], b[0], b[:, :1]):
        np.testing.assert_array_equal(pairs.add(a, two, **ADDED), sums.add(a, two, **ADDED))
    with pytest.raises(ValueError, match="broadcast"):
        pairs.add(a, b[:3], **ADDED)


@numba.njit
def _rescale(x: Array, rows: Array, y: Array) -> None:
    for i in range(0, x.size, WIDTH):
        n = x.size
        made = rescaled(
            load(x, i), load(rows, i), load(rows, n + i), load(rows, 2 * n + i), load(rows, 3 * n + i),
            load(rows, 4 * n + i),
        )  # fmt: skip
        keep(y, i, made)


def test_a_change_of_scale_is_fixed_point_s_multiply() -> None:
    """Every shift, numbers around each power of two and at the ends, mantissas at theirs: halves of both roundings."""
    powers = 2 ** np.arange(32)
    numbers = np.concatenate([s * (powers + d) for s in (-1, 1) for d in (-1, 0, 1)])
    x = np.unique(np.clip(numbers, -(2**31), 2**31 - 1))
    mantissas = np.array([0, 2**30, 2**30 + 1, 3 * 2**29, 2**31 - 1, 1518500250])
    x, mantissa, shift = (a.reshape(-1) for a in np.meshgrid(x, mantissas, np.arange(-31, 32)))
    by, room = Multiplier(mantissa, shift), -x.size % WIDTH
    rows = np.array([np.pad(p, (0, room)) for p in parts(by)]).astype(I32)
    y = np.zeros(x.size + room, I32)
    _rescale(np.pad(x, (0, room)).astype(I32), rows.reshape(-1), y)
    np.testing.assert_array_equal(y[: x.size], multiply(x, by))


def test_groups_and_multipliers_are_the_definitions() -> None:
    window: dict[str, Any] = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    for op, w in ("conv", (12, 3, 3, 2)), ("depthwise", (1, 3, 3, 12)):
        problem = Problem(op, (1, 5, 5, 6), w, window)
        found = FAST[op](problem.x, problem.w, problem.b, **problem.options, packed=problem.packed)
        np.testing.assert_array_equal(found, problem.plain())


@EACH
def test_refuses_what_the_definition_refuses(op: str) -> None:
    problem = Problem.of(op, ONE)
    x, w, b = problem.x, problem.w, problem.b
    assert b is not None
    packed, options = problem.packed, {**problem.options, "padding": "VALID"}
    for wrong in [(x, w, b[:5]), (x, w, b.astype(np.int64)), (x[..., :17], w, b), (x[0], w, b), (x[:, :2], w, b)]:
        for function, more in ((PLAIN[op], {}), (FAST[op], {"packed": packed})):
            with pytest.raises((ValueError, IndexError, ZeroDivisionError)):
                function(*wrong, **options, **more)


@EACH
def test_what_is_no_int8_is_left_to_the_definition(op: str) -> None:
    """Zero points, of filters too, which would take them out of it; other types."""

    def packed(x: Any = -7, w: Any = 0, y: Any = 5, each: bool = False) -> Any:
        return Problem.of(op, ONE, zeros=(x, w, y), each=each).packed

    assert packed() is not None
    assert packed(each=True) is not None
    for wrong in ({"x": 128}, {"x": -129}, {"w": 1}, {"y": 2**40}, {"each": True, "w": 1}):
        assert packed(**wrong) is None
    problem = Problem.of(op, ONE, each=False, zeros=(-7, 3, 5))
    np.testing.assert_array_equal(FAST[op](problem.x, problem.w, problem.b, **problem.options), problem.plain())
    problem = Problem.of(op, ONE)
    problem.w = problem.w.astype(np.int16)
    assert problem.packed is None
