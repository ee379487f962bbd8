"""Whole networks in one file, stage by stage: against formulas of this file's own in float64, LiteRT and Keras."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.small_networks import mlp
from tests.unit.explain.test_walk import started, values
from tflite_transfer.converter.expressions import square, total
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable, network_of, trainable_content
from tflite_transfer.converter.training.optimizers import SGD, Adam, KerasAdam, Optimizer, RMSprop
from tflite_transfer.diagnostics.explain import runs
from tflite_transfer.diagnostics.explain.explanation import explained
from tflite_transfer.diagnostics.explain.find_head import find_head
from tflite_transfer.diagnostics.explain.layout import layout_of
from tflite_transfer.diagnostics.explain.runs import Run, run
from tflite_transfer.reference import head as definition
from tflite_transfer.reference import optimizers

RULES: Mapping[str, Optimizer] = {
    "sgd": SGD(0.03), "momentum": SGD(0.03, momentum=0.8), "nesterov": SGD(0.03, momentum=0.5, nesterov=True),
    "keras adam": KerasAdam(0.01, epsilon=1e-3),
    "adam": Adam(0.01, epsilon=1e-3), "weight decay": KerasAdam(0.01, epsilon=1e-3, weight_decay=0.3),
    "rmsprop": RMSprop(0.01, 0.8, epsilon=1e-3), "rmsprop momentum": RMSprop(0.01, 0.8, 0.5, 1e-3),
}  # fmt: skip
NAMES = dict(zip(RULES, (
    "SGD,", "SGD with momentum,", "SGD with Nesterov's momentum,", "Adam in Keras' form,", "Adam,", "AdamW,",
    "RMSprop,", "RMSprop with momentum,",
), strict=True))  # fmt: skip
# What is added to the loss: a factor for each of the weights that it is of.
PENALTIES: Mapping[str, Mapping[str, float]] = {
    "": {}, "l2": {"last/weights": 0.02}, "l2 of both": {"hidden/weights": 0.03, "last/weights": 0.02},
}  # fmt: skip


def trainable(path: Path, rule: Optimizer, penalties: Mapping[str, float], loss: str) -> Path:
    """The MLP with its regularisers, which a plain .tflite has none of."""
    options = TrainingOptions(loss, rule)
    network = network_of(mlp(), options)
    graph, variables = network.train.graph.copy(), network.train.variables
    terms = [total(square(graph[variables[name]]), [0, 1]) * factor for name, factor in penalties.items()]
    if terms:
        function = replace(network.train, graph=graph, penalty=sum(terms[1:], terms[0]).number)
        network = replace(network, train=function)
    path.write_bytes(trainable_content(network, options))
    return path


def by_hand(start, penalties: Mapping[str, float], rule: Optimizer) -> dict[str, np.ndarray]:
    """The step of the MLP in float64, written out: its forward and backward pass, the update, and the new loss."""
    old = {k: np.asarray(v, np.float64) for k, v in start.params.items()}
    images, y = (
        start.batch.pixels.reshape(len(start.batch.classes), -1).astype(np.float64),
        np.eye(3)[start.batch.classes],
    )

    def forward(w: Mapping[str, np.ndarray]) -> tuple:
        x = np.maximum(images @ w["hidden/weights"].T + w["hidden/bias"], 0)
        z = x @ w["last/weights"].T + w["last/bias"]
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return x, z, p, -np.log(p[y > 0]).mean() + sum(f * (w[k] ** 2).sum() for k, f in penalties.items())

    x, z, p, loss = forward(old)
    d = (p - y) / len(y)
    back = d @ old["last/weights"] * (x > 0)
    g = {
        "hidden/weights": back.T @ images, "hidden/bias": back.sum(axis=0),
        "last/weights": d.T @ x, "last/bias": d.sum(axis=0),
    }  # fmt: skip
    g = {k: v + 2 * penalties.get(k, 0.0) * old[k] for k, v in g.items()}
    new = {k: moved(k, w, g[k], start.slots, rule) for k, w in old.items()}
    return {
        "x": x[0], "z": z[0], "p": p[0], "L": loss, "d": d[0], "L'": forward(new)[3], "p'": forward(new)[2][0],
        "g_W": g["last/weights"].T, "g_b": g["last/bias"], "W'": new["last/weights"].T, "b'": new["last/bias"],
        "promised": sum((g[k] * (new[k] - old[k])).sum() for k in g),
        "θ": np.array([
            [np.linalg.norm(v) for v in (old[k], g[k], new[k] - old[k])] for k in ("hidden/weights", "hidden/bias")
        ]),
    }  # fmt: skip


def moved(name: str, w: np.ndarray, g: np.ndarray, slots: Mapping[str, np.ndarray], rule: Optimizer) -> np.ndarray:
    """A parameter after the step, the fifth of an Adam."""
    if isinstance(rule, SGD):
        v = (rule.momentum * slots[f"velocity_{name}"].astype(float) if rule.momentum else 0) - 0.03 * g
        return w + (rule.momentum * v - 0.03 * g if rule.nesterov else v)
    if isinstance(rule, RMSprop):
        v = 0.8 * slots[f"velocity_{name}"].astype(float) + 0.2 * g**2
        summed = 0.5 * slots[f"momentum_{name}"].astype(float) if rule.momentum else 0
        return w - (summed + 0.01 * g / np.sqrt(v + 1e-3))
    m = 0.9 * slots[f"m_{name}"].astype(float) + 0.1 * g
    v = 0.999 * slots[f"v_{name}"].astype(float) + 0.001 * g**2
    m_hat, v_hat, epsilon = m / (1 - 0.9**5), v / (1 - 0.999**5), 1e-3
    if isinstance(rule, KerasAdam):
        epsilon /= np.sqrt(1 - 0.999**5)
        w = w - 0.01 * rule.weight_decay * w
    return w - 0.01 * m_hat / (np.sqrt(v_hat) + epsilon)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("rule", RULES)
def test_an_mlp_is_its_formulas(tmp_path: Path, rule: str, penalty: str) -> None:
    """float32: seen 5e-7 of the largest; norms 5e-5, of what Adam moves by; float64 1.4e-8, of λ."""
    penalties, loss = (
        PENALTIES[penalty],
        "sparse_categorical_crossentropy" if rule == "sgd" else "categorical_crossentropy",
    )
    model, start = started(trainable(tmp_path / "mlp.tflite", RULES[rule], penalties, loss))
    told = explained("mlp", model, start, precision="float64")
    shown, hand = values(told), by_hand(start, penalties, RULES[rule])
    assert told.rule.startswith(NAMES[rule])
    promised, came = (symbol.here for symbol in told.stages[-1].symbols[:2])
    for letter in ("x", "z", "p", "d", "L", "g_W", "g_b", "W'", "b'", "p'"):
        scale = np.abs(hand[letter]).max()
        np.testing.assert_allclose(shown[letter], hand[letter], rtol=0, atol=2e-6 * scale, err_msg=letter)
    np.testing.assert_allclose(shown["θ"], hand["θ"], rtol=2e-4)
    assert told.losses == pytest.approx((hand["L"], hand["L'"]), rel=1e-6)
    assert number(promised) == pytest.approx(hand["promised"], rel=1e-3)  # four digits are shown
    assert number(came) == pytest.approx(hand["L'"] - hand["L"], rel=1e-3)
    assert told.agrees
    exact = {v.letter.text: v.exact for s in told.stages for v in s.values if v.exact is not None}
    for letter in ("x", "g_W", "L"):
        np.testing.assert_allclose(exact[letter], hand[letter], rtol=0, atol=1e-7 * np.abs(hand[letter]).max())


def number(shown: str) -> float:
    return float(shown.replace("−", "-"))


KEYS = ["image", "bottleneck", "logits", "softmax", "loss", "dlogits", "gradients", "batch", "adam", "after"]


@pytest.mark.parametrize("engine", ["tflite", "numpy"])
def test_a_cnn_is_held_against_both_backends(whole: Path, engine: str) -> None:
    model, start = started(whole, 3)
    told = explained("cnn", model, start, engine=engine, precision="float64", batch=True)
    checks = {c.what.text for s in told.stages for c in s.checks}
    assert checks == {
        "x", "g_conv/filters", "g_conv/bias", "z", "p", "log(p)", "p − y", "d", "L", "g_W", "g_b", "W'", "b'",
        "m_W'", "m_b'", "v_W'", "v_b'",
    }  # fmt: skip
    assert told.agrees
    assert not told.without
    assert [s.key for s in told.stages] == KEYS
    assert [m.op for m in told.maps] == ["CONV_2D", "MAX_POOL_2D"]
    each, mean, batch = (np.asarray(v.array) for v in told.stages[7].values[:3])
    np.testing.assert_array_equal(each.mean(axis=0), mean)
    np.testing.assert_allclose(mean, batch, rtol=0, atol=1e-7)  # seen: 3e-8
    assert {r.letter: r.all < 1e-5 for r in told.roundings} == dict.fromkeys((r.letter for r in told.roundings), True)


def spoilt(number: int) -> Callable[..., Run]:
    """LiteRT's run with one tensor a thousandth too large."""

    def faulty(engine: str, graph) -> Run:
        found = run(engine, graph)
        if engine != "tflite":
            return found
        return found._replace(tensors={**found.tensors, number: found.tensors[number] * np.float32(1.001)})

    return faulty


@pytest.mark.parametrize("letter", ["x", "g_conv/bias"])
def test_a_fault_in_front_is_seen(whole: Path, letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, start = started(whole)
    found = find_head(layout_of(model, start.slots))
    place = found.step.tensors["x"] if letter == "x" else found.layers["conv/bias"]
    monkeypatch.setattr(runs, "run", spoilt(place))
    told = explained("cnn", model, start)
    assert [c.what.text for s in told.stages for c in s.checks if not c.agrees] == [letter]


@pytest.mark.parametrize(
    ("letter", "place", "name", "fault"),
    [
        ("z", definition, "logits", lambda f: lambda x, w, b: f(x, w, b + np.float32(1e-4))),
        ("g_W", definition, "gradients", lambda f: lambda *a, **k: f(*a, **{**k, "divisor": 32.01})),
        ("m_W'", optimizers, "keras_adam", lambda f: lambda p, g, s, r: f(p, g, s._replace(mean=s.square), r)),
        ("W'", optimizers, "keras_adam", lambda f: lambda p, g, s, r: f(p, g, s._replace(step=s.step + 1), r)),
    ],
)
def test_a_fault_in_the_last_layer_is_seen(
    whole: Path, letter: str, place: object, name: str, fault: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, start = started(whole)
    monkeypatch.setattr(place, name, fault(getattr(place, name)))
    told = explained("cnn", model, start)
    checks = {c.what.text: c.agrees for s in told.stages for c in s.checks}
    assert (checks[letter], checks["x"], told.agrees) == (False, True, False)


@pytest.mark.tensorflow
def test_keras_regularisers_and_batch_norms(tmp_path: Path) -> None:
    """L2 of all layers counts in the loss; a batch norm's features are those of the batch. Keras has the same step."""
    import keras
    import tensorflow as tf

    l2, layers = keras.regularizers.L2(0.02), keras.layers
    net = keras.Sequential(
        [
            keras.Input((6, 6, 1)), layers.Conv2D(4, 3, kernel_regularizer=l2, name="conv2d"),
            layers.BatchNormalization(), layers.ReLU(), layers.Flatten(),
            layers.Dense(3, kernel_regularizer=l2, name="dense"),
        ]
    )  # fmt: skip
    model, start = started(make_trainable(net, tmp_path / "keras.tflite", TrainingOptions(optimizer=SGD(0.1))))
    told = explained("keras", model, start)
    at = {name.partition("/")[2]: value for name, value in start.params.items()}
    for v in net.variables:
        v.assign(at[v.path.partition("/")[2]])
    with tf.GradientTape() as tape:
        scores = net(start.batch.pixels, training=True)
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(start.batch.classes, scores)
        loss = tf.reduce_mean(entropy) + sum(net.losses)
    weights = net.trainable_variables
    grads = dict(zip((v.path.partition("/")[2] for v in weights), tape.gradient(loss, weights), strict=True))
    found = values(told)
    assert told.losses[0] == pytest.approx(float(loss), rel=1e-6)
    np.testing.assert_allclose(found["g_W"], np.asarray(grads["dense/kernel"]), rtol=0, atol=1e-6)  # seen: 1e-7
    norms = {row.partition(" ")[0].partition("/")[2]: line[1] for row, line in zip(
        told.stages[1].values[1].rows, told.stages[1].values[1].array, strict=True)}  # fmt: skip
    assert norms["conv2d/kernel"] == pytest.approx(float(tf.norm(grads["conv2d/kernel"])), rel=1e-5)
    assert told.agrees
