"""What is right is not called wrong: networks that a seed draws, and training steps, by several pairs of engines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.cases import head_bundle
from tests.parity.models import MODELS
from tests.parity.operators import Given, case, fixed
from tests.parity.operators import content as file_of
from tests.small_networks import cnn
from tests.unit.diagnostics.networks import drawn
from tests.unit.diagnostics.test_planted_kernels import plant
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.converter.training.optimizers import SGD, Adam, KerasAdam, Optimizer, RMSprop
from tflite_transfer.diagnostics import Comparison, compare
from tflite_transfer.diagnostics.bounds import Call
from tflite_transfer.diagnostics.rules import allowed
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder

pytestmark = pytest.mark.tensorflow
DEMO = Path(__file__).parents[3] / "demo" / "base.tflite"
PAIRS = (("tflite", "numpy"), ("tflite", "tflite-ref"), ("tflite-ref", "numpy-nojit"), ("numpy", "numpy-float64"))


def told(found: Comparison) -> list[str]:
    return [f"{f.place}: {f.fault}" for f in found.faults]


@pytest.mark.parametrize("mode", ["isolated", "cumulative"])
def test_fifty_networks(mode: str, tmp_path: Path) -> None:
    for seed in range(50):
        (tmp_path / "net.tflite").write_bytes(drawn(seed))
        a, b = PAIRS[seed % 4]
        found = compare(tmp_path / "net.tflite", a=a, b=b, seed=seed, mode=mode)
        assert found.agrees, (seed, a, b, told(found))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", ["sequence LSTM", "sounds"])
def test_states_and_complex_numbers(name: str, pair: tuple[str, str], tmp_path: Path) -> None:
    """A state goes on from run to run: no side may run twice."""
    (tmp_path / "net.tflite").write_bytes(MODELS[name].file("float32"))
    found = compare(tmp_path / "net.tflite", a=pair[0], b=pair[1])
    assert found.agrees, told(found)
    assert len(found.findings) == {"sequence LSTM": 5, "sounds": 19}[name]
    assert max(x for f in found.findings for x in f.from_oracle or ()) < 1e-5


FORCED, FREE = "teacher_forced", "cumulative"
STEPS = [(FORCED, PAIRS[0], 50), (FREE, PAIRS[0], 20), *((FORCED, pair, 5) for pair in PAIRS[1:])]
LONG = [pytest.param(mode, pair, 100, marks=pytest.mark.full) for mode in (FORCED, FREE) for pair in PAIRS]


@pytest.mark.parametrize(("mode", "pair", "steps"), [*STEPS, *LONG])
def test_steps_of_five_files(mode: str, pair: tuple[str, str], steps: int, tiny_models: Mapping[str, Path]) -> None:
    """By SGD, and by Adam."""
    for model in tiny_models.values():
        found = compare(model, a=pair[0], b=pair[1], steps=steps, mode=mode)
        assert found.agrees, told(found)
        assert {f.step for f in found.findings if f.kind == "parameter"} == set(range(steps))


OPTIMIZERS = SGD(0.1, momentum=0.9), KerasAdam(0.01), RMSprop(0.01)
JOBS = [
    pytest.param(o, pair, mode, marks=[] if n % 4 == k else pytest.mark.full)
    for k, o in enumerate(OPTIMIZERS)
    for n, (pair, mode) in enumerate((pair, mode) for pair in PAIRS for mode in (FORCED, FREE))
]


@pytest.mark.parametrize(("optimizer", "pair", "mode"), JOBS)
def test_steps_of_one_file(optimizer: Optimizer, pair: tuple[str, str], mode: str, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(cnn())
    file = make_trainable(tmp_path / "net.tflite", tmp_path / "train.tflite", TrainingOptions(optimizer=optimizer))
    found = compare(file, a=pair[0], b=pair[1], steps=4, mode=mode)
    assert found.agrees, told(found)


FLEX = sorted(p.stem for p in (Path(__file__).parents[2] / "golden" / "flex").glob("*.tflite"))
LEARN = {"cnn": 8, "dense": 4, "norm": 7}
SOME = (("dense_sgd", 1, FORCED), ("dense_momentum", 1, FREE), ("norm_adam", 2, FORCED), ("norm_adam", 2, FREE))


@pytest.mark.parametrize(
    ("name", "seed", "mode"),
    [
        pytest.param(*job, marks=[] if job in SOME else pytest.mark.full)
        for job in ((name, seed, mode) for name in FLEX for seed in (1, 2) for mode in (FORCED, FREE))
    ],
)
def test_steps_of_files_that_tensorflow_made(name: str, seed: int, mode: str) -> None:
    """They read variables between assignments, and say of no tensor that it is a gradient; batch norms count."""
    file = Path(__file__).parents[2] / "golden" / "flex" / f"{name}.tflite"
    for a, b in (("numpy", "numpy-float64"), ("numpy", "numpy-nojit")):
        found = compare(file, a=a, b=b, steps=4, mode=mode, seed=seed)
        assert found.agrees, told(found)
        gradients = [f for f in found.findings if f.kind == "gradient"]
        assert len(gradients) == 4 * LEARN[name.split("_")[0]]
        assert all(f.operator is not None and f.cumulative and not all(f.cumulative.all_zero) for f in gradients)
        assert all(0 <= s < 1e-3 for f in gradients for s in f.from_oracle or ())
        shares = [f.cumulative.share for f in found.findings if f.kind == "parameter" and f.cumulative]
        assert None not in shares


@pytest.mark.parametrize("pair", [("numpy", "numpy-float64"), ("tflite", "numpy")])
def test_a_bias_whose_gradient_is_rounding_alone(pair: tuple[str, str], tmp_path: Path) -> None:
    """A batch norm takes a bias away again: in float64 its gradient is 1e-17, in float32 1e-8."""
    import keras

    keras.utils.set_random_seed(0)
    layers = (
        keras.layers.Conv2D(4, 3, name="conv"),
        keras.layers.BatchNormalization(),
        keras.layers.GlobalAveragePooling2D(),
    )
    keras.Sequential([keras.Input((6, 6, 2)), *layers, keras.layers.Softmax()]).save(tmp_path / "net.keras")
    file = make_trainable(tmp_path / "net.keras", tmp_path / "train.tflite", TrainingOptions(optimizer=SGD(0.1, 0.9)))
    for mode in (FORCED, FREE):
        found = compare(file, a=pair[0], b=pair[1], steps=3, mode=mode)
        assert found.agrees, told(found)
        far = [x for f in found.findings if f.name == "conv/bias" and f.kind == "gradient" for x in f.from_oracle or ()]
        assert max(far) > 1e6


def test_sums_that_cancel_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a mean takes away adds up to nothing: 1e-17 in float64, 1e-7 in float32; and a fault of it is seen."""
    g = GraphBuilder()
    x = g.input("x", (1, 63))
    axes = g.constant("axes", np.int32([1]))
    mean = g.op("MEAN", [x, axes], "mean", (1, 1), keep_dims=True)
    rest = g.op("SUB", [x, mean], "rest", (1, 63))
    left = g.op("SUM", [rest, axes], "left", (1, 1), keep_dims=True)
    g.output("y", g.op("MUL", [left, g.constant("two", np.float32(2))], "y", (1, 1)))
    (tmp_path / "net.tflite").write_bytes(write(g.model("run")))
    for a, b in PAIRS:
        found = compare(tmp_path / "net.tflite", a=a, b=b, mode="cumulative")
        assert found.agrees, told(found)
        assert max(found.findings[-1].from_oracle or (0, 0)) > 1e6
    plant(monkeypatch, "SUM", lambda right, *values, **options: right(*values, **options) + np.float32(0.001))
    found = compare(tmp_path / "net.tflite", a="numpy", b="numpy-float64", mode="cumulative")
    assert [f.op for f in found.faults] == ["SUM", "MUL"]


def test_runs_that_part_at_a_gradient_of_rounding_alone(tmp_path: Path) -> None:
    """Weights of 0 and as many examples of each class: Adam divides the bias's gradient, 1e-9, by its own size.

    One run may have the oracle's sign there, and the other not: from then on one is 0.3 away from it, and one 1e-6.
    """
    options = ConversionOptions(out_model_dir=tmp_path / "model", base_tflite=DEMO, head_softmax=True, optimizer="adam")
    model = convert(options)
    found = compare(model, a="tflite", b="numpy", steps=6, mode=FREE, seed=0)
    assert found.agrees, told(found)
    parts = {f.step: max(f.from_oracle) for f in found.findings if f.kind == "parameter" and f.from_oracle}
    assert parts[5] > 0.1


@pytest.mark.parametrize("pair", [PAIRS[0], *(pytest.param(p, marks=pytest.mark.full) for p in PAIRS[1:])])
@pytest.mark.parametrize("rule", [SGD(0.003), Adam()], ids=["sgd", "adam"])
def test_a_large_head(rule: Optimizer, pair: tuple[str, str], tmp_path: Path) -> None:
    """62,720 features, added one after another."""
    for role, content in head_bundle(62_720, 4, rule).contents.items():
        (tmp_path / f"{role}.tflite").write_bytes(content)
    assert told(compare(tmp_path, a=pair[0], b=pair[1], steps=1)) == []


@pytest.mark.parametrize(("seed", "places", "kinds"), [(0, 400, 4), (4, 400, 4), (4, 200, 8), (5, 200, 2)])
def test_products_that_are_equal(seed: int, places: int, kinds: int, tmp_path: Path) -> None:
    """Of so many places, each kind's in a row: up to 176 units apart, where a random order leaves 28."""
    rng = np.random.default_rng(seed)
    one, two = (np.repeat(rng.normal(size=(kinds, n)).astype(np.float32), places // kinds, axis=0) for n in (16, 64))
    data, given = file_of(case("BATCH_MATMUL", one, two, adj_x=True))
    (tmp_path / "x.tflite").write_bytes(data)
    for a, b in PAIRS:
        found = compare(tmp_path / "x.tflite", a=a, b=b, inputs={f"x{n}": x for n, x in enumerate(given)})
        assert found.agrees, (a, b, told(found))


def test_numbers_that_underflow_allow_nothing_to_others() -> None:
    """A class without any probability: what its column loses of its terms is no share that the others may lose."""
    rng = np.random.default_rng(0)
    one, two = rng.random((32, 6)).astype(np.float32), rng.normal(size=(32, 4)).astype(np.float32)
    bound = []
    for d in (two, two * np.array([1, 1, 1, 1e-45], np.float32)):
        call = Call("BATCH_MATMUL", TABLE["BATCH_MATMUL"], [one, d], {"adj_x": True})
        bound.append(allowed(("numpy-nojit", "tflite"), call, one.T @ d, stored=False))
    np.testing.assert_allclose(bound[1][:, :3], bound[0][:, :3], rtol=0.5)


@pytest.mark.parametrize("size", [49, 784, 12_544])
def test_long_sums_of_one_sign(size: int, tmp_path: Path) -> None:
    """One after another they lose 0.56 of the root of their number in units; equal ones a quarter of their number."""
    rng = np.random.default_rng(size)
    same, several = np.full((2, size), 0.7, np.float32), rng.random((4, size), np.float32)
    weights = Given(rng.random((8, size), np.float32), in_file=True)
    made = [case(o, x, fixed([1])) for o in ("SUM", "MEAN") for x in (same, several)]
    made.append(case("FULLY_CONNECTED", several, weights))
    made.append(case("BATCH_MATMUL", np.ascontiguousarray(same.T), np.full((size, 3), 0.3, np.float32), adj_x=True))
    for n, c in enumerate(made):
        data, given = file_of(c)
        (tmp_path / f"{n}.tflite").write_bytes(data)
        for a, b in PAIRS:
            found = compare(tmp_path / f"{n}.tflite", a=a, b=b, inputs={f"x{n}": x for n, x in enumerate(given)})
            assert found.agrees, (c.opcode, a, b, told(found))
