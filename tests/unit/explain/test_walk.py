"""A step's numbers against formulas of this file's own, in float64 and in TensorFlow; what is held against LiteRT."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tflite_transfer import TransferLearningModel
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import one_hot
from tflite_transfer.diagnostics.explain.batch import Start, random_batch, scaled
from tflite_transfer.diagnostics.explain.explanation import Explanation, explained
from tflite_transfer.diagnostics.explain.find_head import find_head
from tflite_transfer.diagnostics.explain.layout import layout_of
from tflite_transfer.diagnostics.explain.lessons import DECAY_WHY
from tflite_transfer.diagnostics.explain.subject import Asked, start_of
from tflite_transfer.reference import head as definition
from tflite_transfer.reference import optimizers
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.graph import Model


def started(path: Path, seed: int = 0) -> tuple:
    """A model, and a step from drawn parameters, velocities, means of gradients and of their squares."""
    model = load_trainable(path)
    rng = np.random.default_rng(seed)
    params, slots = open_backend("numpy", model).initialize()
    params = {k: (0.3 * rng.standard_normal(v.shape)).astype(np.float32) for k, v in params.items()}
    drawn = {k: (0.01 * rng.random(v.shape)).astype(np.float32) for k, v in slots.items() if v.shape}
    slots = {**slots, **drawn, **({"step": np.float32(4)} if "step" in slots else {})}
    return model, Start(params, slots, 5, random_batch(model, None, seed))


def values(told: Explanation) -> dict[str, np.ndarray]:
    """What the stages show, by letter."""
    return {v.letter.text: np.asarray(v.array) for stage in told.stages for v in stage.values}


def by_hand(model, start: Start, l2: float, divisor: int) -> dict[str, np.ndarray]:
    """The step in float64, written out again. In (F, C) order W, b."""
    w, b = sorted((np.asarray(v, np.float64) for v in start.params.values()), key=lambda a: -a.ndim)
    x = open_backend("numpy", model).bottlenecks(scaled(model, start.batch)).astype(np.float64)
    y = np.eye(model.classes)[start.batch.classes]
    z = x @ w + b
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(x)), start.batch.classes]).mean() + l2 * (w**2).sum()
    g = {"W": x.T @ (p - y) / divisor + 2 * l2 * w, "b": (p - y).mean(axis=0)}
    found = {"z": z[0], "p": p[0], "log(p)": np.log(p[0]), "p − y": (p - y)[0], "L": loss, "g_W": g["W"], "g_b": g["b"]}
    for name, value in (("W", w), ("b", b)):
        if "step" not in start.slots:
            found[f"{name}'"] = value - np.float32(0.03).astype(float) * g[name]
            continue
        m, v = (
            np.asarray(next(s for k, s in start.slots.items() if k[:2] == f"{c}_" and s.shape == value.shape), float)
            for c in "mv"
        )
        m, v = 0.9 * m + 0.1 * g[name], 0.999 * v + 0.001 * g[name] ** 2
        m_hat, v_hat = m / (1 - 0.9**5), v / (1 - 0.999**5)
        rate = 0.03 if "red" in (model.class_names or ()) else 0.001
        found[f"{name}'"] = value - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
        found |= {f"m_{name}'": m, f"v_{name}'": v, f"m\u0302_{name}": m_hat, f"v\u0302_{name}": v_hat}
    return found


L2 = {"one sgd": 0.01, "upstream sgd_l2": 0.01}
NAMES = ["sgd", "adam", "upstream sgd", "upstream sgd_l2", "upstream adam", "one sgd", "one adam"]


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_the_formulas(models: Mapping[str, Path], name: str) -> None:
    """float32 of sums of 48 terms: seen 3e-7 of the largest; v without its bias 1e-5, for β₂⁵ is rounded to float32."""
    model, start = started(models[name])
    told = explained(name, model, start)
    shown = values(told)
    for letter, exact in by_hand(model, start, L2.get(name, 0.0), model.batch).items():
        close = 3e-5 if "\u0302" in letter or "'" in letter else 2e-6
        scale = np.abs(exact).max()
        np.testing.assert_allclose(shown[letter], exact, rtol=0, atol=close * scale, err_msg=letter)
    assert told.losses[0] == float(shown["L"])


@pytest.mark.parametrize("name", L2)
def test_what_l2_adds_is_told(models: Mapping[str, Path], name: str) -> None:
    told = explained(name, *started(models[name]))
    stage = next(s for s in told.stages if s.key == "gradients")
    assert stage.lesson.why[-1] == DECAY_WHY
    terms = next(v for v in stage.values if v.letter.text.startswith("x"))
    together, decay = map(float, re.findall(r"(?:together|adds) (\S+?)(?:,|$)", terms.meaning.replace("−", "-")))
    largest = values(told)["g_W"].flat[np.abs(values(told)["g_W"]).argmax()]
    assert together + decay == pytest.approx(largest, rel=1e-5)  # six digits


@pytest.mark.parametrize("name", ["sgd", "one adam"])
def test_the_decision_moves_as_the_new_parameters_say(models: Mapping[str, Path], name: str) -> None:
    model, start = started(models[name])
    told = explained(name, model, start)
    shown, rows = values(told), np.arange(len(start.batch.classes))
    x = open_backend("numpy", model).bottlenecks(scaled(model, start.batch)).astype(np.float64)
    z = x @ shown["W'"] + shown["b'"]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(told.decision.after, p, rtol=2e-6)  # seen: 4e-7
    penalty = L2.get(name, 0.0) * (shown["W'"].astype(float) ** 2).sum()
    assert told.losses[1] == pytest.approx(-np.log(p[rows, start.batch.classes]).mean() + penalty, rel=1e-6)
    assert told.decision.right[1] == (p.argmax(axis=1) == start.batch.classes).sum()


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["adam", "one sgd"])
def test_tensorflow_has_the_same_gradients(models: Mapping[str, Path], name: str) -> None:
    import tensorflow as tf

    model, start = started(models[name])
    told = explained(name, model, start)
    w, b = (tf.Variable(v) for v in sorted(start.params.values(), key=lambda a: -np.ndim(a)))
    x = open_backend("numpy", model).bottlenecks(scaled(model, start.batch))
    with tf.GradientTape() as tape:
        labels = one_hot(start.batch.classes, model.classes)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, tf.matmul(x, w) + b))
        loss += L2.get(name, 0.0) * tf.reduce_sum(w * w)
    grads = tape.gradient(loss, [w, b])
    shown = values(told)
    for letter, exact in (("L", loss), ("g_W", grads[0]), ("g_b", grads[1])):
        exact = np.asarray(exact)
        np.testing.assert_allclose(shown[letter], exact, rtol=0, atol=1e-6 * np.abs(exact).max(), err_msg=letter)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", ["tflite", "numpy"])
def test_both_backends_agree(models: Mapping[str, Path], name: str, engine: str) -> None:
    model, start = started(models[name], 3)
    told = explained(name, model, start, engine=engine, precision="float64")
    checks = {c.what.text: c for s in told.stages for c in s.checks}
    wanted = {"x", "z", "p", "log(p)", "p − y", "L", "g_W", "g_b", "W'", "b'"}
    adam = {f"{a}_{p}{b}" for p in "Wb" for a, b in (("m", "'"), ("v", "'"), ("m\u0302", ""), ("v\u0302", ""))}
    assert checks.keys() >= (wanted | adam if "adam" in name else wanted)
    assert told.agrees
    assert not told.without


FAULTS: Mapping[str, tuple[object, str, Callable]] = {
    "z": (definition, "logits", lambda f: lambda x, w, b: f(x, w, b + np.float32(1e-4))),
    "p": (definition, "softmax", lambda f: lambda z: f(z * np.float32(1.00001))),
    "log(p)": (definition, "log_softmax", lambda f: lambda z: f(z) + np.float32(2e-5)),
    "g_W": (definition, "gradients", lambda f: lambda *a, **k: f(*a, **{**k, "divisor": 5.001})),
    "W'": (optimizers, "adam", lambda f: lambda p, g, s, r: f(p, g, s._replace(step=s.step + 1), r)),
    "m_b'": (optimizers, "adam", lambda f: lambda p, g, s, r: f(p, g, s._replace(mean=s.square), r)),
}  # fmt: skip


@pytest.mark.parametrize("letter", FAULTS)
def test_a_fault_is_seen_where_it_is(models: Mapping[str, Path], letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, start = started(models["adam"])
    place, name, spoilt = FAULTS[letter]
    monkeypatch.setattr(place, name, spoilt(getattr(place, name)))
    told = explained("adam", model, start)
    checks = {c.what.text: c.agrees for s in told.stages for c in s.checks}
    assert not checks[letter]
    assert checks["x"]
    assert told.agrees is False


def test_without_litert_the_page_says_so(models: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    model, start = started(models["sgd"])
    told = explained("sgd", model, start)
    assert told.agrees is None
    assert "ai-edge-litert" in str(told.without)


def test_float64_shows_where_rounding_enters(models: Mapping[str, Path]) -> None:
    """Some roundings of 2^-24 = 6e-8; Adam's v without its bias loses more, 1.3e-5 here: 1 - β₂ᵗ of a float32 β₂ᵗ."""
    model, start = started(models["adam"])
    told = explained("adam", model, start, precision="float64")
    found = {r.letter: r for r in told.roundings}
    for letter, r in found.items():
        assert 0 <= r.own < (1e-4 if letter.startswith("v\u0302") else 1e-6), letter
        assert r.all < 1e-4
    assert found["z"].own > 1e-9
    assert found["v\u0302_W"].own > 10 * found["v_W'"].own
    exact = {v.letter.text: v for s in told.stages for v in s.values if v.exact is not None}
    assert exact["g_W"].exact is not None
    assert exact["g_W"].exact.dtype == np.float64
    hand = by_hand(model, start, 0, 5)["g_W"]
    np.testing.assert_allclose(exact["g_W"].exact, hand, rtol=0, atol=1e-13 * np.abs(hand).max())


def test_the_first_step_of_balanced_classes(models: Mapping[str, Path]) -> None:
    """All weights are 0, and b's gradient is nothing but roundings: it is told all the same."""
    model = load_trainable(models["one adam"])
    given = {"x": np.random.default_rng(0).random((12, 4, 4, 3)), "y": np.arange(12) % 3}
    told = explained("one", model, start_of(model, Asked(models["one adam"], given=given)))
    assert told.losses[0] == pytest.approx(np.log(3), rel=1e-7)
    assert np.abs(values(told)["g_b"]).max() < 1e-7  # seen: 2e-8
    assert told.agrees


def test_a_batch_is_the_mean_of_its_samples(models: Mapping[str, Path]) -> None:
    model, start = started(models["one sgd"])
    told = explained("one", model, start, batch=True)
    stage = next(s for s in told.stages if s.key == "batch")
    each, mean, whole = (np.asarray(v.array) for v in stage.values[:3])
    assert each.shape == (5, 3)
    np.testing.assert_array_equal(each.mean(axis=0), mean)
    np.testing.assert_allclose(mean, whole, rtol=0, atol=1e-7)  # seen: 3e-8
    assert stage.note.endswith("a few roundings.")
    keys = [s.key for s in told.stages]
    assert keys == ["image", "bottleneck", "logits", "softmax", "loss", "dlogits", "gradients", "batch", "sgd", "after"]


def test_step_k_is_the_trainings_own(models: Mapping[str, Path], tiny_photos: Path) -> None:
    """12 photos in batches of 5: the seventh step is the third epoch's first. The kernel trains in both."""
    with TransferLearningModel(models["adam"], backend="numpy", seed=3) as learner:
        learner.add_samples((p, p.parent.name) for p in sorted(tiny_photos.glob("*/*.png")))
        learner.name_classes(["red", "green", "blue"])
        learner.train(2).result()
        wanted = learner.parameters()
    start = start_of(load_trainable(models["adam"]), Asked(models["adam"], data=tiny_photos, seed=3, step=7))
    assert start.params.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(start.params[name], value)
    assert float(start.slots["step"]) == 6


def renamed(model: Model) -> Model:
    return replace(
        model,
        subgraphs=tuple(
            replace(g, tensors=tuple(replace(t, name=f"t{i}") for i, t in enumerate(g.tensors)))
            for g in model.subgraphs
        ),
    )


@pytest.mark.parametrize("name", ["adam", "upstream sgd_l2"])
def test_places_are_found_without_names(models: Mapping[str, Path], name: str) -> None:
    model = load_trainable(models[name])
    assert isinstance(model, Bundle)
    plain = find_head(layout_of(model, {}))
    other = find_head(layout_of(replace(model, models={role: renamed(m) for role, m in model.models.items()}), {}))
    assert (plain.step.tensors, plain.update.tensors, plain.rule) == (
        other.step.tensors,
        other.update.tensors,
        other.rule,
    )
