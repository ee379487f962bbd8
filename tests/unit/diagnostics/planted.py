"""Faults in training files: which is to be named, where, and by which number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from tests.small_networks import head
from tests.unit.diagnostics.wrong_files import (
    CROSS_ENTROPY,
    before_last,
    constant,
    corner,
    even,
    examples,
    five,
    forgetful,
    golden,
    kept,
    one,
    result,
    squares,
)
from tests.unit.diagnostics.wrong_rules import Faulty, LateAdam, UncorrectedAdam, scaled, stays, swapped
from tflite_transfer.converter.expressions import absolute, reverse, sign, sqrt, transpose, zeros_like
from tflite_transfer.converter.training.losses import Loss
from tflite_transfer.converter.training.optimizers import SGD, Adam, KerasAdam
from tflite_transfer.reference.tflite.trainable import Trainable


class Planted(NamedTuple):
    """A file, and what is to be found in it. ``number`` None: whatever it is."""

    id: str
    model: Callable[[], Trainable]
    name: str
    where: str
    number: float | None = None
    besides: tuple[str, ...] = ()  # what else is wrong with it
    said: str = ""  # a part of the sentence


WS, BS = 1, 2  # train_head's results; the loss is result 0
ADAM, RATE = Adam(0.01), SGD(0.1)
PLANTED = [
    # upstream's: the head has another training batch than the converter
    Planted("1/B of 10", partial(golden, "upstream_sgd", "train_head", constant(0.2, 0.1)), "wrong batch", "ws", 0.5),
    Planted(
        "1/B of 10, L2", partial(golden, "upstream_sgd_l2", "train_head", constant(0.2, 0.1)), "wrong batch", "ws", 0.5
    ),
    Planted(
        "baked 20", partial(five, "train_head", result(WS, lambda g: g * examples(g) / 20.0)), "wrong batch", "ws", 0.15
    ),
    Planted("sum", partial(five, "train_head", result(BS, lambda g: g * examples(g))), "wrong batch", "bs", 3),
    Planted("factor", partial(five, "train_head", result(WS, lambda g: g * 2.0)), "gradient scaled", "ws", 2),
    Planted("sign", partial(five, "train_head", result(BS, lambda g: -g)), "gradient sign", "bs", -1),
    Planted("zero", partial(five, "train_head", result(WS, zeros_like)), "no gradient", "ws"),
    Planted("NaN", partial(five, "train_head", result(WS, lambda g: g / zeros_like(g))), "gradient not finite", "ws"),
    Planted("NaN loss", partial(five, "train_head", result(0, lambda v: v / zeros_like(v))), "loss not finite", "loss"),
    Planted(
        "NaN step", partial(five, "optimizer", result(0, lambda w: w / zeros_like(w))), "update not finite", "ws", 18
    ),
    Planted(
        "no L2",
        partial(golden, "upstream_sgd_l2", "train_head", before_last(WS)),
        "L2 not in the gradient",
        "ws",
        -0.02,
    ),
    Planted(
        "half of L2",
        partial(golden, "upstream_sgd_l2", "train_head", constant(0.02, 0.01)),
        "L2 not in the gradient",
        "ws",
        -0.01,
    ),
    Planted(
        "L2 not in loss",
        partial(golden, "upstream_sgd_l2", "train_head", before_last(0)),
        "L2 not in the loss",
        "ws",
        0.02,
    ),
    Planted(
        "classes reversed", partial(five, "train_head", result(BS, lambda g: reverse(g, [0]))), "wrong gradient", "bs"
    ),
    Planted(
        "one element",
        partial(five, "train_head", result(WS, lambda g: g + corner(g))),
        "wrong gradient",
        "ws",
        said="at [5, 0], where",
    ),
    Planted(
        "m stays", partial(golden, "upstream_adam", "optimizer", kept(2, 4)), "optimizer state does not move", "m_ws", 0
    ),
    Planted("v stays", partial(five, "optimizer", kept(5, 7), ADAM), "optimizer state does not move", "v_bs", 0),
    Planted(
        "step stays", partial(golden, "upstream_adam", "optimizer", kept(6, 8)), "step counter stands still", "step", 0
    ),
    Planted("step by 2", partial(five, "optimizer", result(6, lambda t: t + 1.0), ADAM), "step counter", "step", 2),
    Planted("bias stays", partial(five, "optimizer", kept(1, 1)), "parameter does not move", "bs", 0),
    Planted(
        "climbs",
        partial(one, Faulty(RATE, after=lambda old, new: {n: 2.0 * old[n] - w for n, w in new.items()})),
        "update climbs",
        "last/bias",
        1,
    ),
    Planted("1 step late", partial(one, LateAdam(late=1.0)), "step counter off by one", "hidden/weights", 1),
    Planted("1 step early", partial(one, LateAdam(late=-1.0)), "step counter off by one", "hidden/weights", -1),
    Planted("uncorrected", partial(one, UncorrectedAdam()), "no bias correction", "hidden/weights"),
    Planted(
        "all moments stay",
        partial(one, Faulty(KerasAdam(), after=stays("[mv]_*"))),
        "optimizer state does not move",
        "m_last/bias",
        0,
    ),
    Planted(
        "velocity stays",
        partial(one, Faulty(SGD(0.1, 0.9), after=stays("velocity_last/weights"))),
        "optimizer state does not move",
        "velocity_last/weights",
        0,
    ),
    Planted(
        "counter stays", partial(one, Faulty(KerasAdam(), after=stays("step"))), "step counter stands still", "step", 0
    ),
    Planted(
        "scaled inside",
        partial(one, Faulty(KerasAdam(), scaled("last/weights", 0.5))),
        "gradient scaled",
        "last/weights",
        0.5,
    ),
    Planted("sign inside", partial(one, Faulty(RATE, scaled("hidden/bias", -1.0))), "gradient sign", "hidden/bias", -1),
    Planted(
        "reversed inside",
        partial(one, Faulty(RATE, lambda g: {**g, "hidden/weights": reverse(g["hidden/weights"], [0])})),
        "wrong gradient",
        "hidden/weights",
    ),
    Planted(
        "roots inside",  # larger where it is small, as what is clipped is
        partial(one, Faulty(RATE, lambda g: {**g, "last/bias": sign(g["last/bias"]) * sqrt(absolute(g["last/bias"]))})),
        "wrong gradient",
        "last/bias",
    ),
    Planted("swapped", partial(one, RATE, Loss(swapped, "SOFTMAX")), "swapped loss arguments", "loss", -np.log(1e-7)),
    Planted(
        "another's",
        partial(one, Faulty(RATE, lambda g: {**g, "a": g["b"], "b": g["a"]}), CROSS_ENTROPY, squares("a", "b")),
        "gradient of another",
        "a",
    ),
    Planted(
        "transposed",
        partial(one, Faulty(RATE, lambda g: {**g, "a": transpose(g["a"], (1, 0))}), CROSS_ENTROPY, squares("a")),
        "gradient transposed",
        "a",
    ),
    Planted("not saved", partial(forgetful, "save"), "optimizer state is not saved", "save", 9),
    Planted("not reset", partial(forgetful, "initialize"), "optimizer state is not reset", "initialize", 9),
    Planted(
        "not initialised",
        partial(forgetful, "CALL_ONCE"),
        "variable without a value",
        "m_hidden/bias",
        9,
        ("optimizer state is not reset",),
    ),
    Planted("even", partial(even, head(64, hidden=16)), "weights drawn from 0 to 1", "hidden/weights"),
]
