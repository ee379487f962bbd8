"""The gradient check of whole files: every planted fault is named at its place, and healthy files have none."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.cases import head_bundle
from tests.small_networks import cnn
from tests.unit.diagnostics.planted import PLANTED, Planted
from tests.unit.diagnostics.right_rules import FTRL, RIGHT, Warm, each, taking
from tests.unit.diagnostics.wrong_files import CROSS_ENTROPY, GOLDEN, one
from tflite_transfer.cli.gradients import lines
from tflite_transfer.converter.training.optimizers import SGD, Adam, KerasAdam, RMSprop
from tflite_transfer.diagnostics.gradients import GradientReport, check_gradients
from tflite_transfer.diagnostics.gradients.examples import beside, random_batch
from tflite_transfer.diagnostics.gradients.report import training_step
from tflite_transfer.reference.precision import in_float64
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Quantization

ROOT = Path(__file__).parents[3]
FLEX = sorted((GOLDEN / "flex").glob("*.tflite"))
WHOLE = [
    GOLDEN / "checkpoint_signatures" / "model.tflite",
    *(GOLDEN / f"upstream_{n}" for n in ("sgd", "sgd_l2", "adam")),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: p.id)
def test_a_planted_fault_is_named(planted: Planted) -> None:
    found = check_gradients(planted.model())
    assert {f.name for f in found.faults} == {planted.name, *planted.besides}
    fault = next(f for f in found.faults if (f.name, f.where) == (planted.name, planted.where))
    assert planted.said in fault.seen
    if planted.number is not None:
        assert fault.number == pytest.approx(planted.number, rel=1e-5)


def test_every_fault_of_the_documentation_is_planted() -> None:
    table = (ROOT / "docs" / "compare.md").read_text().partition("| fault | what was seen |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    assert sorted(name.strip() for row in rows for name in row.split(",")) == sorted({p.name for p in PLANTED})


def healthy(found: GradientReport) -> bool:
    """Of these small files the largest error seen is 1.5e-9, of upstream's 1/B in float32."""
    return all(c.verdict == "agree" and c.error <= 1e-8 for c in found.checks) and found.agrees


@pytest.mark.parametrize("path", WHOLE, ids=lambda p: p.name)
def test_golden_files_are_healthy(path: Path) -> None:
    assert healthy(check_gradients(path))


@pytest.mark.parametrize("path", FLEX, ids=lambda p: p.stem)
def test_the_tutorial_s_files_are_healthy_and_save_no_state(path: Path) -> None:
    """TensorFlow wrote them, SGD's with a constant for the learning rate; their save takes the weights alone."""
    found = check_gradients(path)
    assert {f.name for f in found.faults} == (set() if path.stem.endswith("_sgd") else {"optimizer state is not saved"})
    assert all(c.verdict == "agree" for c in found.checks)


@pytest.mark.parametrize(
    ("optimizer", "l2", "size"), list(product((SGD(0.1), Adam()), (None, 0.01), ((1, 2), (7, 10), (1280, 4))))
)
def test_five_files_are_healthy(optimizer: SGD | Adam, l2: float | None, size: tuple[int, int]) -> None:
    assert healthy(check_gradients(head_bundle(*size, optimizer, l2)))


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1, 0.9, nesterov=True), KerasAdam(weight_decay=0.1), RMSprop(momentum=0.5)]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_network_with_kinks_is_healthy(optimizer: SGD | KerasAdam | RMSprop, seed: int) -> None:
    assert healthy(check_gradients(one(optimizer, CROSS_ENTROPY, cnn()), seed=seed))


@pytest.mark.parametrize("name", RIGHT)
def test_what_an_update_makes_of_a_right_gradient_is_no_fault(name: str) -> None:
    rule, *taken = RIGHT[name]
    found = [check_gradients(one(rule, CROSS_ENTROPY, cnn()), seed=seed) for seed in range(6)]
    assert all(map(healthy, found))
    assert [c.taken for c in found[0].checks[-2:]] == taken
    told = [line for line in lines(found[0]) if "dense/bias" in line]
    assert all(line.endswith(f"takes it {taken[1]}" if taken[1] else "h 1e-05") for line in told)


@pytest.mark.parametrize("rule", [taking(0.05, each(lambda w, g, rate: g * rate + w * 0.5)), FTRL(0.001)])
def test_steps_that_the_weights_decide_more_than_the_gradients_do_not_climb(rule: SGD) -> None:
    assert healthy(check_gradients(one(rule, CROSS_ENTROPY, cnn())))


def test_a_number_that_does_not_count_is_no_counter() -> None:
    """It begins at 0, each step writes it, and it is an average."""
    assert healthy(check_gradients(one(Warm(0.1), CROSS_ENTROPY, cnn())))


@pytest.mark.parametrize("model", [one(SGD(0.25)), head_bundle(6, 3, SGD(0.25))], ids=["one file", "five files"])
def test_the_gradient_is_what_a_step_goes_along(model: object) -> None:
    training, rng = training_step(model), np.random.default_rng(0)
    values = beside(training.first(), training.parameters, rng)
    stepped = training.step(values, random_batch(model, training, rng))
    for p in training.parameters:
        np.testing.assert_allclose(stepped.after[p], values[p] - 0.25 * stepped.gradients[p], rtol=1e-14)


def test_data_may_be_given(tiny_model: Path) -> None:
    """Images; of five files their bottlenecks are made first."""
    rng = np.random.default_rng(0)
    x, y = {4: rng.random((5, 4, 4, 3)), 8: rng.random((4, 8, 8, 3))}, np.array([0, 1, 2, 0, 1])
    for path, side in ((GOLDEN / "checkpoint_signatures" / "model.tflite", 8), (tiny_model, 4)):
        found = check_gradients(path, {"x": x[side].astype(np.float32), "y": y[: len(x[side])]})
        assert healthy(found)
        assert found.loss != check_gradients(path).loss


def test_what_training_does_not_run_may_be_of_stored_integers() -> None:
    """As the quantised base of a file that trains bottlenecks, which has no float64."""
    g, file = GraphBuilder(), one(SGD(0.1))
    scale = Quantization(np.ones(1, np.float32), np.zeros(1, np.int64))
    x, y = (g.tensor(name, (2,), "INT8", quantization=scale) for name in "xy")
    g.operator("RELU", [x], [y])
    g.inputs, g.outputs = {"x": x}, {"y": y}
    model = replace(file.model, subgraphs=(*file.model.subgraphs, g.model("base").main))
    with pytest.raises(ModelError, match="computes on quantised numbers"):
        in_float64(model)
    assert healthy(check_gradients(replace(file, model=model)))


def test_what_does_not_train_is_refused() -> None:
    with pytest.raises(ModelError, match="there is no model nothing"):
        check_gradients("nothing")
