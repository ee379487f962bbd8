"""The command line on real and on tiny models: what it prints, what it writes, how it ends."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tests.e2e.conftest import Ended
from tflite_transfer import TransferLearningModel, __version__
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.cli.app import main, main_convert
from tflite_transfer.cli.compiling import COMPILING
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.dataset import read_folder, split
from tflite_transfer.reference.tflite.bundle import ROLES

BACKENDS = ("numpy", "tflite")
BASE = Path(__file__).parents[2] / "demo" / "base.tflite"
CLASSES = ("Bag", "Sneaker", "T-shirt", "Trouser")


def the_json(ended: Ended) -> dict[str, Any]:
    """Standard output, which must be one JSON object and nothing else."""
    assert ended.code == 0, ended.err
    assert ended.out.count("\n") == 1
    return json.loads(ended.out)


# ---- the main job, on the demo's base


@pytest.fixture(scope="module")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ConversionOptions(
        out_model_dir=tmp_path_factory.mktemp("demo") / "model", optimizer="adam", base_tflite=BASE, head_softmax=True,
        train_batch_size=10, class_names=CLASSES,
    )  # fmt: skip
    return convert(options)


@pytest.fixture(scope="module")
def few(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six of the demo's photos in each class."""
    folder = tmp_path_factory.mktemp("few")
    for name, images in read_folder(photos / "train").items():
        (folder / name).mkdir()
        for image in images[:6]:
            (folder / name / image.name).symlink_to(image)
    return folder


@pytest.mark.parametrize("sign", ["-", "_"])
@pytest.mark.parametrize(("entry", "first"), [(main, ["convert"]), (main_convert, [])])
def test_convert(run: Callable, demo_model: Path, entry: Callable, first: list[str], sign: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "model"
    given = {
        "base_tflite": BASE, "num_classes": 4, "train_batch_size": 10, "optimizer": "adam", "out_model_dir": out,
        "class_names": ",".join(CLASSES),
    }  # fmt: skip
    flags = [f"--{name.replace('_', sign)}={value}" for name, value in given.items()]
    ended = run(*first, f"--head{sign}softmax", *flags, entry=entry)
    assert ended.code == 0, ended.err
    assert re.findall(r"(\w+)\.tflite  [\d,]+ bytes", ended.out) == sorted(ROLES)
    for role in ROLES:  # the flags mean what the options mean
        assert (out / f"{role}.tflite").read_bytes() == (demo_model / f"{role}.tflite").read_bytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_train_evaluate_predict(run: Callable, demo_model: Path, few: Path, backend: str, tmp_path: Path) -> None:
    common = ("--backend", backend, "--json", "--json_out", tmp_path / "out.json")
    state = tmp_path / "a.safetensors"
    ended = run("train", demo_model, few, "--state", state, "--epochs", 15, "--seed", 1, *common)
    trained = the_json(ended)
    assert list(trained) == ["epochs", "losses", "validation_accuracy", "steps", "seconds", "state"]
    assert (trained["epochs"], trained["steps"], len(trained["losses"])) == (15, 45, 15)
    assert trained["losses"][-1] < 0.5 * trained["losses"][0]
    assert (trained["validation_accuracy"], trained["state"]) == (None, str(state))
    assert json.loads((tmp_path / "out.json").read_text()) == trained
    lines = re.findall(r"^epoch (\d+)/15 loss ([\d.]+)$", ended.err, re.MULTILINE)
    assert [(int(n), float(loss)) for n, loss in lines] == [
        (i, round(v, 6)) for i, v in enumerate(trained["losses"], 1)
    ]

    found = the_json(run("evaluate", demo_model, few, "--state", state, *common))
    assert list(found) == ["accuracy", "loss", "per_class", "confusion", "samples", "backend"]
    assert (found["samples"], found["backend"]) == (24, backend)
    assert found["accuracy"] == np.trace(found["confusion"]) / 24 >= 0.9
    assert list(found["per_class"]) == list(CLASSES)
    assert found["loss"] == pytest.approx(trained["losses"][-1], rel=0.5)
    untrained = the_json(run("evaluate", demo_model, few, *common))
    assert untrained["confusion"] == [[6, 0, 0, 0]] * 4  # rows are true classes; a tie goes to the first
    assert (untrained["loss"], untrained["accuracy"]) == (pytest.approx(np.log(4)), 0.25)
    assert untrained["per_class"] == {"Bag": 1, "Sneaker": 0, "T-shirt": 0, "Trouser": 0}

    images = [few / "Trouser" / "00.png", few / "Bag" / "01.png"]
    named = the_json(run("predict", demo_model, *images, "--state", state, "--top", 2, *common))
    assert named["backend"] == backend
    assert [(p["image"], p["top"][0]["class"], len(p["top"])) for p in named["predictions"]] == [
        (str(images[0]), "Trouser", 2), (str(images[1]), "Bag", 2),
    ]  # fmt: skip
    assert json.loads((tmp_path / "out.json").read_text()) == named
    text = run("predict", demo_model, images[0], "--state", state, "--backend", backend)
    assert re.fullmatch(rf"{images[0]}: Trouser 0\.\d{{4}}(, [\w-]+ 0\.\d{{4}}){{2}}\n", text.out)


def test_inspect(run: Callable, demo_model: Path) -> None:
    found = the_json(run("inspect", demo_model, "--json"))
    assert (found["batch"], found["classes"], found["class_names"]) == (10, 4, list(CLASSES))
    assert found["kernels"]["train_head"] == "softmax cross-entropy"
    assert list(found["files"]) == [f"{role}.tflite" for role in ROLES]
    one = the_json(run("inspect", demo_model / "optimizer.tflite", "--json"))
    assert one["files"]["optimizer.tflite"] == found["files"]["optimizer.tflite"]
    assert one["files"]["optimizer.tflite"]["signatures"][0]["key"] == "optimizer"
    text = run("inspect", demo_model)
    assert text.code == 0
    assert "optimizer.tflite     numpy backend: Adam (learning_rate 0.001" in text.out
    assert "signature bottleneck(image) -> bottleneck" in text.out
    assert "DEPTHWISE_CONV_2D(" in text.out


# ---- training, on a tiny model


def train(run: Callable, model: Path, data: Path, state: Path, *words: object) -> dict[str, Any]:
    return the_json(run("train", model, data, "--state", state, "--json", *words))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cache_changes_no_bit_and_computes_nothing_twice(
    run: Callable, demo_model: Path, few: Path, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("--backend", backend)
    kept = ("--cache_dir", tmp_path / "kept", *common)

    def results(name: str, *words: object) -> tuple[bytes, list[float], dict[str, Any]]:
        state = tmp_path / name
        told = train(run, demo_model, few, state, "--seed", 1, "--epochs", 2, "--validation_split", 0.2, *words)
        judged = the_json(run("evaluate", demo_model, few, "--state", state, "--json", *words))
        return state.read_bytes(), told["losses"], {**judged, "held": told["validation_accuracy"]}

    expected = results("without", *common)
    assert results("first", *kept) == expected
    with monkeypatch.context() as patched:
        patched.setattr(GraphBackend, "bottlenecks", None)
        assert results("again", *kept) == expected


def test_a_damaged_cache_is_one_line(run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    expected = train(run, tiny_model, tiny_photos, tmp_path / "a", "--seed", 1, "--cache_dir", tmp_path / "kept")
    (rows,) = (tmp_path / "kept").glob("*.rows")
    rows.write_bytes(bytes(rows.stat().st_size))
    words = f"train {tiny_model} {tiny_photos} --seed 1 --json --cache_dir {tmp_path / 'kept'} --state {tmp_path / 'b'}"
    ended = ended_with(words, stdout=subprocess.PIPE)
    assert [line for line in ended.stderr.splitlines() if not line.startswith("epoch")] == [
        f"warning: {rows} is damaged: what was is computed again"
    ]
    assert json.loads(ended.stdout)["losses"] == expected["losses"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_resuming_equals_an_uninterrupted_training(
    run: Callable, tiny_models: Mapping[str, Path], tiny_photos: Path, optimizer: str, tmp_path: Path
) -> None:
    job = (run, tiny_models[optimizer], tiny_photos)
    whole = train(*job, tmp_path / "whole", "--seed", 4, "--epochs", 5)
    first = train(*job, tmp_path / "part", "--seed", 4, "--epochs", 2)
    second = train(*job, tmp_path / "part", "--resume", tmp_path / "part", "--epochs", 3)  # onto itself
    assert first["losses"] + second["losses"] == whole["losses"]
    expected, found = load_file(tmp_path / "whole"), load_file(tmp_path / "part")
    assert list(expected) == list(found)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_state_is_replaced_only_when_asked(
    run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path
) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    train(run, tiny_model, tiny_photos, a, "--epochs", 1)
    train(run, tiny_model, tiny_photos, b, "--epochs", 2)
    old = a.read_bytes()
    for words in ([], ["--resume", b]):  # another state's continuation would replace it too
        ended = run("train", tiny_model, tiny_photos, "--state", a, *words)
        assert ended.code == 2
        assert re.search("error: there is a state .*/a already: --resume goes on from it, --overwrite", ended.err)
        assert a.read_bytes() == old
    train(run, tiny_model, tiny_photos, a, "--epochs", 1, "--overwrite")
    assert a.read_bytes() != old


def test_validation_split(run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    """A quarter of 3 x 4 images is held back: 9 are left, two steps of 5."""
    words = ("--epochs", 2, "--seed", 3, "--validation_split", 0.25)
    found = train(run, tiny_model, tiny_photos, tmp_path / "a", *words)
    assert found["steps"] == 4
    training, held = split(read_folder(tiny_photos), 0.25, seed=3)
    with TransferLearningModel(tiny_model, seed=3) as model:
        model.add_samples(training)
        assert found["losses"] == model.train(2).result()
        assert found["validation_accuracy"] == model.evaluate(held).accuracy
    text = run("train", tiny_model, tiny_photos, "--state", tmp_path / "b", *words).out
    assert f"validation accuracy {found['validation_accuracy']:.4f}\n4 steps, " in text


def test_plot(run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    train(run, tiny_model, tiny_photos, tmp_path / "a", "--epochs", 3, "--plot", tmp_path / "loss.png")
    with Image.open(tmp_path / "loss.png") as plot:
        assert plot.format == "PNG"
        assert np.asarray(plot.convert("RGB")).reshape(-1, 3).std(axis=0).min() > 5  # something is drawn


def test_losses_that_are_no_numbers(run: Callable, make_model: Callable, tmp_path: Path) -> None:
    """A rate beyond all reason, and white images that nothing can tell apart: infinite logits. JSON has no NaN."""
    for name in ("red", "green", "blue"):
        (tmp_path / "white" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (4, 4), "white").save(tmp_path / "white" / name / f"{i}.png")
    found = train(run, make_model(rate=3e38), tmp_path / "white", tmp_path / "a", "--epochs", 2)
    assert found["losses"] == [None, None]


def test_classes_without_images_are_told(run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    for name in ("red", "green"):
        (tmp_path / "two").mkdir(exist_ok=True)
        (tmp_path / "two" / name).symlink_to(tiny_photos / name)
    words = ("train", tiny_model, tmp_path / "two", "--epochs", 1, "--json", "--state")
    ended = run(*words, tmp_path / "a")
    assert the_json(ended)["epochs"] == 1
    assert ended.err.startswith("warning: there is no image of the class(es) blue to learn from.\nepoch 1/1 ")
    (tmp_path / "two" / "blue").symlink_to(tiny_photos / "blue")
    assert run(*words, tmp_path / "b").err.startswith("epoch 1/1 ")


def test_a_folder_that_may_not_be_read_is_one_line(
    run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    ended = run("evaluate", tiny_model, tiny_photos)
    assert (ended.code, ended.err) == (1, f"tflite-transfer: error: {tiny_photos}: Permission denied\n")


def test_a_name_that_is_not_utf8(run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    image = tmp_path / os.fsdecode(b"caf\xe9.png")
    shutil.copy(tiny_photos / "red" / "00.png", image)
    found = the_json(run("predict", tiny_model, image, "--json", "--json_out", tmp_path / "a.json"))
    assert json.loads((tmp_path / "a.json").read_text()) == found
    assert found["predictions"][0]["image"] == str(image)
    assert run("predict", tiny_model, image).out.startswith(f"{tmp_path}/caf\\udce9.png: ")


def test_json_to_a_device(tiny_model: Path, tiny_photos: Path) -> None:
    code = "from tflite_transfer.cli.app import main; main()"
    command = [sys.executable, "-c", code, "evaluate", tiny_model, tiny_photos, "--json_out", "/dev/stdout"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(told[0])["samples"] == 12
    assert told[1].startswith("accuracy ")


# ---- processes


def test_the_installed_commands() -> None:
    scripts = Path(sys.executable).parent
    told = subprocess.run([scripts / "tflite-transfer", "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"tflite-transfer {__version__}\n"
    told = subprocess.run([scripts / "tflite-transfer-convert", "-h"], capture_output=True, text=True, check=True)
    assert "--sgd_learning_rate" in told.stdout


def test_python_m(tiny_model: Path) -> None:
    command = [sys.executable, "-m", "tflite_transfer", "inspect", tiny_model]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("bundle ")


def ended_with(words: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tflite_transfer", *words.split()]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **streams)


@pytest.mark.parametrize("words", ["inspect {}", "inspect {} --json", "--version", "convert --help"])
def test_a_full_device_is_one_line(words: str, tiny_model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = ended_with(words.format(tiny_model), stdout=full)
    assert ended.returncode == 1
    assert re.fullmatch("tflite-transfer: error: .*No space left on device.?\n", ended.stderr)


@pytest.mark.parametrize("words", ["inspect {}", "--version"])
def test_a_closed_pipe_is_quiet(words: str, tiny_model: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert ended_with(words.format(tiny_model), stdout=writer).stderr == ""
    os.close(writer)


def test_names_that_the_terminal_cannot_show(tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_photos / "red" / "00.png", tmp_path / "é.png")
    streams = {"stdout": subprocess.PIPE, "env": os.environ | {"PYTHONIOENCODING": "ascii"}, "cwd": tmp_path}
    ended = ended_with(f"predict {tiny_model} é.png", **streams)
    assert (ended.returncode, ended.stdout.partition(":")[0]) == (0, r"\xe9.png")
    found = json.loads(ended_with(f"predict {tiny_model} é.png --json", **streams).stdout)
    assert found["predictions"][0]["image"] == "é.png"


def test_a_head_that_learned_nothing_is_told(
    run: Callable, tiny_model: Path, tiny_photos: Path, tmp_path: Path
) -> None:
    words = ("predict", tiny_model, tiny_photos / "red" / "00.png")
    assert run(*words).err == "no --state: the model is as it was made\n"
    assert run("evaluate", tiny_model, tiny_photos).err == "no --state: the model is as it was made\n"
    train(run, tiny_model, tiny_photos, tmp_path / "a", "--epochs", 1)
    assert run(*words, "--state", tmp_path / "a").err == ""


def test_compiling_is_told_once(tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    streams = {"stdout": subprocess.PIPE, "env": os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}}
    words = f"train {tiny_model} {tiny_photos} --epochs 1 --overwrite --state {tmp_path / 'a'}"
    told = [ended_with(words, **streams).stderr.count(COMPILING) for _ in range(2)]
    assert told == [1, 0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nonesuch", "no case's name holds 'nonesuch'; the cases are\n  head step"),
        ("--json_out gone/a", "--json_out gone/a must"),
    ],
)
def test_a_bench_that_cannot_be(words: str, message: str) -> None:
    command = [sys.executable, "-m", "bench", *words.split()]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=BASE.parents[1])
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
