"""What the interpreter refuses, and how it says so: graphs that it cannot run, and inputs that do not fit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tflite_transfer.reference.constants import widen
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import Model, Operator, Quantization, Signature
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError, ShapeError, UnsupportedOpError

X = np.zeros((2, 3), np.float32)


def chain(*opcodes: str, kind: str = "FLOAT32", **options: Any) -> GraphBuilder:
    """x (any, 3) through one operator after the other."""
    g = GraphBuilder()
    y = g.input("x", (-1, 3), kind)
    for n, opcode in enumerate(opcodes):
        y = g.op(opcode, [y], f"y{n}", (-1, 3), kind, **options)
    g.output("y", y)
    return g


def test_all_missing_operators_are_named_at_once():
    g = chain("SKIP_GRAM", "RELU", "CONCAT_EMBEDDINGS", "SKIP_GRAM")
    g.operators.append(Operator("CUSTOM", (0,), (g.tensor("z", (3,)),), custom_code="FlexErf"))
    with pytest.raises(
        UnsupportedOpError,
        match=r"^the model needs 3 operator\(s\) that the NumPy backend does not have: "
        r"CONCAT_EMBEDDINGS, FlexErf, SKIP_GRAM\. Run it with the TFLite backend \(--backend tflite\), "
        r"or add them to reference/ops/table\.py\.$",
    ) as e:
        Interpreter(g.model("run"))
    assert e.value.missing == ("CONCAT_EMBEDDINGS", "FlexErf", "SKIP_GRAM")


def missing(model: Model) -> tuple[str, ...]:
    with pytest.raises(UnsupportedOpError) as e:
        Interpreter(model)
    return e.value.missing


@pytest.mark.parametrize(
    ("activation", "named"),
    [(4, "TANH"), (5, "SIGN_BIT")],
)
def test_an_activation_that_is_not_fused_here_is_named(activation, named):
    g = GraphBuilder()
    x = g.input("x", (-1, 3))
    g.output("y", g.op("ADD", [x, x], "y", (-1, 3), fused_activation_function=activation))
    assert missing(g.model("run")) == (f"ADD with activation {named}",)


def test_an_option_that_the_function_does_not_take_is_named_if_it_is_set():
    g = chain("NEG")
    g.operators[0] = replace(g.operators[0], options={"axis": 0})
    Interpreter(g.model("run"))
    g.operators[0] = replace(g.operators[0], options={"axis": 2, "unknown": [7]})
    assert missing(g.model("run")) == ("NEG with axis=2", "NEG with unknown=[7]")


def test_options_of_quantised_kernels_change_nothing():
    g = chain("FULLY_CONNECTED")
    weights = g.constant("w", np.eye(3, dtype=np.float32))
    options = {"asymmetric_quantize_inputs": True, "quantized_bias_type": 2}
    g.operators[0] = replace(g.operators[0], inputs=(0, weights), options=options)
    np.testing.assert_array_equal(Interpreter(g.model("run")).run(x=X + 1)["y0"], X + 1)


@pytest.mark.parametrize("kind", ["INT8", "UINT8", "INT16"])
def test_quantised_activations_are_named(kind):
    g = chain("SIN", kind=kind)
    quantization = Quantization(np.ones(1, np.float32), np.zeros(1, np.int64))
    g.tensors[0] = replace(g.tensors[0], quantization=quantization)
    assert missing(g.model("run")) == (f"SIN on quantised {kind.lower()}",)


def test_texts_are_named_where_an_operator_does_not_take_them():
    assert missing(chain("NEG", kind="STRING").model("run")) == ("NEG on string",)


@pytest.mark.parametrize("kind", ["INT4", "BFLOAT16", "TYPE_99"])
def test_types_that_numpy_does_not_have_are_named(kind):
    assert missing(chain("NEG", kind=kind).model("run")) == (
        f"NEG on {kind.lower()}",
        f"input or output of type {kind.lower()}",
    )


def test_sparse_weights_are_named():
    g = chain("NEG")
    g.tensors[0] = replace(g.tensors[0], extra={"sparsity": {"traversal_order": np.zeros(1, np.int32)}})
    assert missing(g.model("run")) == ("NEG on sparse float32",)


def test_an_operator_that_fails_names_its_place_and_shapes():
    g = chain("NEG")
    y = g.op("BATCH_MATMUL", [0, g.constant("w", X)], "y", (2, 3))
    g.output("y", y)
    with pytest.raises(
        ModelError, match=r"^the model: operator 1 \(BATCH_MATMUL\) cannot run on shapes \[\(2, 3\), \(2, 3\)\]: ."
    ):
        Interpreter(g.model("run")).run(x=X)


def test_a_window_larger_than_the_image_is_refused():
    window = {"padding": 1, "stride_h": 1, "stride_w": 1, "filter_height": 3, "filter_width": 2}
    g = GraphBuilder()
    g.output("y", g.op("MAX_POOL_2D", [g.input("x", (1, 2, 2, 1))], "y", (1, 0, 1, 1), **window))
    with pytest.raises(ModelError, match=r"a window of 3 pixels does not fit into 2$"):
        Interpreter(g.model("run")).run(x=np.zeros((1, 2, 2, 1), np.float32))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "the model takes ['x'], but was given []."),
        ({"z": X}, "the model takes ['x'], but was given ['z']."),
        ({"x": X, "z": X}, "the model takes ['x'], but was given ['x', 'z']."),
        ({"x": X[0]}, "x must have shape ('any', 3), but has (3,)."),
        (
            {"x": X.T},
            "x must have shape ('any', 3), but has (3, 2); Interpreter(resize=True), or run --resize, takes",
        ),
        ({"x": np.array([["a", "b", "c"]])}, "x must be float32, but is <U1."),
        ({"x": X.astype(complex)}, "x must be float32, but is complex128."),
        ({"x": None}, "x must be float32, but is object."),
    ],
)
@pytest.mark.parametrize("signature", [None, "run"])
def test_inputs_that_do_not_fit_are_refused(given, message, signature):
    with pytest.raises(ShapeError, match=re.escape(message)):
        Interpreter(chain("NEG").model("run")).run(signature, **given)


@pytest.mark.parametrize("value", [X.tolist(), X.astype(np.float64), X.astype(np.int64), X.astype(bool)])
def test_other_numbers_are_taken_as_the_input_s_type(value):
    assert Interpreter(chain("NEG").model("run")).run(x=value)["y0"].dtype == np.float32


def test_numbers_with_a_fraction_are_no_integers():
    with pytest.raises(ShapeError, match=r"^x must be int32, but is float32\.$"):
        Interpreter(chain("NEG", kind="INT32").model("run")).run(x=X)


def test_a_signature_that_is_not_there_is_refused():
    with pytest.raises(ModelError, match=r"^the model has no signature 'walk'; it has \['run'\]\.$"):
        Interpreter(chain("NEG").model("run")).run("walk", x=X)


def test_a_signature_that_leaves_out_an_input_of_its_graph_cannot_run():
    interpreter = Interpreter(replace(chain("NEG").model("run"), signatures=(Signature("run", {}, {"y": 1}),)))
    with pytest.raises(ModelError, match=r"^the model: the names \[\] and \['y'\] do not fit its graph\.$"):
        interpreter.run("run")


def test_two_inputs_of_one_name_cannot_be_told_apart():
    g = chain("NEG")
    g.inputs["again"] = g.tensor("x", (3,))
    with pytest.raises(ModelError, match=r"the names \['x'\] and \['y0'\] do not fit its graph"):
        Interpreter(g.model("run")).run(x=X)


def test_what_depends_on_no_input_is_computed_once():
    g = GraphBuilder()
    y = g.constant("c", np.array([1, 2, 3], np.float32))
    for n in range(3):
        y = g.op("NEG", [y], f"y{n}", (3,))
    g.output("sum", g.op("ADD", [g.input("x", (-1, 3)), y], "sum", (-1, 3)))
    interpreter = Interpreter(g.model("run"))
    assert [s.operator.opcode for s in interpreter.plans[0].steps] == ["ADD"]
    np.testing.assert_array_equal(interpreter.run(x=X)["sum"], [[-1, -2, -3]] * 2)


def test_a_result_may_be_changed_without_changing_the_next():
    g = GraphBuilder()
    g.output("y", g.op("NEG", [g.constant("c", np.ones(3, np.float32))], "y", (3,)))
    interpreter = Interpreter(g.model("run"))
    interpreter.run()["y"] += 5
    np.testing.assert_array_equal(interpreter.run()["y"], [-1, -1, -1])


@pytest.mark.parametrize(
    ("scale", "zero", "axis", "expected"),
    [
        ([0.5], [0], 0, [[-64, 0.5], [1, 63.5]]),
        ([0.5], [2], 1, [[-65, -0.5], [0, 62.5]]),
        ([1, 2], [0, 3], 0, [[-128, 1], [-2, 248]]),
        ([1, 2], [0, 3], 1, [[-128, -4], [2, 248]]),
    ],
)
def test_quantised_constants_are_widened_along_their_axis(scale, zero, axis, expected):
    stored = np.array([[-128, 1], [2, 127]], np.int8)
    wide = widen(stored, Quantization(np.array(scale, np.float32), np.array(zero), axis))
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide, expected)
