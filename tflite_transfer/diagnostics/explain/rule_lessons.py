"""The formulas of the rules by which numbers move, where they come from, and where to read them up.

A prime is a value after the step; t counts steps from 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from tflite_transfer.diagnostics.explain.stage import Lesson, Reference
from tflite_transfer.diagnostics.page.formula import fraction, group, hat, new, power, root, row, symbol

ETA, EPS, MU, DELTA, RHO = (symbol(letter) for letter in "ηεμδρ")
BETA1, BETA2 = symbol("β", "1"), symbol("β", "2")
M, V, G, STEP = (symbol(letter) for letter in "mvgt")

SGD = Lesson(
    "The step: gradient descent",
    "Every number moves against its gradient, by the learning rate times it.",
    (row(new(symbol("w")), "=", symbol("w"), "−", ETA, G),),
    (
        "For a small η, L(w − η g) ≈ L(w) − η |g|²: no direction of that length lowers the loss more.",
        "There is no momentum and no state: two steps from the same place are the same.",
    ),
    Reference("Robbins and Monro, A Stochastic Approximation Method (1951)", "https://doi.org/10.1214/aoms/1177729586"),
)

MOMENTUM = Lesson(
    "The step: gradient descent with momentum",
    "Every number has a velocity; a gradient changes this, and this the number.",
    (row(new(V), "=", MU, V, "−", ETA, G), row(new(symbol("w")), "=", symbol("w"), "+", new(V))),
    (
        "Under a gradient that stays g the velocity nears −η g / (1 − μ): with μ = 0.9 ten steps of the rate at once.",
        "Gradients that change their sign cancel in it; so it crosses a narrow valley less, and follows it more.",
    ),
    Reference("Sutskever et al., On the importance of initialization and momentum (2013)", "https://proceedings.mlr.press/v28/sutskever13.html"),
)  # fmt: skip

NESTEROV = Lesson(
    "The step: gradient descent with Nesterov's momentum",
    "Every number has a velocity, and stands where this will have led: so its gradient is one of the place to come.",
    (row(new(V), "=", MU, V, "−", ETA, G), row(new(symbol("w")), "=", symbol("w"), "+", MU, new(V), "−", ETA, G)),
    (
        "Nesterov: v' = μ v − η g(u + μ v) and u' = u + v'. What is kept here is not u but w = u + μ v.",
        "So w' = u' + μ v' = w − μ v + v' + μ v', and v' − μ v is −η g: that is the second line.",
    ),
    Reference("Bengio et al., Advances in Optimizing Recurrent Networks (2012), section 3.5", "https://arxiv.org/abs/1212.0901"),
)  # fmt: skip

_MEANS = (
    row(new(M), "=", BETA1, M, "+", group("1", "−", BETA1), G),
    row(new(V), "=", BETA2, V, "+", group("1", "−", BETA2), power(G, "2")),
    row(
        hat("m"), "=", fraction(new(M), row("1", "−", symbol("β", "1", STEP))), ",",
        hat("v"), "=", fraction(new(V), row("1", "−", symbol("β", "2", STEP))),
    ),
)  # fmt: skip
ADAM = Lesson(
    "The step: Adam",
    "Running means of the gradient and of its square; their ratio says how far to go, in learning rates.",
    (
        *_MEANS,
        row(new(symbol("w")), "=", symbol("w"), "−", ETA, fraction(hat("m"), row(root(hat("v")), "+", EPS))),
    ),
    (
        "Means that begin at 0 are too small: E[m'] = E[g] (1 − β₁ᵗ). So m' is divided by 1 − β₁ᵗ, and v' likewise.",
        "At t = 1 this is η g / (|g| + ε): every number moves by η, whatever the size of its gradient.",
    ),
    Reference("Kingma and Ba, Adam (2014), algorithm 1", "https://arxiv.org/abs/1412.6980"),
)

_KERAS_MOVE = row(
    ETA, fraction(hat("m"), row(root(hat("v")), "+", fraction(EPS, root(row("1", "−", symbol("β", "2", STEP)))))),
)  # fmt: skip
KERAS_ADAM = Lesson(
    "The step: Adam, as Keras has it",
    "Running means of the gradient and of its square; their ratio says how far to go, in learning rates.",
    (
        *_MEANS,
        row(new(symbol("w")), "=", symbol("w"), "−", _KERAS_MOVE),
    ),
    (
        "Keras writes it as w − α m' / (√v' + ε) with α = η √(1 − β₂ᵗ) / (1 − β₁ᵗ): one number takes both biases away.",
        "Divide both by √(1 − β₂ᵗ): it is Adam with a larger ε, at t = 1 and β₂ = 0.999 by 32 times.",
    ),
    Reference("Kingma and Ba, Adam (2014), before section 2.1", "https://arxiv.org/abs/1412.6980"),
)  # fmt: skip

ADAMW = Lesson(
    "The step: AdamW",
    "Every number first shrinks by the same small share; then Adam moves it, as Keras has it.",
    (
        *_MEANS,
        row(new(symbol("w")), "=", symbol("w"), "−", ETA, DELTA, symbol("w"), "−", _KERAS_MOVE),
    ),
    (
        "L2 in the loss is a part of g, and divided by √v̂: numbers with large gradients decay less.",
        "Outside of g the share is η δ for all: without gradients (1 − η δ)ᵗ of a number is left after t steps.",
    ),
    Reference("Loshchilov and Hutter, Decoupled Weight Decay Regularization (2017), algorithm 2", "https://arxiv.org/abs/1711.05101"),
)  # fmt: skip

_RMS_SQUARE = row(new(V), "=", RHO, V, "+", group("1", "−", RHO), power(G, "2"))
_RMS_MOVE = row(ETA, fraction(G, root(row(new(V), "+", EPS))))
_HINTON = Reference(
    "Tieleman and Hinton, Lecture 6.5: RMSprop (2012)",
    "https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
)
RMSPROP = Lesson(
    "The step: RMSprop",
    "Each gradient is divided by the root of the running mean of its square: so all numbers move at about one pace.",
    (_RMS_SQUARE, row(new(symbol("w")), "=", symbol("w"), "−", _RMS_MOVE)),
    (
        "E[v'] nears E[g²]: a gradient that keeps its size moves its number by η, whatever that size is.",
        "v begins at 0, and nothing corrects that: the first move is η / √(1 − ρ), with ρ = 0.9 of 3.2 rates.",
    ),
    _HINTON,
)

RMSPROP_MOMENTUM = Lesson(
    "The step: RMSprop with momentum",
    "Each gradient is divided by the root of the running mean of its square; these moves are summed.",
    (
        _RMS_SQUARE,
        row(new(M), "=", MU, M, "+", _RMS_MOVE),
        row(new(symbol("w")), "=", symbol("w"), "−", new(M)),
    ),
    (
        "E[v'] nears E[g²], so that a gradient that keeps its size adds η to m, whatever that size is.",
        "Under additions that stay s, m nears s / (1 − μ): with μ = 0.9 ten of them at once.",
    ),
    _HINTON,
)

OWN = Lesson(
    "The step: by a rule of the file's own",
    "None of the rules that are told here by a formula: these are the numbers that its operators make.",
    (row(new(symbol("w")), "=", symbol("w"), "+", symbol("Δ"), symbol("w")),),
    (
        "Every rule goes against the gradient in some way: g · Δw < 0 lowers the loss, if the step is small.",
        "What it keeps from one step to the next are its slots; the operators' functions stand below.",
    ),
    Reference("Goodfellow et al., Deep Learning, chapter 8", "https://www.deeplearningbook.org/contents/optimization.html"),
)  # fmt: skip

RULES: Mapping[str, Lesson] = {
    "sgd": SGD, "momentum": MOMENTUM, "nesterov": NESTEROV, "adam": ADAM, "keras_adam": KERAS_ADAM, "adamw": ADAMW,
    "rmsprop": RMSPROP, "rmsprop_momentum": RMSPROP_MOMENTUM, "own-rule": OWN,
}  # fmt: skip
