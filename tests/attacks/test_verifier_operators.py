"""One corrupted operator for each rule of what operators must have; each says what it tried."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.attacks.test_verifier import changed, check_refused
from tests.parity.test_control import branches, counter
from tflite_transfer.reference.tflite import Model, Quantization, write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.texts import packed


def window(opcode: str, **options: int) -> Model:
    """An operator with a window of 2 x 2, and other options."""
    g = GraphBuilder()
    inputs = [g.input("x", (1, 4, 4, 3))]
    usual = {"padding": 0, "stride_h": 1, "stride_w": 1}
    if "POOL" in opcode:
        usual |= {"filter_height": 2, "filter_width": 2}
    else:
        inputs += [g.constant("w", np.ones((1, 2, 2, 3), np.float32)), g.constant("b", np.ones(1, np.float32))]
    g.output("y", g.op(opcode, inputs, "y", (1, 4, 4, 3), **usual | options))
    return g.model("run")


def one(opcode: str, *inputs: Any, kind: str = "FLOAT32", outputs: int = 1, **options: Any) -> Model:
    """One operator; its inputs are constants, or shapes of what is given."""
    g = GraphBuilder()
    numbers = [g.input(f"x{n}", i) if isinstance(i, tuple) else g.constant(f"c{n}", i) for n, i in enumerate(inputs)]
    made = [g.tensor(f"y{n}", (1,), kind) for n in range(outputs)]
    g.operator(opcode, numbers, made, **options)
    for n, i in enumerate(made):
        g.output(f"y{n}", i)
    return g.model("run")


def axis(*values: int) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 else values, np.int32)


def tensor(model: Model, number: int, **fields: Any) -> Model:
    """With other fields of a tensor of the first sub-graph."""
    tensors = list(model.main.tensors)
    tensors[number] = replace(tensors[number], **fields)
    return replace(model, subgraphs=(replace(model.main, tensors=tuple(tensors)), *model.subgraphs[1:]))


def stored(*scales: float, zero: int = 0, kind: str = "INT8") -> Model:
    """An addition of stored integers, by these scales."""
    given = Quantization(np.array(scales, np.float32), np.full(len(scales), zero)) if scales else None
    fine = Quantization(np.ones(1, np.float32), np.zeros(1, np.int64))
    model = one("ADD", (3,), (3,), kind=kind)
    for number, quantization in ((0, given), (1, fine), (2, fine)):
        model = tensor(model, number, type=kind, quantization=quantization)
    return model


def lstm(without: int = 0, **options: Any) -> Model:
    """An LSTM of one unit."""
    g = GraphBuilder()
    one, unit = g.constant("w", np.ones((1, 1), np.float32)), g.constant("b", np.ones(1, np.float32))
    states = [g.tensor(name, (1, 1), is_variable=True) for name in "hc"]
    inputs = [g.input("x", (1, 1)), *[one] * 8, *[-1] * 3, *[unit] * 4, *[-1] * 2, *states]
    inputs[without] = -1 if without else inputs[0]
    g.output("y", g.op("LSTM", inputs, "y", (1, 1), **options))
    return g.model("run")


def with_clip(clip: float) -> Model:
    return lstm(cell_clip=clip, fused_activation_function=4)


def resource(opcode: str) -> Model:
    """An operator on the resource itself, where it takes a value."""
    return changed(counter(), "READ_VARIABLE", lambda _, o: replace(o, opcode=opcode, options_table="NONE"))


HOSTILE = {
    # an operator's tensors
    "an operator without its second input": (
        one("MUL", (3,)),
        r"operator 0 \(MUL\) has the tensors 'T>T' and must .* 'tt>t'",
    ),
    "an operator whose second input is left out": (
        changed(write(one("MUL", (3,), (3,))), "MUL", lambda _, o: replace(o, inputs=(0, -1))),
        "has the tensors 'T->T'",
    ),
    "an operator with an input too many": (one("MUL", (3,), (3,), (3,)), "has the tensors 'TTT>T'"),
    "an operator with an output too many": (one("NEG", (3,), outputs=2), "has the tensors 'T>TT' and must have 't>t'"),
    "an operator without its output": (
        changed(branches(), "NEG", lambda _, o: replace(o, outputs=())),
        r"sub-graph 1, operator 0 \(NEG\) has the tensors '1>'",
    ),
    "an addition of numbers of two types": (one("ADD", (3,), axis(1)), "has the tensors 'T1>T'"),
    "an operator on a resource": (resource("NEG"), "has the tensors 'r>T'"),
    "a variable that is read from a number": (one("READ_VARIABLE", (3,)), "has the tensors 'T>T' and must have 'r>x'"),
    "texts where numbers belong": (
        tensor(one("TOPK_V2", (3,), axis(1), outputs=2), 1, type="STRING", data=packed(np.array([b"a"], object))),
        "has the tensors 'Ts>TT'",
    ),
    "five axes where one belongs": (
        one("CUMSUM", (3,), axis(0, 0, 0, 0, 0)),
        "has the tensors 'Tx>T' and must have 't1>t'",
    ),
    "a split without its axis": (
        one("SPLIT", np.zeros(0, np.int32), (4,), outputs=2, num_splits=2),
        "has the tensors 'xT>TT'",
    ),
    "an LSTM without the bias of a gate": (lstm(without=13), "has the tensors 'TTTTTTTTT---T-TT--TT>T'"),
    "a TensorFlow kernel without its second input": (
        changed(write(one("NEG", (3,))), "NEG", lambda _, o: replace(o, opcode="CUSTOM", custom_code="FlexReluGrad")),
        r"operator 0 \(FlexReluGrad\) has the tensors 'T>T' and must have 'tt>t'",
    ),
    "a reduction by a sub-graph that is not there": (
        one("STABLEHLO_REDUCE_WINDOW", (3,), np.float32(0), body_subgraph_index=7),
        "runs sub-graph 7, and there are 1",
    ),
    # options
    "the options of another operator": (
        changed(
            write(window("CONV_2D")),
            "CONV_2D",
            lambda _, o: replace(o, options={"axis": 0}, options_table="GatherOptions"),
        ),
        "has the options of another operator, GatherOptions",
    ),
    "a convolution without options": (
        changed(write(window("CONV_2D")), "CONV_2D", lambda _, o: replace(o, options={}, options_table="NONE")),
        "has stride_w=0.*, which must be from 1 to inf",
    ),
    **{
        f"{opcode} with {option}={value}": (
            window(opcode, **{option: value}),
            rf"operator 0 \({opcode}\) has {option}={value}, which must be from",
        )
        for opcode, option, value in (
            ("CONV_2D", "stride_h", 0),
            ("CONV_2D", "stride_w", -1),
            ("CONV_2D", "dilation_h_factor", 0),
            ("DEPTHWISE_CONV_2D", "dilation_w_factor", -1),
            ("DEPTHWISE_CONV_2D", "depth_multiplier", -1),
            ("CONV_2D", "padding", 2),
            ("CONV_2D", "padding", -1),
            ("CONV_2D", "fused_activation_function", 6),
            ("MAX_POOL_2D", "fused_activation_function", -1),
            ("MAX_POOL_2D", "filter_height", 0),
            ("AVERAGE_POOL_2D", "filter_width", -(2**31)),
        )
    },
    "blocks of no pixels": (one("SPACE_TO_DEPTH", (1, 4, 4, 1), block_size=0), "has block_size=0"),
    "a type that is none": (one("CAST", (3,), out_data_type=99), "has out_data_type=99, which must be from 0 to 18"),
    "a mode that is none": (one("MIRROR_PAD", (3,), np.zeros((1, 2), np.int32), mode=2), "has mode=2"),
    "a channel's neighbours without end": (
        one("LOCAL_RESPONSE_NORMALIZATION", (1, 2, 2, 4), radius=2**31 - 1),
        "has radius=2",
    ),
    "a negative number of neighbours": (one("LOCAL_RESPONSE_NORMALIZATION", (1, 2, 2, 4), radius=-1), "has radius=-1"),
    "numbers of one bit": (one("FAKE_QUANT", (3,), min=0.0, max=1.0, num_bits=1), "has num_bits=1, .* from 2 to 16"),
    "a clip that is no number": (with_clip(math.nan), "has cell_clip=nan, which must be from 0 to inf"),
    "an axis that is not there": (one("CONCATENATION", (2, 3), (2, 3), axis=2), "has axis 2 of 2 axes"),
    "an axis before the first": (one("GATHER", (2, 3), axis(0), axis=-3), "has axis -3 of 2 axes"),
    "a sum along an axis that is not there": (one("SUM", (2, 3), axis(0, 5)), "has axis 5 of 2 axes"),
    "a squeezed axis that is not there": (one("SQUEEZE", (1, 3), squeeze_dims=[3]), "has axis 3 of 2 axes"),
    "other parts than outputs": (
        one("SPLIT", axis(0), (4,), outputs=2, num_splits=3),
        "has num_splits=3, and there are 2",
    ),
    "other values than inputs": (
        one("PACK", (3,), (3,), axis=0, values_count=1),
        "has values_count=1, and there are 2",
    ),
    "a slice whose ends are missing": (
        one("STRIDED_SLICE", (3, 3), axis(0, 0), np.zeros(0, np.int32), axis(1, 1)),
        r"has constants of shapes \[\(0,\), \(2,\)\], which must be one",
    ),
    # constants and scales
    "texts that lie outside of their tensor": (
        tensor(one("NEG", (3,)), 0, type="STRING", data=np.array([1, 0, 0, 0, 12, 0, 0, 0, 99, 0, 0, 0], np.uint8)),
        "sub-graph 0, tensor 'x0' is no array of texts: a string tensor's offsets lie outside of it",
    ),
    "fewer texts than the shape says": (
        tensor(one("NEG", (3,)), 0, type="STRING", data=packed(np.array([b"a"], object))),
        "tensor 'x0' is no array of texts",
    ),
    **{
        f"a scale of {scale}": (stored(scale), f"tensor 'x0' has a scale of {scale}")
        for scale in (0.0, -1.0, math.inf, math.nan)
    },
    "a zero point that no int8 has": (stored(1.0, zero=128), "has zero points from 128 to 128, beyond INT8"),
    "stored integers without a scale": (stored(), "takes 'x0', which is INT8 without a scale"),
}


@pytest.mark.parametrize("tried", HOSTILE)
def test_a_hostile_operator_is_refused(tried: str) -> None:
    check_refused(*HOSTILE[tried])
