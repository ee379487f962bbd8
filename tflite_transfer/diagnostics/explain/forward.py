"""The stages from the features to the loss, and its derivative by the scores. B examples, F features, C classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_transfer.diagnostics.explain import lessons
from tflite_transfer.diagnostics.explain.decision import SAMPLE
from tflite_transfer.diagnostics.explain.lessons import LESSONS, B, D, L, P, W, X, Y, Z
from tflite_transfer.diagnostics.explain.stage import Stage, Symbol, Value
from tflite_transfer.diagnostics.explain.step import ERROR, LOG_P, Step, told_stage
from tflite_transfer.diagnostics.page.formula import call, power, row, symbol
from tflite_transfer.diagnostics.page.names import ending
from tflite_transfer.diagnostics.page.numbers import shape, short
from tflite_transfer.reference import head as definition


def logits_stage(s: Step) -> Stage:
    """Scores."""
    b, f, c = len(s.found["x"]), s.found["x"].shape[1], s.found["z"].shape[1]
    symbols = [
        Symbol(X, "the features of each sample", shape((b, f))),
        Symbol(W, f"weights, the file's {ending(s.head.names['W'])}", shape((f, c))),
        Symbol(Z, "scores, also called logits", shape((b, c))),
    ]
    values = [s.whole(W, "the weights before the step"), s.of_sample(Z, "this sample's scores")]
    lesson = LESSONS["logits"]
    if "b" in s.found:
        file = f"the file's {ending(s.head.names['b'])}" if "b" in s.head.names else "which the step leaves as it is"
        symbols.insert(2, Symbol(B, f"one number for each class, {file}", shape((c,))))
        values.insert(1, s.whole(B, "and b"))
    else:
        lesson = replace(lesson, says=lessons.UNBIASED_SAYS, formulas=(lessons.UNBIASED,))
    note = "All weights are 0 as yet, and so are all scores." if not s.found["z"].any() else ""
    if s.head.step.of_rows:
        note = f"{note} The file keeps W transposed, a row for each class.".lstrip()
    return told_stage("logits", symbols, values, (definition.logits,), s.checks(Z), note, lesson)


def softmax_stage(s: Step) -> Stage:
    """Probabilities."""
    z = s.found["z"][SAMPLE]
    m = z.max()
    grown = np.exp(z - m)
    symbols = (
        Symbol(Z, "the scores", shape(s.found["z"].shape)),
        Symbol(symbol("m"), "the largest score of this sample", short(m)),
        Symbol(P, "probabilities, each row sums to 1", shape(s.found["p"].shape)),
    )
    values = (
        s.of_sample(Z, "scores"),
        Value(
            call("exp", row(Z, "−", symbol("m"))),
            f"their sum is {short(grown.sum(), 6)}",
            grown,
            (),
            s.batch.class_names,
        ),
        s.of_sample(P, "probabilities: each divided by that sum"),
    )
    return told_stage("softmax", symbols, values, (definition.softmax,), s.checks(P))


def loss_stage(s: Step) -> Stage:
    """Cross-entropy, and L2 where the file has it."""
    b, l2 = len(s.found["y"]), s.head.l2
    truth = s.batch.class_names[int(s.batch.classes[SAMPLE])]
    each = -(s.found["y"] * s.found["log p"]).sum(axis=-1)
    symbols = [
        Symbol(Y, "1 at the true class, else 0", shape(s.found["y"].shape)),
        Symbol(LOG_P, "logarithms of the probabilities", shape(s.found["log p"].shape)),
        Symbol(symbol("B"), "samples in the batch", short(b)),
        Symbol(L, "the loss", "scalar"),
    ]
    values = [
        s.of_sample(Y, f"the label: {truth}"),
        s.of_sample(LOG_P, f"its negative at {truth} is {short(each[SAMPLE], 6)}", "log p"),
        Value(row("−", LOG_P), "at the true class, for every sample of the batch", each),
    ]
    lesson = LESSONS["loss"]
    if "R" in s.found:
        lesson = replace(lesson, formulas=(lessons.REGULARISED,))
        symbols.append(Symbol(lessons.R, "what regularisers add, of all layers", short(float(s.found["R"]))))
    elif l2 is not None:
        lesson = replace(lesson, formulas=(lessons.PENALTY,))
        symbols.append(Symbol(symbol("λ"), "the file's L2 factor; b is not part of it", short(l2)))
        values.append(
            Value(
                row(symbol("λ"), "∑", power(symbol("w"), "2")),
                "what L2 adds",
                np.float32(l2) * (s.found["W"] ** 2).sum(),
            )
        )
    values.append(s.whole(L, "the loss of the batch"))
    functions = (definition.log_softmax, definition.cross_entropy)
    return told_stage("loss", tuple(symbols), tuple(values), functions, s.checks(LOG_P, L), lesson=lesson)


def dlogits_stage(s: Step) -> Stage:
    """The derivative by each score."""
    divisor = s.head.divisor or len(s.found["y"])
    symbols = (
        Symbol(P, "probabilities", shape(s.found["p"].shape)),
        Symbol(Y, "labels", shape(s.found["y"].shape)),
        Symbol(symbol("B"), "what the file divides by", short(divisor)),
        Symbol(D, "the loss's derivative by each score", shape(s.found["d"].shape)),
    )
    values = (
        s.of_sample(P, "probabilities"),
        s.of_sample(Y, "labels"),
        s.of_sample(ERROR, "the error of each score: its sum is 0", "e"),
        s.of_sample(D, "a share of the batch"),
    )
    note = ""
    if s.head.divisor is not None:
        note = (
            f"This file was made by the original converter: the number {short(s.head.divisor)} is baked into its "
            "weights' gradient, whatever batch it is given. b's gradient is a true mean."
        )
    return told_stage("dlogits", symbols, values, (definition.gradients,), s.checks(ERROR, D), note)
