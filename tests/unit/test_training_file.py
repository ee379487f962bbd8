"""What a training file holds, whatever network it was made of."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import OpResolverType

from tests.small_networks import cnn, head
from tflite_transfer.converter.deployment.labels import with_labels
from tflite_transfer.converter.expressions import Expression, Graph, exp, matmul, reshape, softmax, sqrt, transpose
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable, network_of, trainable_content
from tflite_transfer.converter.training.losses import LOSSES
from tflite_transfer.converter.training.optimizers import SGD, KerasAdam, Optimizer, RMSprop
from tflite_transfer.converter.training.sharing import keep_shared
from tflite_transfer.diagnostics.gradients import check_gradients
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read, write
from tflite_transfer.reference.tflite.errors import ModelError, OptionError
from tflite_transfer.reference.tflite.one_file import load_one_file, one_file

ROOT = Path(__file__).parents[2]
OPTIMIZERS: list[Optimizer] = [
    SGD(0.1),
    SGD(0.1, 0.9, nesterov=True),
    KerasAdam(weight_decay=0.1),
    RMSprop(momentum=0.5),
]


def file_of(source: bytes, **options: Any) -> bytes:
    chosen = TrainingOptions(**options)
    return trainable_content(network_of(source, chosen), chosen)


@pytest.mark.parametrize(("loss", "optimizer"), list(product(LOSSES, OPTIMIZERS)))
def test_builtin_operators_alone(loss: str, optimizer: Optimizer) -> None:
    graphs = read(file_of(head(6), loss=loss, optimizer=optimizer)).subgraphs
    assert [g.name for g in graphs] == ["infer", "train", "save", "restore", "initialize", "set_learning_rate"]
    assert not [o.name for g in graphs for o in g.operators if o.opcode == "CUSTOM"]
    assert max(len(t.shape) for g in graphs for t in g.tensors) <= 4
    for graph in graphs:
        names = [t.name for t in graph.tensors]
        assert len(names) == len(set(names))


def test_checkpoints_are_the_one_exception() -> None:
    """TensorFlow's two kernels, in the two sub-graphs that take a path."""
    graphs = read(file_of(cnn(), checkpoints=True)).subgraphs
    custom = {g.name: {o.name for o in g.operators if o.opcode == "CUSTOM"} for g in graphs}
    assert {name: kernels for name, kernels in custom.items() if kernels} == {
        "save": {"FlexSave"}, "restore": {"FlexRestore"}
    }  # fmt: skip


def colliding(*names: str) -> bytes:
    """(B, 4) -> (B, 4), by one square matrix after another, so named."""
    g = Graph()
    y = g.argument("input", (-1, 4))
    for n, name in enumerate(names):
        y = matmul(y, g.literal(np.eye(4, dtype=np.float32) + n).named(name))
    g.result("y", y)
    return write(g.model("net"))


@pytest.mark.parametrize("names", [("proj", "v_proj"), ("x", "y", "learning_rate"), ("step", "m_step", "v_v_step")])
def test_weights_may_be_called_as_slots_and_arguments_are(names: tuple[str, ...]) -> None:
    it = Interpreter(file_of(colliding(*names), loss="mean_squared_error"))
    before = it.run("save")
    it.run("train", x=np.ones((2, 4)), y=np.zeros((2, 4)))
    after = it.run("save")
    assert len(before) == 3 * len(names) + 2
    assert all((after[name] != value).any() for name, value in before.items() if name != "learning_rate")


@pytest.mark.parametrize(("loss", "optimizer"), list(product(LOSSES, OPTIMIZERS)))
def test_the_gradients_are_slopes_and_the_step_descends(loss: str, optimizer: Optimizer) -> None:
    """Central differences in float64 along random directions, by the written signatures alone."""
    found = check_gradients(one_file(file_of(head(6), loss=loss, optimizer=optimizer)))
    assert [c.parameter for c in found.checks] == ["hidden/weights", "hidden/bias", "last/weights", "last/bias"]
    assert all(c.verdict == "agree" and abs(c.slope) > 1e-4 for c in found.checks)
    assert found.agrees, found.faults


WITHOUT_TENSORFLOW = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "jax", "torch"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocker())
from tflite_transfer import TrainingModel
from tflite_transfer.converter.one_file import make_trainable
model = TrainingModel(make_trainable(sys.argv[1], sys.argv[2]), backend=sys.argv[3])
import numpy as np
print(model.train_step(np.ones((2, 8, 8, 3), np.float32), np.array([0, 2])))
"""


@pytest.mark.parametrize("backend", ["numpy", "tflite"])
def test_without_tensorflow_and_the_same_bytes_each_time(tmp_path: Path, backend: str) -> None:
    """In a process where nothing can import TensorFlow, and where sets and dicts of names hash otherwise."""
    (tmp_path / "net.tflite").write_bytes(cnn())
    words = [str(tmp_path / "net.tflite"), str(tmp_path / "out.tflite"), backend]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *words], cwd=ROOT, capture_output=True, text=True,
        env={"PYTHONHASHSEED": "7", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0
    assert (tmp_path / "out.tflite").read_bytes() == file_of(cnn()) == file_of(cnn())
    again = make_trainable(read(cnn()), tmp_path / "again.tflite")
    assert again.read_bytes() == file_of(cnn())


def test_a_loss_that_does_not_fit_the_last_activation_is_refused() -> None:
    with pytest.raises(OptionError, match="the loss takes LOGISTIC of logits, and the network ends in SOFTMAX"):
        file_of(cnn(), loss="binary_crossentropy")


def test_logits_and_probabilities_train_alike() -> None:
    """A network that ends in SOFTMAX is differentiated from in front of it."""
    model = read(cnn())
    last = model.main.operators[-1]
    logits = replace(model.main, operators=model.main.operators[:-1], outputs=(last.inputs[0],))
    signature = replace(model.signatures[0], outputs={"logits": last.inputs[0]})
    given = {"x": np.ones((2, 8, 8, 3), np.float32), "y": np.eye(3, dtype=np.float32)[:2]}
    found = [
        Interpreter(file_of(content)).run("train", **given)["loss"]
        for content in (cnn(), write(replace(model, subgraphs=(logits,), signatures=(signature,))))
    ]
    assert found[0] == found[1]


def test_labels_of_a_file_are_its_class_names(tmp_path: Path) -> None:
    """If there is one for each output; else the file has no names."""

    def names(content: bytes, **options: Any) -> tuple[str, ...] | None:
        path = make_trainable(content, tmp_path / "net.tflite", TrainingOptions(**options), overwrite=True)
        return load_one_file(path).class_names

    labelled = with_labels(cnn(), ["a", "b", "c"])
    assert names(labelled) == ("a", "b", "c")
    assert names(labelled, class_names=("d", "e", "f")) == ("d", "e", "f")
    assert names(with_labels(cnn(), ["a", "b"])) is names(cnn()) is None


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    g = Graph()
    g.result("y", softmax(g.argument("x", (-1, 4))))
    with pytest.raises(ModelError, match="has no weights that could train"):
        make_trainable(write(g.model("net")), tmp_path / "net.tflite")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options",
    [
        {"input_range": (1, 0)}, {"input_range": 3}, {"class_names": (1, 2, 3)}, {"class_names": ("a", "b\n", "c")},
        {"batch_size": 1.5}, {"trainable": None}, {"optimizer": 3}, {"loss": "hinge"},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_leave_nothing(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        make_trainable(cnn(), tmp_path / "net.tflite", TrainingOptions(**options))
    assert not list(tmp_path.iterdir())


def attention(*, mixed: bool) -> bytes:
    """(1, 4, 3) -> (1, 4, 3); ``mixed``: as a converter may write it that knows of one example alone."""
    g = Graph()
    x = g.argument("x", (1, 4, 3))
    rows = reshape(x, (4, 3)) if mixed else x
    queries = matmul(rows, g.literal(np.eye(3, dtype=np.float32)).named("kernel"))
    shares = softmax(matmul(queries, rows, adj_y=True))
    g.result("y", reshape(matmul(shares, rows), (1, 4, 3)))
    return write(g.model("attention"))


def test_a_file_whose_examples_would_mix_is_refused() -> None:
    assert list(network_of(attention(mixed=False), TrainingOptions()).weights) == ["kernel"]
    with pytest.raises(ModelError, match="takes one example at a time, and mixes two: export it with a free batch"):
        network_of(attention(mixed=True), TrainingOptions())


def residual() -> Graph:
    """``b = e^x + 1; d = reshape(b); e = d + 2; √e, √b``: LiteRT puts e where b is, which is needed once more."""
    g = Graph()
    x = g.argument("x", (4, 6))
    b = exp(x) + _ones(g, 4, 6)
    e = reshape(b, (6, 4)) + _ones(g, 6, 4)
    g.result("of_e", sqrt(e))
    g.result("of_b", sqrt(b))
    return g


def _ones(g: Graph, *shape: int) -> Expression:
    return g.literal(np.full(shape, shape[0], np.float32))


def apart(graph: Graph, resolver: OpResolverType) -> float:
    x, content = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6), write(graph.model("run"))
    ours = Interpreter(content).run("run", x=x)
    theirs = LiteRT(model_content=content, experimental_op_resolver_type=resolver).get_signature_runner("run")(x=x)
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)


@pytest.mark.parametrize("resolver", ["BUILTIN_WITHOUT_DEFAULT_DELEGATES", "BUILTIN_REF"])
def test_litert_does_not_write_over_what_is_needed(resolver: str) -> None:
    kernels = getattr(OpResolverType, resolver)
    assert apart(residual(), kernels) > 0.1  # LiteRT 2.3: when this fails, ``sharing`` may go
    guarded = residual()
    keep_shared(guarded)
    assert [o.opcode for o in guarded.operators] == ["EXP", "ADD", "RESHAPE", "ADD", "SHAPE", "SQRT", "SQRT"]
    assert apart(guarded, kernels) < 1e-6


def test_what_nothing_else_needs_stays_as_it_is() -> None:
    g = Graph()
    x = g.argument("x", (-1, 6))
    y = reshape(exp(x) + 1.0, (-1, 3, 2)) * 2.0
    g.result("y", transpose(y, (0, 2, 1)))
    before = list(g.operators)
    keep_shared(g)
    assert g.operators == before
