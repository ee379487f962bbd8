"""The formulas of a training step, where they come from, and where to read them up. Letters as in reference/head.py.

i example, j feature, c and k classes; a prime is a value after the step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from tflite_transfer.diagnostics.explain.rule_lessons import RULES, G
from tflite_transfer.diagnostics.explain.stage import Lesson, Reference
from tflite_transfer.diagnostics.page.formula import (
    Math,
    Part,
    call,
    fraction,
    group,
    new,
    of,
    power,
    row,
    symbol,
    total,
)

PRML = "https://www.microsoft.com/en-us/research/uploads/prod/2006/01/Bishop-Pattern-Recognition-and-Machine-Learning-2006.pdf"
DEEP = "https://www.deeplearningbook.org/contents"

X, W, B, Z, P, Y, L, D = (symbol(letter) for letter in "xWbzpyLd")
A, U, LOW, HIGH = (symbol(name) for name in ("a", "u", "lo", "hi"))
LAMBDA, THETA, R = (symbol(letter) for letter in "λθR")

IMAGE = Lesson(
    "The image becomes numbers",
    "The middle of the photo, resized to what the model takes, in the range of numbers that it was trained on.",
    (row(A, "=", LOW, "+", group(HIGH, "−", LOW), "·", fraction(U, "255")),),
    (
        "A byte u from 0 to 255 is a share u/255 of full brightness.",
        "The line through (0, lo) and (255, hi) puts it where the model's own training data were.",
    ),
    Reference("LiteRT metadata: normalization", "https://ai.google.dev/edge/litert/models/metadata"),
)

BOTTLENECK = Lesson(
    "The base turns the image into features",
    "A network that was trained on millions of other photos; here it only looks.",
    (row(X, "=", call("base", A)),),
    (
        "Its weights are constants of the file, so that no derivative with respect to them is ever asked for.",
        "So x is computed once for an image and kept: training then moves a last layer, and nothing else.",
    ),
    Reference("Donahue et al., DeCAF (2013)", "https://arxiv.org/abs/1310.1531"),
)

_LOOK = "From there the chain rule goes on operator by operator: the derivative behind it, times its own."
_BACKPROPAGATION = Reference("Rumelhart, Hinton and Williams (1986)", "https://doi.org/10.1038/323533a0")


def _of_network(made: Math) -> Math:
    return row(made, "=", call("f", A, Math("<mo>,</mo>", ","), THETA))


def _handed_back(below: str, made: Math, *error: Math) -> Math:
    """``g = Σ Jᵀ (what the loss says of what is made)``."""
    return row(
        symbol("g", below), "=", total("i", row(symbol("J", "i", "T"), *error, symbol("d", "i"))), ",",
        symbol("J", "i"), "=", fraction(row("∂", made), row("∂", below)),
    )  # fmt: skip


NETWORK = Lesson(
    "The network turns what it sees into features",
    "All layers but the last one; they train too, each by the derivative that the layer behind it hands back.",
    (_of_network(X), _handed_back("θ", symbol("x", "i"), W)),
    (
        "The scores are z = Wᵀx + b, so the derivative of the loss by an example's features is W d_i.",
        _LOOK,
    ),
    _BACKPROPAGATION,
)

FIXED = replace(
    NETWORK,
    says="All layers but the last one. None of their numbers trains.",
    formulas=(row(X, "=", call("f", A)),),
    why=(
        "No derivative with respect to what does not train is ever asked for.",
        "Training moves a last layer, and nothing else; what f makes of a sample stays as it is.",
    ),
)

SCORES = Lesson(
    "The network turns what it sees into scores",
    "The last layer is not features times weights that train, plus a bias: so the file's operators say what it does.",
    (_of_network(Z), _handed_back("θ", symbol("z", "i"))),
    (
        "A score for each class is log p up to a constant that all classes share; d_i is what the loss says of them.",
        _LOOK,
    ),
    _BACKPROPAGATION,
)

CHAIN = Lesson(
    "Which way the weights should move",
    "The errors of the scores, handed back through the layer that gave them.",
    (_handed_back("W", symbol("z", "i")),),
    (
        "A small change ΔW changes an example's scores by J_i ΔW, and so the loss by d_i · J_i ΔW.",
        "Over the batch the sum of these is g · ΔW, with the g above; what regularisers say is added by the file.",
    ),
    _BACKPROPAGATION,
)

LOGITS = Lesson(
    "A score for each class",
    "Each class weighs the features by its own column of W; b is what it has without any.",
    (row(symbol("z", "c"), "=", total("j", row(symbol("x", "j"), symbol("W", "jc"))), "+", symbol("b", "c")),),
    (
        "Suppose that the log-odds of two classes are linear in the features.",
        "Then log(p_a / p_b) = z_a − z_b with such a z: the scores are log-probabilities up to a constant.",
    ),
    Reference("Bishop, Pattern Recognition and Machine Learning, eq. 4.105", PRML),
)

UNBIASED = row(symbol("z", "c"), "=", total("j", row(symbol("x", "j"), symbol("W", "jc"))))
UNBIASED_WHY = (
    "z_ic = Σ_j x_ij W_jc, so ∂z_ic/∂W_jc = x_ij.",
    "The chain rule sums over the examples: ∂L/∂W_jc = Σ_i x_ij d_ic.",
)
UNBIASED_SAYS = "Each class weighs the features by its own column of W; this layer has no bias."

_ZM = row(symbol("z", "c"), "−", symbol("m"))
_ZK = row(symbol("z", "k"), "−", symbol("m"))
SOFTMAX = Lesson(
    "Scores become probabilities",
    "Positive numbers that sum to 1, in the order of the scores.",
    (
        row(
            symbol("p", "c"),
            "=",
            fraction(call("exp", _ZM), total("k", call("exp", _ZK))),
            ",",
            symbol("m"),
            "=",
            Math("<munder><mi>max</mi><mi>k</mi></munder>", "max_k"),
            symbol("z", "k"),
        ),
    ),
    (
        "exp makes odds of differences of log-odds, and the sum makes shares of odds.",
        "m cancels: exp(z − m) / Σ exp(z − m) = exp(z) / Σ exp(z). With the largest score as m no exp overflows.",
    ),
    Reference("Bishop, eq. 4.104; Goodfellow et al., section 4.1", f"{DEEP}/numerical.html"),
)

_LOGLIKE = total("c", row(symbol("y", "ic"), call("log", symbol("p", "ic"))))
_CE = row("−", fraction("1", "B"), total("i", _LOGLIKE))
CROSS_ENTROPY = Lesson(
    "How wrong that is",
    "The loss: how surprised the model is by the true classes, in nats. ln C for one that knows nothing.",
    (row(L, "=", _CE),),
    (
        "The labels' likelihood is the product of the true classes' probabilities; L is −log of it, as a mean.",
        "log p is taken as z − m − log Σ exp(z − m): log(softmax(z)) would be −∞ where a p underflows to 0.",
    ),
    Reference("Bishop, eq. 4.108", PRML),
)
PENALTY = row(L, "=", _CE, "+", LAMBDA, total("jc", symbol("w", "jc", "2")))

REGULARISED = row(L, "=", _CE, "+", R)

DLOGITS = Lesson(
    "Which way the scores should move",
    "Too much probability is an error above 0, too little one below: that is all that the loss says about the scores.",
    (
        row(
            symbol("d", "ic"),
            "=",
            fraction(row("∂", L), row("∂", symbol("z", "ic"))),
            "=",
            fraction(row(symbol("p", "ic"), "−", symbol("y", "ic")), "B"),
        ),
    ),
    (
        "∂ log p_k / ∂z_c = [k = c] − p_c, so that −Σ_k y_k ([k = c] − p_c) = p_c Σ_k y_k − y_c.",
        "Labels sum to 1: p_c − y_c is left. The mean over the batch divides it by B.",
    ),
    Reference("Bishop, eq. 4.109", PRML),
)

GRADIENTS = Lesson(
    "Which way the weights should move",
    "The error of a score, times what the weight had multiplied: a feature that was 0 has no say.",
    (),  # as this model has it: see ``gradients``
    (
        "z_ic = Σ_j x_ij W_jc + b_c, so ∂z_ic/∂W_jc = x_ij and ∂z_ic/∂b_c = 1.",
        "The chain rule sums over the examples: ∂L/∂W_jc = Σ_i x_ij d_ic, and ∂L/∂b_c = Σ_i d_ic.",
    ),
    Reference("Goodfellow et al., Deep Learning, section 6.5", f"{DEEP}/mlp.html"),
)


DECAY_WHY = "The L2 term λ Σ_jc W_jc² of the loss adds its own derivative, 2 λ W_jc."


def gradients(letters: Mapping[str, Math], added: Collection[Math], *, decayed: bool) -> Math:
    """Of W, and of b where it trains, with what L2 or other regularisers add."""
    says = {"W": row(power(X, "T"), D), "b": total("i", symbol("d", "i"))}
    decay: list[Part] = ["+", "2", LAMBDA, W] if decayed else []
    parts: list[Part] = []
    for name, letter in letters.items():
        r = of(symbol("r"), letter)
        parts += [*([","] if parts else []), of(G, letter), "=", says[name]]
        parts += [*(decay if name == "W" else []), *(["+", r] if r in added else [])]
    return row(*parts)


AFTER = Lesson(
    "The same batch once more",
    "The loss after the step, beside what the gradient alone had promised.",
    (
        row(
            symbol("Δ"), L, "≈", total("w", row(symbol("g", "w"), group(new(symbol("w")), "−", symbol("w")))),
        ),
    ),
    (
        "Taylor: L(w') = L(w) + g · (w' − w) + terms of the second order in the step.",
        "What is left between the two is the curvature of the loss: the longer the step, the more of it.",
    ),
    Reference("Goodfellow et al., Deep Learning, section 4.3", f"{DEEP}/numerical.html"),
)  # fmt: skip

MEAN = Lesson(
    "The batch's gradient is the mean of its samples'",
    "Each sample alone has a gradient of its own; the step follows what they have in common.",
    (row(G, "=", fraction("1", "B"), total("i", symbol("g", above=group("i")))),),
    (
        "L is a mean over examples, and a derivative of a mean is the mean of the derivatives.",
        "An L2 term is the same in every sample's gradient, and so in their mean.",
    ),
    Reference("Goodfellow et al., Deep Learning, section 5.9", f"{DEEP}/ml.html"),
)

LESSONS: Mapping[str, Lesson] = {
    "image": IMAGE, "bottleneck": BOTTLENECK, "logits": LOGITS, "softmax": SOFTMAX, "loss": CROSS_ENTROPY,
    "dlogits": DLOGITS, "gradients": GRADIENTS, **RULES, "after": AFTER, "batch": MEAN, "network": NETWORK,
    "fixed": FIXED, "scores": SCORES, "chain": CHAIN,
}  # fmt: skip
