"""The definitions of Keras' optimizers against Keras itself, step after step from the same gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tests.unit.test_optimizer_definition import SHAPES, gradients, random_tree, zeros
from tflite_transfer.reference import optimizers
from tflite_transfer.reference.optimizers import (
    AdamState,
    AdamW,
    KerasAdam,
    Momentum,
    Nesterov,
    RMSprop,
    RMSpropMomentum,
    Tree,
)

pytestmark = pytest.mark.tensorflow

BETAS = (0.8, 0.99, 1 - 0.8, 1 - 0.99)
# name -> the rule, what it starts with, its definition, Keras' optimizer by its name and numbers
CASES: Mapping[str, tuple[Any, Callable[[], tuple[Any, ...]], Callable[..., tuple[Any, ...]], tuple[str, dict]]] = {
    "momentum": (
        Momentum(*map(np.float32, (0.02, 0.8))), lambda: (zeros(),), optimizers.momentum,
        ("SGD", {"learning_rate": 0.02, "momentum": 0.8}),
    ),
    "nesterov": (
        Nesterov(*map(np.float32, (0.02, 0.8))), lambda: (zeros(),), optimizers.nesterov,
        ("SGD", {"learning_rate": 0.02, "momentum": 0.8, "nesterov": True}),
    ),
    "keras_adam": (
        KerasAdam(*map(np.float32, (0.02, *BETAS, 1e-3))), lambda: (moments(),), optimizers.keras_adam,
        ("Adam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}),
    ),
    "adamw": (
        AdamW(*map(np.float32, (0.02, *BETAS, 1e-3, 0.3))), lambda: (moments(),), optimizers.adamw,
        ("AdamW", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.3}),
    ),
    "rmsprop": (
        RMSprop(*map(np.float32, (0.02, 0.8, 1 - 0.8, 1e-3))), lambda: (zeros(),), optimizers.rmsprop,
        ("RMSprop", {"learning_rate": 0.02, "rho": 0.8, "epsilon": 1e-3}),
    ),
    "rmsprop_momentum": (
        RMSpropMomentum(*map(np.float32, (0.02, 0.8, 1 - 0.8, 1e-3, 0.7))), lambda: (zeros(), zeros()),
        optimizers.rmsprop_momentum,
        ("RMSprop", {"learning_rate": 0.02, "rho": 0.8, "momentum": 0.7, "epsilon": 1e-3}),
    ),
}  # fmt: skip


def moments() -> AdamState:
    return AdamState(zeros(), zeros(), np.float32(0))


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_are_keras(name: str) -> None:
    """Gradients of magnitudes from 1e-6 to 100. Seen: every bit; another C library's powf may round otherwise."""
    import keras

    rule, start, definition, (theirs, numbers) = CASES[name]
    params: Tree = random_tree(0)
    largest = {k: np.abs(w) for k, w in params.items()}
    variables = {k: keras.Variable(w) for k, w in params.items()}
    optimizer, state = getattr(keras.optimizers, theirs)(**numbers), start()
    for grads in gradients(0)[:20]:
        params, *state = definition(params, grads, *state, rule)
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(grads[k]), variables[k]) for k in SHAPES])
        for k, w in params.items():
            largest[k] = np.maximum(largest[k], np.abs(w))
            assert w.dtype == np.float32
            assert (np.abs(w - np.asarray(variables[k])) <= 1e-6 * largest[k]).all()
