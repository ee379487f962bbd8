"""Faults put into training steps: into files, into operators, into numpy's own kernel, into what a step keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.small_networks import cnn
from tests.unit.diagnostics.test_planted_kernels import plant, short
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.converter.training.optimizers import KerasAdam
from tflite_transfer.diagnostics import Comparison, compare
from tflite_transfer.reference.kernels import head
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.bundle import ROLES
from tflite_transfer.reference.tflite.graph import Model, Operator

Array = np.ndarray[Any, Any]
NORM = Path(__file__).parents[2] / "golden" / "flex" / "norm_adam.tflite"


@pytest.fixture(scope="module")
def adam(tiny_models: Mapping[str, Path]) -> Path:
    """Five files."""
    return tiny_models["adam"]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file: a small network of convolution and dense layer, by Keras' Adam."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "net.tflite").write_bytes(cnn())
    return make_trainable(folder / "net.tflite", folder / "train.tflite", TrainingOptions(optimizer=KerasAdam(0.01)))


def places(found: Comparison) -> list[tuple[int | None, str, str]]:
    return [(f.step, f.part, f.op) for f in found.faults]


@pytest.mark.parametrize(("a", "b"), [("tflite", "numpy"), ("numpy-nojit", "numpy"), ("tflite", "numpy-float64")])
@pytest.mark.parametrize("mode", ["teacher_forced", "isolated", "cumulative"])
def test_without_a_fault_all_agree(a: str, b: str, mode: str, adam: Path, one: Path) -> None:
    for model, kinds in ((adam, 1 + 2 + 2 + 5), (one, 1 + 4 + 4 + 10)):
        found = compare(model, a=a, b=b, mode=mode, steps=2)
        assert found.agrees, places(found)
        assert [f.step for f in found.findings if f.kind == "loss"] == [0, 1]
        assert sum(f.kind != "tensor" for f in found.findings) == 2 * kinds


class InFile(NamedTuple):
    """A number of a file that is another one in B, and the operators that show it, alone and first."""

    what: str
    role: str
    constant: str
    change: Callable[[Array], Array]
    op: str
    made: str


IN_FILES = [
    InFile("a step counter that counts by two", "optimizer", "one", lambda v: v + v, "ADD", "new_step"),
    InFile("another learning rate", "optimizer", "learning_rate", lambda v: v * 2, "MUL", "ws/rate"),
    InFile("the sign of the update", "optimizer", "learning_rate", lambda v: -v, "MUL", "ws/rate"),
    InFile("beta2 for beta1", "optimizer", "beta1", lambda v: np.float32(0.999) + 0 * v, "POW", "beta1^step"),
    InFile("a hundred times epsilon", "optimizer", "epsilon", lambda v: v * 100, "ADD", "ws/scale"),
]


def changed(model: Model, constant: str, change: Callable[[Array], Array]) -> Model:
    graph = model.main
    names = [t.name for t in graph.tensors if t.data is not None]
    assert constant in names, names
    tensors = tuple(
        replace(t, data=np.asarray(change(t.data), t.data.dtype)) if t.data is not None and t.name == constant else t
        for t in graph.tensors
    )
    return replace(model, subgraphs=(replace(graph, tensors=tensors), *model.subgraphs[1:]))


def copied(folder: Path, to: Path, **files: Model) -> Path:
    to.mkdir()
    for role in ROLES:
        content = (folder / f"{role}.tflite").read_bytes()
        (to / f"{role}.tflite").write_bytes(write(files[role]) if role in files else content)
    return to


@pytest.mark.parametrize("engines", [("numpy-nojit", "numpy-nojit"), ("tflite", "tflite"), ("tflite", "numpy-nojit")])
@pytest.mark.parametrize("fault", IN_FILES, ids=lambda f: f.what)
def test_a_fault_in_a_file_is_found_at_the_first_step(
    fault: InFile, engines: tuple[str, str], adam: Path, tmp_path: Path
) -> None:
    model = changed(read(adam / f"{fault.role}.tflite"), fault.constant, fault.change)
    other = copied(adam, tmp_path / "other", **{fault.role: model})
    found = compare(adam, other, a=engines[0], b=engines[1], steps=2)
    assert found.first is not None
    assert (found.first.step, found.first.part) == (0, fault.role)
    assert (found.first.op, found.first.name) == (fault.op, fault.made)
    assert found.first.worst is not None
    assert found.first.worst.nearer == "a"


class InOperator(NamedTuple):
    """What an operator of the training sub-graph makes wrong, and where."""

    what: str
    opcode: str
    kernel: Callable[..., Any]
    made: str


def where(shape: tuple[int, ...], change: Callable[[Array], Array]) -> Callable[..., Array]:
    """A fault of the results of one shape."""

    def kernel(right: Callable[..., Array], *values: Array, **options: Any) -> Array:
        y = right(*values, **options)
        return change(y) if y.shape == shape else y

    return kernel


def swapped(right: Callable[..., Array], p: Array, y: Array) -> Array:
    return right(y, p) if y.shape == (8, 3) else right(p, y)


def without_log_0(right: Callable[..., Array], z: Array) -> Array:
    return np.where(z == z.min(), np.float32(np.nan), right(z))


IN_OPERATORS = [
    InOperator("epsilon inside the root", "SQRT", lambda right, x: right(x + np.float32(1e-7)), "update/sqrt"),
    InOperator("the sign of the gradient", "SUB", swapped, "error"),
    InOperator("sum for mean", "MEAN", lambda right, x, axes, **o: right(x, axes, **o) * len(x), "loss"),
    InOperator("step counted from 0", "POW", lambda right, x, n: right(x, n - 1), "beta1^step"),
    InOperator("other classes", "SOFTMAX", lambda right, z, **o: np.roll(right(z, **o), 1, -1), "probabilities_1"),
    InOperator("log 0", "LOG_SOFTMAX", without_log_0, "log_probabilities"),
    InOperator("a gradient in float16", "RESHAPE", where((4, 3, 3, 3), short), "gradient/conv/filters"),
    InOperator("errors of other classes", "BATCH_MATMUL", where((3, 64), np.flipud), "gradient/dense/weights"),
]


@pytest.mark.parametrize("fault", IN_OPERATORS, ids=lambda f: f.what)
def test_a_fault_in_an_operator_is_found_at_each_step(
    fault: InOperator, one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, fault.opcode, fault.kernel)
    found = compare(one, a="numpy-nojit", b="numpy", steps=2)
    trained = [f for f in found.faults if f.part == "train"]
    assert {(f.step, f.op) for f in trained if f.kind == "tensor"} == {(0, fault.opcode), (1, fault.opcode)}
    assert (trained[0].step, trained[0].op, trained[0].name) == (0, fault.opcode, fault.made)


def test_a_variable_that_is_not_assigned_is_a_stale_slot(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(right: Any, handle: Any, value: Any, *, run: Any) -> Any:
        return () if handle.name == "m_dense/weights" else right(handle, value, run=run)

    plant(monkeypatch, "ASSIGN_VARIABLE", stale)
    found = compare(one, a="numpy-nojit", b="numpy", steps=3)
    assert places(found) == [(k, "train", "ASSIGN_VARIABLE") for k in range(3)]
    assert {(f.kind, f.name) for f in found.faults} == {("slot", "m_dense/weights")}


@pytest.mark.parametrize(
    ("name", "first", "names"),
    [
        ("batch_normalization/moving_mean", "ASSIGN_VARIABLE", {"batch_normalization/moving_mean"}),
        ("dense_1/bias", "ASSIGN_VARIABLE", {"dense_1/bias"}),
        ("m/dense/kernel", "READ_VARIABLE", {"m/dense/kernel", "dense/kernel"}),  # which is read for the update
    ],
)
def test_a_variable_of_tensorflow_s_file(
    name: str, first: str, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(right: Any, handle: Any, value: Any, *, run: Any) -> Any:
        has_one = run.memory.variables.size(handle) > 0
        return () if has_one and handle.name == name else right(handle, value, run=run)

    plant(monkeypatch, "ASSIGN_VARIABLE", stale)
    found = compare(NORM, a="numpy-nojit", b="numpy", steps=2)
    assert found.first is not None
    assert (found.first.step, found.first.op) == (0, first), places(found)
    assert {(f.step, f.name) for f in found.faults if f.kind != "tensor"} == {(k, n) for k in (0, 1) for n in names}


def test_a_gradient_of_tensorflow_s_file(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "SUM", where((8,), np.negative))
    found = compare(NORM, a="numpy-nojit", b="numpy", steps=2)
    assert found.first is not None
    assert (found.first.step, found.first.op) == (0, "SUM")
    wrong = {f.name for f in found.findings if f.kind == "gradient" and f.cumulative and f.cumulative.max_rel > 1.9}
    assert wrong == {"dense/bias"}


def test_a_variable_that_is_read_too_late(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(right: Any, handle: Any, *, run: Any) -> Any:
        value = right(handle, run=run)
        return value / np.float32(2) if handle.name == "v_conv/bias" else value

    plant(monkeypatch, "READ_VARIABLE", halved)
    found = compare(one, a="numpy-nojit", b="numpy", steps=2)
    assert found.first is not None
    assert (found.first.step, found.first.op, found.first.name) == (1, "READ_VARIABLE", "v_conv/bias")


KERNEL: Mapping[str, tuple[str, Callable[[Any, Any, Array], object]]] = {
    "a stale slot": ("m_ws", lambda _, slots, before: slots.mean.wt.__setitem__(..., before)),
    "a step counted twice": ("step", lambda _, slots, __: slots.step.__iadd__(1)),
    "a weight that decays": ("ws", lambda weights, _, __: weights.wt.__imul__(0.999)),
    "a bias that stays": ("bs", lambda weights, _, __: weights.bs.fill(0)),
}


@pytest.mark.parametrize("what", KERNEL)
def test_a_fault_in_numpy_s_kernel_is_found_in_what_it_leaves(
    what: str, adam: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name, spoil), right = KERNEL[what], head.train_steps

    def wrong(*args: Any, slots: Any, **more: Any) -> Any:
        before = slots.mean.wt.copy()
        losses = right(*args, slots=slots, **more)
        spoil(args[3], slots, before)
        return losses

    monkeypatch.setattr(head, "train_steps", wrong)
    found = compare(adam, a="tflite", b="numpy", steps=2)
    assert [(f.step, f.part, f.name) for f in found.faults] == [(0, "kernel", name), (1, "kernel", name)]
    assert found.first is not None
    assert "Adam" in found.first.op


def test_an_operator_that_one_file_lacks_is_told(adam: Path, tmp_path: Path) -> None:
    """Epsilon inside the root: another order of the same two operators."""
    model = read(adam / "optimizer.tflite")
    operators = list(model.main.operators)
    root = next(n for n, o in enumerate(operators) if o.opcode == "SQRT")
    assert operators[root + 1].opcode == "ADD"
    sqrt, add = operators[root], operators[root + 1]
    operators[root] = _on(add, sqrt.inputs[0], sqrt.outputs)
    operators[root + 1] = replace(sqrt, inputs=sqrt.outputs, outputs=add.outputs)
    graph = replace(model.main, operators=tuple(operators))
    other = copied(adam, tmp_path / "other", optimizer=replace(model, subgraphs=(graph,)))
    found = compare(adam, other, a="numpy-nojit", b="numpy-nojit", steps=1)
    assert not found.agrees
    assert any("SQRT" in line for line in found.unmatched)


def _on(operator: Operator, x: int, outputs: tuple[int, ...]) -> Operator:
    return replace(operator, inputs=(x, operator.inputs[1]), outputs=outputs)
