"""The stages of the update itself, and of what came of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite_transfer.diagnostics.explain.lessons import LESSONS, G, L, P, Z
from tflite_transfer.diagnostics.explain.rule_lessons import DELTA, ETA, MU, RHO, M, V
from tflite_transfer.diagnostics.explain.stage import Stage, Symbol, Value
from tflite_transfer.diagnostics.explain.step import Step, told_stage
from tflite_transfer.diagnostics.page.formula import Math, hat, new, of, row, symbol
from tflite_transfer.diagnostics.page.numbers import short
from tflite_transfer.reference import head as definition
from tflite_transfer.reference import optimizers
from tflite_transfer.reference.optimizers import Adam, AdamNumbers, AdamW, Momentum, Nesterov, RMSprop, RMSpropMomentum

T = symbol("t")


def sgd_stage(s: Step) -> Stage:
    """Plain gradient descent."""
    assert s.head.rule is not None
    symbols = (
        Symbol(symbol("w"), *every_number(s)),
        Symbol(G, "its gradient", "the same"),
        Symbol(ETA, "the learning rate", short(s.head.rule.learning_rate)),
    )
    values = [move(s, "W")]
    values += [s.whole(new(letter), "after the step") for letter in s.letters.values()]
    values.append(_one_weight(s))
    return told_stage("sgd", symbols, values, (optimizers.sgd,), s.checks(*_moved(s)), others(s))


def every_number(s: Step) -> tuple[str, str]:
    """What w stands for, and how many these are."""
    return f"every number of {' and '.join(s.head.parameters)}", short(sum(s.found[k].size for k in s.head.parameters))


def _moved(s: Step, *states: Math) -> list[Math]:
    """The new parameters, and these states of each."""
    letters = list(s.letters.values())
    return [*map(new, letters), *(new(of(state, letter)) for state in states for letter in letters)]


def others(s: Step) -> str:
    """What stands with the features already."""
    if not s.layers:
        return ""
    many = f"{len(s.layers)} parameters" if len(s.layers) > 1 else "parameter"
    return f"The {many} in front of the last layer move{'s' * (many == 'parameter')} too; see the features."


def momentum_stage(s: Step) -> Stage:
    """Gradient descent with a velocity, Nesterov's too."""
    rule = s.head.rule
    assert isinstance(rule, Momentum)
    symbols = (
        Symbol(symbol("w"), *every_number(s)),
        Symbol(V, "its velocity", "the same"),
        Symbol(G, "its gradient", "the same"),
        Symbol(ETA, "the learning rate", short(rule.learning_rate)),
        Symbol(MU, "what is kept of a velocity", short(rule.momentum)),
    )
    values = [_one_weight(s)]
    for letter in s.letters.values():
        values += [s.whole(of(V, letter), "velocities before"), s.whole(new(of(V, letter)), "and after")]
        values.append(s.whole(new(letter), "after the step"))
    checks = s.checks(*_moved(s, V))
    lesson, functions = "momentum", [optimizers.momentum]
    if isinstance(rule, Nesterov):
        lesson, functions = "nesterov", [optimizers.nesterov, optimizers.momentum]
    return told_stage("sgd", symbols, tuple(values), tuple(functions), checks, others(s), LESSONS[lesson])


def adam_stage(s: Step) -> Stage:
    """Both means, without their bias, and the move."""
    rule = s.head.rule
    assert isinstance(rule, AdamNumbers)
    lesson, functions = _form(rule)
    t = float(s.found["t'"])
    c1, c2 = optimizers.bias_corrections(rule, np.float32(s.found["t"]))
    symbols = [
        Symbol(symbol("w"), *every_number(s)),
        Symbol(M, "running mean of its gradient", "the same"),
        Symbol(V, "running mean of the gradient's square", "the same"),
        Symbol(T, "which step this is", short(t)),
        Symbol(ETA, "the learning rate", short(rule.learning_rate)),
        Symbol(symbol("β", "1"), f"1 − β₁ᵗ is {short(c1)}", short(rule.beta1)),
        Symbol(symbol("β", "2"), f"1 − β₂ᵗ is {short(c2)}", short(rule.beta2)),
        Symbol(symbol("ε"), "keeps the quotient finite", short(rule.epsilon)),
    ]
    if isinstance(rule, AdamW):
        symbols.append(Symbol(DELTA, "the decay: η δ of w goes", short(rule.weight_decay)))
    told = ((M, "mean of gradients"), (V, "mean of squares"))
    hats = (("m", "the mean without its bias"), ("v", "the square's mean without its bias"))
    values = [_one_weight(s)]
    for name, letter in s.letters.items():
        values += [s.whole(new(of(kind, letter)), meaning) for kind, meaning in told]
        values += [s.whole(of(hat(kind), letter), meaning) for kind, meaning in hats]
        values += [move(s, name), s.whole(new(letter), "after the step")]
    functions = (optimizers.bias_corrections, *functions)
    checks = s.checks(*_moved(s, M, V), *(of(hat(k), letter) for k in "mv" for letter in s.letters.values()))
    return told_stage("adam", tuple(symbols), tuple(values), functions, checks, others(s), LESSONS[lesson])


def _form(rule: AdamNumbers) -> tuple[str, tuple[Callable[..., object], ...]]:
    """The lesson of this form of Adam, and its definition."""
    if isinstance(rule, Adam):
        return "adam", (optimizers.adam,)
    if isinstance(rule, AdamW):
        return "adamw", (optimizers.adamw, optimizers.keras_adam)
    return "keras_adam", (optimizers.keras_adam,)


def rmsprop_stage(s: Step) -> Stage:
    """The square's mean, with momentum the sum of moves, and the move."""
    rule = s.head.rule
    assert isinstance(rule, RMSprop)
    symbols = [
        Symbol(symbol("w"), *every_number(s)),
        Symbol(G, "its gradient", "the same"),
        Symbol(V, "running mean of the gradient's square", "the same"),
        Symbol(ETA, "the learning rate", short(rule.learning_rate)),
        Symbol(RHO, "what is kept of v", short(rule.rho)),
        Symbol(symbol("ε"), "keeps the quotient finite", short(rule.epsilon)),
    ]
    lesson, function, told = "rmsprop", optimizers.rmsprop, [(V, "mean of squares")]
    if isinstance(rule, RMSpropMomentum):
        lesson, function, told = "rmsprop_momentum", optimizers.rmsprop_momentum, [*told, (M, "sum of moves")]
        symbols.insert(3, Symbol(M, "sum of its moves, of which older ones count less", "the same"))
        symbols.append(Symbol(MU, "what is kept of m", short(rule.momentum)))
    values = [_one_weight(s)]
    for name, letter in s.letters.items():
        values += [s.whole(new(of(kind, letter)), meaning) for kind, meaning in told]
        values += [move(s, name), s.whole(new(letter), "after the step")]
    checks = s.checks(*_moved(s, *(kind for kind, _ in told)))
    functions = (optimizers.rmsprop_moves, function)
    return told_stage("rmsprop", symbols, values, functions, checks, others(s), LESSONS[lesson])


def move(s: Step, name: str) -> Value:
    """How far W or b moved."""
    letter, moved, names = s.letters[name], s.found[f"{name}'"] - s.found[name], s.batch.class_names
    columns = names if moved.shape[-1] == len(names) else ()
    return Value(row(new(letter), "−", letter), "how far it moved", moved, columns=columns)


def _one_weight(s: Step) -> Value:
    """The weight with the largest gradient, from its old value to its new one."""
    at = tuple(int(i) for i in np.unravel_index(np.abs(s.found["g_W"]).argmax(), s.found["g_W"].shape))
    path = {
        "w": "W",
        "g": "g_W",
        "m": "m_W",
        "v": "v_W",
        "m'": "m_W'",
        "v'": "v_W'",
        "m̂": "m̂_W",
        "v̂": "v̂_W",
        "w'": "W'",
    }
    shown = {letter: float(s.found[key][at]) for letter, key in path.items() if key in s.found}
    exact = [float(np.asarray(s.exact[path[k]])[at]) if path[k] in s.exact else v for k, v in shown.items()]
    which = f"feature {at[0]} for {s.batch.class_names[at[1]]}, the one" if s.head.dense else "the one"
    where = f"one weight all the way: {which} with the largest gradient"
    return Value(
        symbol("W", ",".join(map(str, at))), where, np.array(list(shown.values()), np.float32), (), tuple(shown),
        np.array(exact) if s.exact else None, "path",
    )  # fmt: skip


def after_stage(s: Step) -> Stage:
    """The same batch with the new parameters."""
    moves = {k: s.found[f"{k}'"].astype(np.float64) - s.found[k] for k in s.head.parameters}
    promised = float(sum((s.found[f"g_{k}"] * moves[k]).sum() for k in s.head.parameters))
    promised += float(sum((layer.gradient * layer.move.astype(np.float64)).sum() for layer in s.layers))
    count = sum(m.size for m in moves.values()) + sum(layer.move.size for layer in s.layers)
    change = float(s.found["L'"]) - float(s.found["L"])
    symbols = (
        Symbol(row(symbol("Δ"), L), "what the gradient promised", short(promised)),
        Symbol(row(new(L), "−", L), "what came of it", short(change)),
        Symbol(symbol("w"), "every number that trains", short(count)),
        Symbol(L, "the loss before", short(float(s.found["L"]), 6)),
        Symbol(new(L), "the loss after", short(float(s.found["L'"]), 6)),
    )
    values = (
        s.of_sample(new(Z), "this sample's scores after the step"),
        s.of_sample(P, "its probabilities before"),
        s.of_sample(new(P), "and after"),
    )
    note = ""
    if change > 0:
        note = "The loss of this batch went up: the step was too long for the curvature that it met."
    return told_stage("after", symbols, values, (definition.predict, definition.cross_entropy), (), note)
