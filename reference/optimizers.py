"""The optimizers, in plain NumPy: pure functions of (parameters, gradients, state).

``Tree`` is a mapping from a parameter's name to its array. No function changes an array that it is given.
A hyper-parameter is the float32 number that stands in the .tflite; arrays stay float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tree = Mapping[str, Array]


@dataclass(frozen=True)
class SGD:
    """Plain gradient descent: no momentum, no decay. ``w' = w - lr g``."""

    learning_rate: np.float32


@dataclass(frozen=True)
class AdamNumbers:
    """What every form of Adam has.

    ``complement1`` and ``complement2`` are ``1 - beta`` taken in double and then rounded: float32 arithmetic on the
    rounded beta would be off by 1e-5 (``1 - float32(0.999) = 0.00099998713``).
    """

    learning_rate: np.float32
    beta1: np.float32
    beta2: np.float32
    complement1: np.float32
    complement2: np.float32
    epsilon: np.float32


class Adam(AdamNumbers):
    """Adam, algorithm 1 of Kingma and Ba (https://arxiv.org/abs/1412.6980)."""


class KerasAdam(AdamNumbers):
    """Adam as Keras has it: ``epsilon`` is the ε̂ of the form before section 2.1 of the paper; see ``keras_adam``."""


@dataclass(frozen=True)
class AdamW(KerasAdam):
    """Keras' Adam with a decay of its own: Loshchilov and Hutter (https://arxiv.org/abs/1711.05101)."""

    weight_decay: np.float32


@dataclass(frozen=True)
class Momentum:
    """Gradient descent with a velocity, in Keras' form: the rate is within it. ``v' = μ v - lr g``, ``w' = w + v'``."""

    learning_rate: np.float32
    momentum: np.float32


class Nesterov(Momentum):
    """Nesterov's momentum, in Keras' form: w is where the velocity will have led. ``w' = w + μ v' - lr g``."""


@dataclass(frozen=True)
class RMSprop:
    """RMSprop in Keras' form: epsilon within the root. ``complement`` is ``1 - rho``, see ``AdamNumbers``."""

    learning_rate: np.float32
    rho: np.float32
    complement: np.float32
    epsilon: np.float32


@dataclass(frozen=True)
class RMSpropMomentum(RMSprop):
    """RMSprop whose moves are summed."""

    momentum: np.float32


Rule = SGD | Momentum | Nesterov | Adam | KerasAdam | AdamW | RMSprop | RMSpropMomentum


class AdamState(NamedTuple):
    """Steps taken, and the running means of the gradient and of its square."""

    mean: Tree  # m: each of its parameter's shape
    square: Tree  # v: each of its parameter's shape
    step: np.float32  # shape (), counted in float32 as in the file


def sgd(params: Tree, grads: Tree, rule: SGD) -> dict[str, Array]:
    """``w' = w - lr g`` for each parameter w."""
    return {k: w - rule.learning_rate * grads[k] for k, w in params.items()}


def momentum(params: Tree, grads: Tree, velocity: Tree, rule: Momentum) -> tuple[dict[str, Array], dict[str, Array]]:
    """``v' = μ v - lr g``, ``w' = w + v'`` for each parameter w; new parameters, new velocities."""
    then = {k: rule.momentum * velocity[k] - rule.learning_rate * g for k, g in grads.items()}
    return {k: w + then[k] for k, w in params.items()}, then


def nesterov(params: Tree, grads: Tree, velocity: Tree, rule: Nesterov) -> tuple[dict[str, Array], dict[str, Array]]:
    """``v' = μ v - lr g``, ``w' = w + μ v' - lr g`` for each parameter w; new parameters, new velocities.

    Section 3.5 of https://arxiv.org/abs/1212.0901: the gradient is one at ``u + μ v``, and w is that place, not u.
    """
    _, then = momentum(params, grads, velocity, rule)
    return {k: w + (rule.momentum * then[k] - rule.learning_rate * grads[k]) for k, w in params.items()}, then


def bias_corrections(rule: AdamNumbers, step: np.float32) -> tuple[np.float32, np.float32]:
    """``1 - beta1^t, 1 - beta2^t`` for the step t = step + 1.

    The power is rounded to float32 before the subtraction, as POW does in the file; taken in double, because a
    correctly rounded power is what the C library's ``powf`` gives in all but rare cases.
    """
    t = float(step) + 1.0
    power1 = np.float32(float(rule.beta1) ** t)
    power2 = np.float32(float(rule.beta2) ** t)
    return np.float32(1) - power1, np.float32(1) - power2


def adam(params: Tree, grads: Tree, state: AdamState, rule: Adam) -> tuple[dict[str, Array], AdamState]:
    r"""One step of Adam, with epsilon outside the root and after the bias correction.

    .. math::
        m' = (1-\beta_1) g + \beta_1 m, \quad v' = (1-\beta_2) g^2 + \beta_2 v, \quad t' = t + 1

        w' = w - \alpha \frac{m' / (1-\beta_1^{t'})}{\sqrt{v' / (1-\beta_2^{t'})} + \epsilon}

    Keras and TensorFlow use the form before section 2.1 of the paper, with an epsilon that is not corrected: with a
    gradient of 1e-6 and epsilon 1e-7 their first step is 0.24 of the learning rate, the paper's 0.91.
    """
    correction1, correction2 = bias_corrections(rule, state.step)
    mean = {k: rule.complement1 * g + rule.beta1 * state.mean[k] for k, g in grads.items()}
    square = {k: rule.complement2 * (g * g) + rule.beta2 * state.square[k] for k, g in grads.items()}
    new = {
        k: w - rule.learning_rate * (mean[k] / correction1) / (np.sqrt(square[k] / correction2) + rule.epsilon)
        for k, w in params.items()
    }
    return new, AdamState(mean, square, np.float32(state.step + np.float32(1)))


def keras_adam(params: Tree, grads: Tree, state: AdamState, rule: KerasAdam) -> tuple[dict[str, Array], AdamState]:
    r"""One step of Adam in Keras' form: the bias corrections are within the rate, and so act on epsilon too.

    .. math::
        m' = m + (1-\beta_1) (g - m), \quad v' = v + (1-\beta_2) (g^2 - v), \quad t' = t + 1

        w' = w - \alpha \frac{\sqrt{1-\beta_2^{t'}}}{1-\beta_1^{t'}} \frac{m'}{\sqrt{v'} + \hat\epsilon}
    """
    correction1, correction2 = bias_corrections(rule, state.step)
    rate = rule.learning_rate * np.sqrt(correction2) / correction1
    mean = {k: state.mean[k] + rule.complement1 * (g - state.mean[k]) for k, g in grads.items()}
    square = {k: state.square[k] + rule.complement2 * (g * g - state.square[k]) for k, g in grads.items()}
    new = {k: w - rate * mean[k] / (np.sqrt(square[k]) + rule.epsilon) for k, w in params.items()}
    return new, AdamState(mean, square, np.float32(state.step + np.float32(1)))


def adamw(params: Tree, grads: Tree, state: AdamState, rule: AdamW) -> tuple[dict[str, Array], AdamState]:
    r"""One step of AdamW in Keras' form: w is first made smaller, then moved by ``keras_adam``.

    .. math::
        w' = w - \alpha \delta w - \alpha_{t'} \frac{m'}{\sqrt{v'} + \hat\epsilon}, \quad
        \alpha_{t'} = \alpha \frac{\sqrt{1-\beta_2^{t'}}}{1-\beta_1^{t'}}
    """
    shrink = rule.learning_rate * rule.weight_decay
    return keras_adam({k: w - w * shrink for k, w in params.items()}, grads, state, rule)


def rmsprop_moves(grads: Tree, square: Tree, rule: RMSprop) -> tuple[dict[str, Array], dict[str, Array]]:
    """``lr g / √(v' + ε)`` of ``v' = ρ v + (1 - ρ) g²``, and v'."""
    then = {k: rule.rho * square[k] + rule.complement * (g * g) for k, g in grads.items()}
    return {k: rule.learning_rate * g / np.sqrt(then[k] + rule.epsilon) for k, g in grads.items()}, then


def rmsprop(params: Tree, grads: Tree, square: Tree, rule: RMSprop) -> tuple[dict[str, Array], dict[str, Array]]:
    r"""One step of RMSprop; new parameters, new running means of the gradient's square.

    .. math::
        v' = \rho v + (1-\rho) g^2, \quad w' = w - \alpha \frac{g}{\sqrt{v' + \epsilon}}
    """
    moves, then = rmsprop_moves(grads, square, rule)
    return {k: w - moves[k] for k, w in params.items()}, then


def rmsprop_momentum(
    params: Tree, grads: Tree, summed: Tree, square: Tree, rule: RMSpropMomentum
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    r"""One step of RMSprop with momentum; new parameters, new sums of moves, new means of the gradient's square.

    .. math::
        m' = \mu m + \alpha \frac{g}{\sqrt{v' + \epsilon}}, \quad w' = w - m'
    """
    moves, then = rmsprop_moves(grads, square, rule)
    moves = {k: rule.momentum * summed[k] + moves[k] for k in moves}
    return {k: w - moves[k] for k, w in params.items()}, moves, then
