"""The files' optimizers against Keras' own: 20 steps, weights and slots by name.

The oracle is the file in float64; see ``test_layers.py`` for how far from it float32 may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.operators import RESOLVERS, Array
from tflite_transfer.converter.training.optimizers import (
    SGD,
    Adam,
    KerasAdam,
    Optimizer,
    RMSprop,
    named_optimizer,
    optimizer_graph,
)
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import write

keras: Any = pytest.importorskip("keras")
pytestmark = pytest.mark.tensorflow

Tree = Mapping[str, Array]
STEPS, SHAPES = 20, {"w": (5, 3), "b": (3,)}
# In multiples of what NumPy's rounding does, but of at least 4 units of 2^-24 of the array's largest value. The largest
# seen with ten seeds: 1.15 of LiteRT, else 1.00, as nothing is summed and most results are equal.
MULTIPLE, LEAST = 2.0, 4.0
PAIRS: dict[str, tuple[Optimizer, Callable[[], Any]]] = {
    "sgd": (SGD(0.05), lambda: keras.optimizers.SGD(0.05)),
    "momentum": (SGD(0.05, 0.9), lambda: keras.optimizers.SGD(0.05, 0.9)),
    "nesterov": (SGD(0.05, 0.9, nesterov=True), lambda: keras.optimizers.SGD(0.05, 0.9, nesterov=True)),
    "adam": (KerasAdam(), lambda: keras.optimizers.Adam()),
    "adam, other numbers": (
        KerasAdam(0.1, 0.5, 0.9, 1e-3),
        lambda: keras.optimizers.Adam(0.1, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
    ),
    "adamw": (KerasAdam(weight_decay=0.004), lambda: keras.optimizers.AdamW()),
    "adamw, fast": (KerasAdam(0.1, weight_decay=0.3), lambda: keras.optimizers.AdamW(0.1, weight_decay=0.3)),
    "rmsprop": (RMSprop(), lambda: keras.optimizers.RMSprop()),
    "rmsprop, momentum": (RMSprop(0.02, 0.8, 0.9), lambda: keras.optimizers.RMSprop(0.02, rho=0.8, momentum=0.9)),
}
SLOTS = {"velocity_": "momentum", "m_": "momentum", "v_": "velocity"}  # a slot of ours -> Keras' name for it
RMSPROP_SLOTS = {"velocity_": "velocity", "momentum_": "momentum"}


def gradients(seed: int) -> Iterator[dict[str, Array]]:
    """Of magnitudes from 1e-4 to 10; some keep their sign."""
    rng = np.random.default_rng(seed)
    scale = {k: 10.0 ** rng.uniform(-4, 1, s) for k, s in SHAPES.items()}
    drift = {k: rng.choice([-1, 0, 2], s) for k, s in SHAPES.items()}
    for _ in range(STEPS):
        yield {k: ((rng.normal(size=s) + drift[k]) * scale[k]).astype(np.float32) for k, s in SHAPES.items()}


def begun(seed: int) -> dict[str, Array]:
    rng = np.random.default_rng([seed, 1])
    return {k: rng.normal(size=s).astype(np.float32) for k, s in SHAPES.items()}


def stepped(run: Callable[..., Tree], optimizer: Optimizer, seed: int) -> Tree:
    """Weights and slots after all steps of a file's own."""
    state: Tree = {**begun(seed), **{s: np.zeros(shape, np.float32) for s, shape in optimizer.slots(SHAPES).items()}}
    for grads in gradients(seed):
        new = run(**state, **{f"grad_{k}": g for k, g in grads.items()})
        state = {name: new[f"new_{name}"] for name in state}
    return state


def of_keras(optimizer: Any, ours: Optimizer, seed: int) -> Tree:
    """The same of Keras', by our names."""
    weights = {k: keras.Variable(v, name=k) for k, v in begun(seed).items()}
    for grads in gradients(seed):
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(grads[k]), v) for k, v in weights.items()])
    slots = {v.path.rpartition("/")[2]: np.array(v) for v in optimizer.variables}
    names = RMSPROP_SLOTS if isinstance(ours, RMSprop) else SLOTS
    found = {k: np.array(v) for k, v in weights.items()}
    for slot in ours.slots(SHAPES):
        found[slot] = slots["iteration"].astype(np.float32) if slot == "step" else slots[_keras_name(slot, names)]
    return found


def _keras_name(slot: str, names: Mapping[str, str]) -> str:
    prefix = next(p for p in names if slot.startswith(p))
    return f"{slot.removeprefix(prefix)}_{names[prefix]}"


def multiples(name: str, seed: int) -> Iterator[tuple[str, str, float]]:
    """Side, array and difference from float64, as a multiple of what rounding does."""
    ours, theirs = PAIRS[name]
    model = optimizer_graph(ours, SHAPES).model("run")
    wide, plain = Interpreter(model, precision="float64"), Interpreter(model)
    exact, numpy = (stepped(partial(i.run, "run"), ours, seed) for i in (wide, plain))
    sides = {"keras": of_keras(theirs(), ours, seed)}
    for resolver, kernels in RESOLVERS.items():
        interpreter = LiteRT(model_content=write(model), experimental_op_resolver_type=kernels, num_threads=1)
        sides[resolver] = stepped(interpreter.get_signature_runner("run"), ours, seed)
    for key, value in exact.items():
        least = LEAST * 2**-24 * np.abs(value).max()
        rounding = max(float(np.abs(numpy[key] - value).max()), least)
        for side, found in sides.items():
            yield side, key, float(np.abs(found[key] - value).max() / rounding)


@pytest.mark.parametrize("name", PAIRS)
def test_twenty_steps_are_keras(name: str) -> None:
    told = list(multiples(name, 0))
    assert {side for side, _, _ in told} == {"keras", *RESOLVERS}
    assert not [t for t in told if not t[2] <= MULTIPLE]


def first_move(optimizer: Optimizer) -> float:
    """Of a weight 0 whose gradient is 1e-6."""
    model = optimizer_graph(optimizer, {"w": (1,)}).model("run")
    slots = {s: np.zeros(shape, np.float32) for s, shape in optimizer.slots({"w": (1,)}).items()}
    found = Interpreter(model).run("run", w=np.zeros(1, np.float32), grad_w=np.full(1, 1e-6, np.float32), **slots)
    return float(found["new_w"][0])


def test_keras_epsilon_is_not_the_paper_s() -> None:
    """Within the root's correction or behind it: g / (|g| + eps / sqrt(1 - beta2)) or g / (|g| + eps)."""
    variable = keras.Variable(np.zeros(1, np.float32))
    keras.optimizers.Adam(0.1, epsilon=1e-7).apply_gradients([(keras.ops.full((1,), 1e-6), variable)])
    kept, moved = first_move(Adam(0.1, epsilon=1e-7)), first_move(KerasAdam(0.1, epsilon=1e-7))
    assert kept == pytest.approx(-0.0909, abs=1e-4)
    assert moved == pytest.approx(-0.0240, abs=1e-4)
    assert moved == pytest.approx(float(variable[0]), rel=1e-6)  # seen: equal


def test_what_the_command_line_calls_adam_is_keras() -> None:
    assert named_optimizer("adam", {"learning_rate": 0.1}) == KerasAdam(0.1)
    assert named_optimizer("adamw", {}) == KerasAdam(weight_decay=keras.optimizers.AdamW().weight_decay)
    defaults = keras.optimizers.Adam()
    ours = KerasAdam()
    assert (ours.beta1, ours.beta2, ours.epsilon) == (defaults.beta_1, defaults.beta_2, defaults.epsilon)
    assert ours.learning_rate == pytest.approx(float(defaults.learning_rate))
    rms = keras.optimizers.RMSprop()
    assert (RMSprop().rho, RMSprop().momentum, RMSprop().epsilon) == (rms.rho, rms.momentum, rms.epsilon)
