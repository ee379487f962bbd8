"""What no gradient goes through is named, with its layer and with what would serve instead."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity.operators import fixed, normal
from tests.unit.gradients.differentiated import Derivative, differentiated, of
from tflite_transfer.converter.expressions import Graph, total
from tflite_transfer.converter.gradients import pull_back
from tflite_transfer.converter.gradients.missing import check_alone
from tflite_transfer.reference.tflite.errors import UnsupportedOpError
from tflite_transfer.reference.tflite.graph import Operator

ROWS = np.array([1, 0], np.int32)
FORMS = [  # operators that have a gradient, but not in this form
    (of("GATHER", normal(3, 4), fixed([1, 2]), axis=1), "GATHER at 'y0': along another axis"),
    (of("GATHER", normal(2, 4), ROWS, batch_dims=1, axis=1), "GATHER at 'y0': along another axis"),
    (
        of("CONV_2D", normal(2, 5, 5, 4), normal(4, 3, 3, 2), normal(4), padding=0, stride_h=1, stride_w=1),
        "CONV_2D at 'y0': in groups it has none; instead: one convolution for each group",
    ),
    (
        of("STRIDED_SLICE", normal(2, 5), fixed((0, 4)), fixed((2, 0)), fixed((1, -1))),
        "STRIDED_SLICE at 'y0': with an ellipsis, a new axis or a negative stride",
    ),
    (
        of("STRIDED_SLICE", normal(2, 5), fixed((0, 0)), fixed((2, 5)), fixed((1, 1)), new_axis_mask=2),
        "STRIDED_SLICE at 'y0': with an ellipsis, a new axis or a negative stride",
    ),
    (of("TRANSPOSE", normal(3, 4), ROWS), "TRANSPOSE at 'y0': it has none where the file does not fix 'x1'"),
    (of("SUM", normal(3, 4), ROWS[:1], keep_dims=False), "SUM at 'y0': it has none where the file does not fix 'x1'"),
    (of("PAD", normal(3, 4), np.ones((2, 2), np.int32)), "PAD at 'y0': it has none where the file does not fix 'x1'"),
]


@pytest.mark.parametrize(("case", "told"), FORMS)
def test_a_form_without_a_gradient_is_named(case: Derivative, told: str) -> None:
    with pytest.raises(UnsupportedOpError, match=r"no gradient goes through 1 operator\(s\): ") as e:
        differentiated(case, free=False)
    assert told in str(e.value)
    assert "--trainable last:N" in str(e.value)
    assert e.value.missing == (case.case.opcode,)


def network() -> tuple[Graph, int, int]:
    """y of x: two operators without a rule one behind the other, a third beside them that x does not move."""
    g = Graph()
    x = g.argument("x", (-1, 4))
    padded = g.write("MIRROR_PAD", [x, g.literal(np.array([[0, 0], [1, 1]], np.int32))], (-1, 6), mode=0).named("edge")
    product = g.write("REDUCE_PROD", [padded, g.literal(1, "INT32")], (-1,), keep_dims=False).named("odds")
    beside = g.write("REDUCE_PROD", [g.argument("z", (4,)), g.literal(0, "INT32")], (), keep_dims=False)
    return g, x.number, total(product * beside, [0]).number


def test_all_of_them_are_named_at_once_and_no_others() -> None:
    graph, x, y = network()
    with pytest.raises(UnsupportedOpError) as e:
        pull_back(graph, {y: graph.literal(1.0)}, [x])
    assert str(e.value) == (
        "no gradient goes through 2 operator(s): REDUCE_PROD at 'odds' (instead: the exponential of a sum of "
        "logarithms); MIRROR_PAD at 'edge' (instead: padding with zeros). Freeze the layers before them (--trainable "
        "last:N), or build the network of what docs/layers.md lists."
    )
    assert e.value.missing == ("MIRROR_PAD", "REDUCE_PROD")


def test_what_the_loss_does_not_depend_on_needs_no_rule() -> None:
    graph, x, _ = network()
    y = graph[x] * 2.0
    found = pull_back(graph, {y.number: graph.literal(np.ones((1, 4), np.float32))}, [x])
    assert list(found) == [x]


def test_what_a_file_cannot_hold_is_named() -> None:
    graph, x, _ = network()
    state = graph.tensor("state", (-1, 4))
    graph.operator("WHILE", [x], [state], cond_subgraph_index=1, body_subgraph_index=2)
    graph.operators.append(Operator("CUSTOM", (x,), (graph.tensor("noise", (-1, 4)),), custom_code="FlexNoise"))
    with pytest.raises(UnsupportedOpError) as e:
        check_alone(graph, "net.tflite")
    assert str(e.value) == (
        "a training file cannot hold 2 operator(s) of net.tflite: WHILE at 'state' (instead: a recurrent layer with "
        "unroll=True); FlexNoise at 'noise'. docs/layers.md lists what trains, in float32."
    )
    assert e.value.missing == ("FlexNoise", "WHILE")
