"""Files that end LiteRT's process, or that it refuses itself: both backends refuse them first, by the same checks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.test_verifier import changed, with_option
from tests.attacks.test_verifier_operators import lstm, one, stored, tensor, window
from tests.parity.test_control import branches, loop
from tflite_transfer.backends import runner
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import Model, Quantization, read, write
from tflite_transfer.reference.tflite.bundle import bundle
from tflite_transfer.reference.tflite.errors import ModelError

DIES, ERROR = "dies", "raises an error"
# In a process of its own for each file, with an address space of 4 GB and ten seconds: what LiteRT 2.3 makes of it.
CHILD = """
import json, os, resource, signal, sys
from pathlib import Path
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def run(data):
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
    signal.alarm(10)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    for d in interpreter.get_input_details():
        interpreter.set_tensor(d["index"], np.ones(d["shape"], d["dtype"]))
    interpreter.invoke()
    for d in interpreter.get_output_details():
        interpreter.get_tensor(d["index"])

found = {}
for path in Path(sys.argv[1]).iterdir():
    child = os.fork()
    if child == 0:
        try:
            run(path.read_bytes())
        except Exception:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found[path.stem] = "dies" if status < 0 else ["runs", "raises an error"][status]
print(json.dumps(found))
"""


def left_out(model: Model, number: int) -> Model:
    """With one input of its first operator left out."""
    first = model.main.operators[0]
    inputs = tuple(-1 if n == number else i for n, i in enumerate(first.inputs))
    graph = replace(model.main, operators=(replace(first, inputs=inputs),))
    return replace(model, subgraphs=(graph,))


def short(model: Model, inputs: int) -> Model:
    """With so many inputs of its first operator alone."""
    first = model.main.operators[0]
    return replace(model, subgraphs=(replace(model.main, operators=(replace(first, inputs=first.inputs[:inputs]),)),))


SHAPE, PAIR = np.array([3], np.int32), np.array([1, 1], np.int32)
BEYOND = Quantization(np.ones(1, np.float32), np.array([1000]))

FILES = {  # what it tried: the file, what LiteRT does
    "a loop whose body is itself": (with_option(loop(), "WHILE", body_subgraph_index=0), DIES),
    "a split into no parts": (one("SPLIT", np.array(0, np.int32), (4,), outputs=2, num_splits=0), DIES),
    "a split into more parts than outputs": (one("SPLIT", np.array(0, np.int32), (4,), outputs=2, num_splits=7), DIES),
    "a negative number of neighbours": (one("LOCAL_RESPONSE_NORMALIZATION", (1, 2, 2, 4), radius=-1), DIES),
    "neighbours without end": (one("LOCAL_RESPONSE_NORMALIZATION", (1, 2, 2, 4), radius=2**31 - 1), DIES),
    "stored integers without a scale": (stored(), DIES),
    "a scale of 0": (stored(0.0), DIES),
    "a negative scale": (stored(-1.0), DIES),
    "a zero point that no int8 has": (
        tensor(one("QUANTIZE", (3,), kind="INT8"), 1, type="INT8", quantization=BEYOND), DIES,
    ),
    "a convolution of channels without a bias": (short(window("DEPTHWISE_CONV_2D"), 2), DIES),
    "a shape that is left out": (left_out(one("RESHAPE", (3,), SHAPE, new_shape=[3]), 1), DIES),
    "an LSTM without the bias of a gate": (lstm(without=12), DIES),
    "a window of -2^31 pixels": (window("AVERAGE_POOL_2D", filter_height=-(2**31)), DIES),
    "a number that is to be a resource": (tensor(one("RESHAPE", (3,), new_shape=[3]), 1, type="RESOURCE"), DIES),
    "a slice without steps": (one("STRIDED_SLICE", (3, 3), PAIR, PAIR, PAIR[:0]), DIES),
    "a stride of 0": (window("CONV_2D", stride_h=0), ERROR),
    "a dilation of -1": (window("DEPTHWISE_CONV_2D", dilation_w_factor=-1), ERROR),
    "a convolution without options": (
        changed(write(window("CONV_2D")), "CONV_2D", lambda _, o: replace(o, options={}, options_table="NONE")), ERROR,
    ),
    "a convolution without filters": (short(window("CONV_2D"), 1), ERROR),
    "a branch whose sub-graph has a negative number": (with_option(branches(), "IF", else_subgraph_index=-1), ERROR),
    "an axis that is not there": (one("CONCATENATION", (2, 3), (2, 3), axis=2), ERROR),
}  # fmt: skip


@cache
def litert(folder: Path) -> dict[str, str]:
    for name, (model, _) in FILES.items():
        (folder / f"{name}.tflite").write_bytes(write(model))
    done = subprocess.run([sys.executable, "-c", CHILD, str(folder)], capture_output=True, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def what_litert_does(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return litert(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("tried", FILES)
def test_litert_does_what_is_said_of_it(tried: str, what_litert_does: dict[str, str]) -> None:
    assert what_litert_does[tried] == FILES[tried][1]


@pytest.mark.parametrize("tried", FILES)
def test_both_backends_refuse_it_before_anything_runs(tried: str, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "hostile.tflite"
    path.write_bytes(write(FILES[tried][0]))
    made: list[str] = []
    monkeypatch.setattr(runner, "interpreter_class", lambda: made.append("LiteRT"))
    with pytest.raises(ModelError, match=r"hostile\.tflite is damaged: sub-graph 0"):
        runner.open_runner("tflite", path)
    assert not made
    with pytest.raises(ModelError, match=r"hostile\.tflite is damaged: sub-graph 0"):
        Interpreter(path)


def test_the_five_files_of_a_bundle_are_verified_too(tiny_model: Path) -> None:
    contents = {path.stem: path.read_bytes() for path in tiny_model.glob("*.tflite")}
    model = read(contents["optimizer"], "optimizer.tflite")
    contents["optimizer"] = write(left_out(model, 0))
    with pytest.raises(
        ModelError, match=r"optimizer\.tflite is damaged: sub-graph 0, operator 0 .* has the tensors '-"
    ):
        bundle(contents)


def test_a_sound_file_comes_to_litert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sound.tflite"
    path.write_bytes(write(window("CONV_2D")))
    made: list[str] = []
    monkeypatch.setattr(runner, "interpreter_class", lambda: lambda **_: made.append("LiteRT"))
    runner.open_runner("tflite", path)
    assert made == ["LiteRT"]
