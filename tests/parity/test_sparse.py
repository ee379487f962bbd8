"""Sparse constants against LiteRT: as TensorFlow's converter prunes them, and in layouts made by hand.

LiteRT's reference kernels alone: XNNPACK takes the values that are stored for a dense constant, and reads past them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.parity.cases.quantized import I8, bias, out, stored
from tests.parity.operators import Array, Case, Given, case, check, content, litert, name, normal, weights
from tests.parity.sparse import Layout, layout
from tflite_transfer.diagnostics.bounds import Terms
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.errors import ModelError

F32 = np.float32
LAYOUTS = (
    ((7,), layout([0], [0])), ((4, 6), layout([0, 1], [1])), ((4, 6), layout([1, 0], [1])),
    ((4, 6), layout([0, 1], [0, 1])), ((4, 6), layout([0, 1], [0])), ((4, 6), layout([0, 1], [])),
    ((4, 8), layout([0, 1, 2], [1], {1: 4})), ((4, 6), layout([1, 0, 2, 3], [0, 1], {0: 2, 1: 3})),
    ((4, 6), layout([0, 1, 3, 2], [1], {0: 2, 1: 3})), ((2, 3, 4, 5), layout([0, 1, 2, 3], [3])),
    ((2, 3, 4, 5), layout([3, 0, 2, 1], [1, 3])),
)  # fmt: skip


def pruned(dtype: Any, *shape: int, made: Layout, scale: Any = None) -> Given:
    """Weights of which three in ten stay, or as many blocks."""
    rng = np.random.default_rng([5, *shape])
    blocks = [made.blocks.get(a, 1) for a in range(len(shape))]
    stay = rng.random([n // b for n, b in zip(shape, blocks, strict=True)]) < 0.3
    stay.flat[0] = True
    for axis, b in enumerate(blocks):
        stay = stay.repeat(b, axis)
    values = rng.normal(size=shape) if np.dtype(dtype).kind == "f" else rng.integers(-128, 128, shape)
    return Given((values * stay).astype(dtype), True, scale, layout=made)


def cases() -> Iterator[Case]:
    """LiteRT has products of its own for rows of single numbers, blocks of 4 floats, and blocks of 16 bytes."""
    for shape, made in LAYOUTS:
        for d, kind in ((F32, "FLOAT32"), (np.float16, "FLOAT16"), (I8, "INT8")):
            yield case("DENSIFY", pruned(d, *shape, made=made), kind=kind)
    scales = 0.02 * np.linspace(0.3, 1.7, 4)
    yield case("DENSIFY", pruned(I8, 4, 6, made=layout([0, 1], [1]), scale=scales), out=out(I8, 0.02))
    for made in (layout([0, 1], [1]), layout([0, 1, 2], [1], {1: 4})):
        x, w, rule = normal(3, 48), pruned(F32, 5, 48, made=made), Terms(4)  # 1.7
        yield case("FULLY_CONNECTED", x, w, rule=rule)
        yield from (case("FULLY_CONNECTED", x, w, weights(5), rule=rule, fused_activation_function=n) for n in (0, 1))
    y, w = stored(I8, 3, 48, zero=5), pruned(I8, 8, 48, made=layout([0, 1, 2], [1], {1: 16}), scale=F32(0.02))
    yield case("FULLY_CONNECTED", y, w, bias(y, w, 8), out=out(I8, 0.2, -3))


@pytest.mark.parametrize("made", list(cases()), ids=name)
def test_zeros_are_where_litert_has_them(made: Case) -> None:
    data, given = content(made)
    ours, theirs = Interpreter(data).call(*given)[0], litert(data, given, "reference")[0]
    check(ours, theirs, made.bound("reference", ours), made.outputs[0].kind)
    if made.opcode == "DENSIFY":
        np.testing.assert_array_equal(ours, made.values[0])


def test_a_file_that_was_read_and_written_again_is_as_sparse() -> None:
    data, _ = content(next(cases()))
    again = write(read(data))
    assert again == write(read(again))
    np.testing.assert_array_equal(Interpreter(again).call()[0], Interpreter(data).call()[0])
    assert read(again).main.tensors[0].extra["sparsity"]["dim_metadata"][0]["format"] == 1


def test_what_is_dense_or_no_constant_is_not_densified() -> None:
    for given in (Given(normal(3, 4), in_file=True), normal(3, 4)):
        data, values = content(case("DENSIFY", given, kind="FLOAT32"), shape=(3, 4))
        with pytest.raises(ModelError, match="DENSIFY on what is not sparse"):
            Interpreter(data)
        with pytest.raises(RuntimeError):
            litert(data, values, "reference")


def converted(way: str) -> bytes:
    """Two layers, of which the first keeps a fifth of its weights."""
    tf: Any = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    w = rng.normal(size=(64, 48)).astype(F32) * (rng.random((64, 48)) < 0.2)
    v = rng.normal(size=(48, 16)).astype(F32)
    v *= (rng.random((48, 4)) < 0.2).repeat(4, axis=1)

    @tf.function(input_signature=[tf.TensorSpec([2, 64])])
    def network(x: Any) -> Any:
        return tf.nn.relu(x @ w.astype(F32)) @ v

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    if way != "float32":
        converter.optimizations.append(tf.lite.Optimize.DEFAULT)
    if way == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if way == "int8":
        converter.representative_dataset = lambda: ([normal(2, 64, seed=n)] for n in range(4))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


@pytest.mark.tensorflow
@pytest.mark.parametrize(("way", "bound"), [("float32", 1.5e-7), ("float16", 1.5e-7), ("dynamic", 0.01), ("int8", 0)])
def test_what_tensorflow_prunes_agrees_with_litert(way: str, bound: float) -> None:
    """To float32's rounding: 6e-8; of dynamic range as far as LiteRT rounds its inputs, 0.005; of int8 to the bit."""
    data = converted(way)
    model, x = read(data), normal(2, 64, seed=9)
    sparse = [t for t in model.main.tensors if t.extra.get("sparsity")]
    assert len(sparse) == 2
    assert all(t.data is not None and t.data.nbytes < 0.5 * np.prod(t.shape) * t.dtype.itemsize for t in sparse)
    assert any(o.opcode == "DENSIFY" for o in model.main.operators)
    ours, theirs = Interpreter(data).call(x)[0], litert(data, [x], "reference")[0]
    assert np.abs(ours - theirs).max() <= bound * np.abs(theirs).max()
    if way != "int8":
        wide: Array = Interpreter(data, precision="float64").call(x)[0]
        assert wide.dtype == np.float64
        assert np.abs(ours - wide).max() < 1e-6 * np.abs(wide).max()
