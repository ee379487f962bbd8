"""The command line on models in one file: make, train, evaluate, predict, inspect, export; and what it refuses."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.small_networks import cnn, head
from tflite_transfer.reference.tflite import read

BACKENDS = ("numpy", "tflite")
NAMES = "red,green,blue"
DONE, FAILED, USAGE = 0, 1, 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_photos: Path) -> Path:
    """The working directory: networks, and photos of three classes."""
    monkeypatch.chdir(tmp_path)
    Path("net.tflite").write_bytes(cnn())
    Path("head.tflite").write_bytes(head(64))
    Path("two.tflite").write_bytes(cnn(2))
    Path("photos").symlink_to(tiny_photos)
    Path("text.txt").write_text("no model")
    return tmp_path


MAKE = f"make-trainable net.tflite --out train.tflite --learning_rate 0.01 --batch_size 4 --class_names {NAMES}"
TRAIN = "train train.tflite photos --state s.safetensors --seed 1"


@pytest.mark.parametrize("backend", BACKENDS)
def test_from_a_network_to_a_file_that_infers(run: Callable, folder: Path, backend: str) -> None:
    made = run(*MAKE.split())
    assert (made.code, made.out.startswith("train.tflite  ")) == (DONE, True), made.err
    trained = run(*TRAIN.split(), "--epochs", 60, "--backend", backend, "--json")
    losses = json.loads(trained.out)["losses"]
    assert losses[-1] < 0.5 * losses[0]
    judged = run("evaluate", "train.tflite", "photos", "--state", "s.safetensors", "--backend", backend, "--json")
    assert json.loads(judged.out)["accuracy"] == 1
    guessed = run("predict", "train.tflite", "photos/red/00.png", "--state", "s.safetensors", "--json")
    (top,) = json.loads(guessed.out)["predictions"]
    assert top["top"][0]["class"] == "red"

    exported = run(
        *["export", "train.tflite", "--state", "s.safetensors", "--out", "out.tflite", "--data", "photos", "--json"]
    )
    told = json.loads(exported.out)
    assert [p["backend"] for p in told["parity"]] == list(BACKENDS)
    assert all(p["worst"] < 1e-6 and p["agreement"] == 1 and p["examples"] == 12 for p in told["parity"])  # 1.2e-7
    assert zipfile.ZipFile("out.tflite").read("labels.txt").decode().split() == NAMES.split(",")
    assert not [o for g in read("out.tflite").subgraphs for o in g.operators if "VARIABLE" in o.opcode]


def test_resuming_is_exact(run: Callable, folder: Path) -> None:
    run(*MAKE.split())
    whole = run(*TRAIN.split(), "--epochs", 4, "--json")
    half = run(*TRAIN.replace("s.safe", "h.safe").split(), "--epochs", 2, "--json")
    rest = run(
        *[
            "train",
            "train.tflite",
            "photos",
            "--state",
            "h.safetensors",
            "--resume",
            "h.safetensors",
            "--epochs",
            "2",
            "--json",
        ]
    )
    losses = [json.loads(ended.out)["losses"] for ended in (whole, half, rest)]
    assert losses[1] + losses[2] == losses[0]
    assert Path("h.safetensors").read_bytes() == Path("s.safetensors").read_bytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_base_and_head_in_one_file(run: Callable, folder: Path, backend: str) -> None:
    convert = "convert --base_tflite net.tflite --base_layer flat/rows --optimizer adam --adam_learning_rate 0.05"
    convert += " --num_classes 3 --head_softmax"
    assert run(*convert.split(), "--one_file", "train.tflite", "--class_names", NAMES).code == DONE
    trained = run(*TRAIN.split(), "--backend", backend, "--batch_size", 6, "--epochs", 40, "--json")
    result = json.loads(trained.out)
    assert result["losses"][-1] < 0.9 * result["losses"][0]
    assert result["steps"] == 80
    exported = run(*["export", "train.tflite", "--state", "s.safetensors", "--out", "out.tflite"])
    assert exported.out.count("on 32 examples: ") == 2


def test_inspect_tells_of_signatures_and_learning(run: Callable, folder: Path) -> None:
    run(*MAKE.split())
    shown = run("inspect", "train.tflite").out
    assert "signature train(x, y) -> loss" in shown
    assert "categorical_crossentropy" in shown
    assert "in LiteRT's pip package: all" in shown


BAD = [
    ("make-trainable nothing.tflite --out x.tflite", USAGE, "NETWORK nothing.tflite is not there"),
    ("make-trainable text.txt --out x.tflite", FAILED, r"text.txt is not a \.tflite file"),
    ("make-trainable net.tflite", USAGE, "--out"),
    ("make-trainable net.tflite --out nowhere/x.tflite", USAGE, "must be a file in a folder that is there"),
    ("make-trainable net.tflite --out text.txt", USAGE, "is there already; --overwrite replaces it"),
    ("make-trainable net.tflite --out net.tflite --overwrite", USAGE, "is named for something else too"),
    ("make-trainable net.tflite --out x.tflite --loss hinge", USAGE, "the loss must be one of categorical_cross"),
    ("make-trainable net.tflite --out x.tflite --loss binary_crossentropy", USAGE, "LOGISTIC .* ends in SOFTMAX"),
    ("make-trainable net.tflite --out x.tflite --optimizer lion", USAGE, "must be one of sgd, adam, adamw, rmsprop"),
    ("make-trainable net.tflite --out x.tflite --momentum 0.9", USAGE, "--momentum does not go with --optimizer adam"),
    ("make-trainable net.tflite --out x.tflite --optimizer sgd --nesterov", USAGE, "--nesterov needs a --momentum"),
    ("make-trainable net.tflite --out x.tflite --learning_rate 0", USAGE, "--learning_rate must be more than 0"),
    ("make-trainable net.tflite --out x.tflite --beta1 1", USAGE, "--beta1 must be at least 0 and less than 1"),
    ("make-trainable net.tflite --out x.tflite --trainable last:9", USAGE, "last:N takes 1 to 2"),
    ("make-trainable net.tflite --out x.tflite --trainable con", USAGE, "no weights 'con'; the nearest names: con"),
    ("make-trainable net.tflite --out x.tflite --class_names a,b", USAGE, "tells 3 classes, and 2 class names"),
    ("make-trainable net.tflite --out x.tflite --class_names a,a,b", USAGE, "must all be different"),
    ("make-trainable net.tflite --out x.tflite --batch_size 0", USAGE, "batch size must be at least 1"),
    ("make-trainable net.tflite --out x.tflite --input_range 0,2", USAGE, "--input_range must be one of"),
    ("train net.tflite photos --state x.safetensors", FAILED, "is no training model: it has the signatures"),
    ("train two-train.tflite photos --state x.safetensors", FAILED, "2 classes, but 3 were given"),
    ("train head-train.tflite photos --state x.safetensors", FAILED, r"takes \(64,\) for each example, and no images"),
    ("predict train.tflite photos/red/00.png --state two.safetensors", FAILED, "there is no state two.safetensors"),
    ("export net.tflite --out x.tflite", FAILED, "is no training model"),
    ("export train.tflite --out net.tflite", USAGE, "is there already"),
    ("export train.tflite --out x.tflite --state nothing", FAILED, "there is no state nothing"),
    ("export train.tflite --out x.tflite --data text.txt", FAILED, "is not a folder"),
    ("export train.tflite --out x.tflite --class_names a,b", FAILED, "3 classes"),
]


@pytest.mark.parametrize(("words", "code", "message"), BAD, ids=[b[0] for b in BAD])
def test_bad_input(run: Callable, folder: Path, words: str, code: int, message: str) -> None:
    import re

    if "train.tflite" in words and "make-trainable" not in words:
        run(*MAKE.split())
        run(*["make-trainable", "two.tflite", "--out", "two-train.tflite"])
        run(*["make-trainable", "head.tflite", "--out", "head-train.tflite"])
    before = sorted(p.name for p in folder.iterdir())
    ended = run(*words.split())
    assert ended.code == code, ended.err
    assert re.search(message, " ".join(ended.err.split())), ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert sorted(p.name for p in folder.iterdir()) == before


def test_an_operator_without_a_gradient_is_named_and_nothing_is_written(run: Callable, folder: Path) -> None:
    from tflite_transfer.reference.tflite import write
    from tflite_transfer.reference.tflite.builder import GraphBuilder

    g = GraphBuilder()
    x = g.input("x", (-1, 4))
    y = g.op("FULLY_CONNECTED", [x, g.constant("w", np.ones((4, 4), np.float32)), -1], "dense", (-1, 4))
    paddings = g.constant("p", np.array([[0, 0], [1, 1]], np.int32))
    g.output("y", g.op("MIRROR_PAD", [y, paddings], "mirrored", (-1, 6), mode=0))
    Path("mirror.tflite").write_bytes(write(g.model("run")))
    ended = run(*["make-trainable", "mirror.tflite", "--out", "x.tflite"])
    assert ended.code == FAILED
    assert "no gradient goes through 1 operator(s): MIRROR_PAD at 'mirrored' (instead: padding with zeros)" in ended.err
    assert not Path("x.tflite").exists()
