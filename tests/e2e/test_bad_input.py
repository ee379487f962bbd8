"""Bad input: the right exit code, one line on standard error that says what is wrong, and nothing written."""

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

from tflite_transfer import TransferLearningModel
from tflite_transfer.cli.app import main
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.writer import write


def unsupported(folder: Path) -> None:
    """A base with an operator that only LiteRT has."""
    g = GraphBuilder()
    image = g.input("image", (1, 4, 4, 3))
    g.output("out", g.op("SKIP_GRAM", [image], "out", (1, 4, 4, 3, 3)))
    (folder / "strange.tflite").write_bytes(write(g.model("base")))
    options = ConversionOptions(
        out_model_dir=folder / "strange", optimizer="adam", base_tflite=folder / "strange.tflite", head_softmax=True
    )
    convert(options)


@pytest.fixture(scope="module")
def place(
    tiny_models: Mapping[str, Path], upstream_models: Mapping[str, Path], tiny_photos: Path, draw: Callable,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A folder with good and bad things of every kind."""
    here = tmp_path_factory.mktemp("bad")
    for name, source in {"model": tiny_models["sgd"], "adam": tiny_models["adam"], "nameless": upstream_models["sgd"],
                         "photos": tiny_photos}.items():  # fmt: skip
        shutil.copytree(source, here / name)
    shutil.copy(tiny_models["sgd"].parent / "base.tflite", here / "base.tflite")
    whole = (here / "base.tflite").read_bytes()
    (here / "truncated.tflite").write_bytes(whole[: len(whole) // 2])
    (here / "garbage.tflite").write_bytes(b"garbage" * 50)
    for name in ("mixed", "damaged", "incomplete"):
        shutil.copytree(here / "model", here / name)
    shutil.copy(here / "adam" / "inference.tflite", here / "mixed")
    (here / "damaged" / "optimizer.tflite").write_bytes(b"garbage" * 50)
    (here / "incomplete" / "train_head.tflite").unlink()
    unsupported(here)
    g = GraphBuilder()
    g.output("y", g.op("NEG", [g.input("x", (1, 7))], "y", (1, 7)))
    (here / "vector.tflite").write_bytes(write(g.model("vector")))

    for name in ("note.png", "cut.jpg"):
        (here / name).write_text("no picture")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(here / "good.png")
    shutil.copytree(here / "photos", here / "flawed")
    for name in ("red", "blue"):
        shutil.copy(here / "note.png", here / "flawed" / name / "bad.png")
    shutil.copytree(here / "photos", here / "stranger")
    (here / "stranger" / "blue").rename(here / "stranger" / "mauve")
    shutil.copytree(here / "photos", here / "hollow")
    (here / "hollow" / "teal").mkdir()
    (here / "few" / "red").mkdir(parents=True)
    shutil.copy(here / "good.png", here / "few" / "red" / "a.png")
    (here / "void").mkdir()
    os.mkfifo(here / "pipe")

    for name in ("model", "adam"):
        with TransferLearningModel(here / name, seed=1) as model:
            model.save(here / f"{name}.state")
    TransferLearningModel(here / "model", cache_dir=here / "kept").close()
    for index in (here / "kept").glob("*.index"):
        index.write_text("no index")
    (here / "cut.state").write_bytes((here / "model.state").read_bytes()[:100])
    return here


TRAIN = "train model photos --state new.state"
CONVERT = "convert --base_tflite=base.tflite --head_softmax --optimizer=adam --out_model_dir=out"
FAILED, USAGE = 1, 2
BOTH = r"2 images cannot be read:\n  flawed/blue/bad.png is .*\n  flawed/red/bad.png is"
LONG = 300 * "n"  # longer than a name may be


TABLE: list[Any] = [
    # models
    ("train gone photos --state s", FAILED, "there is no model gone: neither a folder"),
    ("predict incomplete good.png", FAILED, "incomplete has no train_head.tflite"),
    ("predict damaged good.png", FAILED, "optimizer.tflite "),
    ("evaluate mixed photos", FAILED, "the files of mixed come from different conversions: initialize"),
    ("predict strange good.png", FAILED, "bottleneck.tflite needs .* SKIP_GRAM"),
    ("inspect gone", FAILED, "gone cannot be read: No such file or directory"),
    ("inspect garbage.tflite", FAILED, "garbage.tflite is not a .tflite file"),
    ("inspect truncated.tflite", FAILED, "truncated.tflite is damaged"),
    ("inspect void", FAILED, "void has no initialize.tflite"),
    # classes
    ("train model stranger --state s", FAILED, "classes green, mauve, red, and the model has red, green, blue: mauve"),
    ("evaluate model stranger", FAILED, "mauve is unknown"),
    ("train nameless photos --state s", FAILED, r"the model has 4 classes, but 3 were given \(blue, green, red\)"),
    ("train model photos --state s --class_names a,b", FAILED, r"has 3 classes \(red, green, blue\), but 2 were given"),
    ("predict model good.png --class_names a,b,a", FAILED, "hold a more than once"),
    ("predict nameless good.png", FAILED, "this model has 4 classes without names"),
    # photos
    ("train model few --state s", FAILED, "Too few samples to start training: need 5, got 1"),
    ("train model flawed --state s", FAILED, BOTH),
    ("train model flawed --state s --validation_split 0.4 --seed 1", FAILED, BOTH),
    ("evaluate model flawed", FAILED, BOTH),
    ("predict model good.png note.png", FAILED, "note.png is not an image that Pillow can read"),
    ("predict model gone.png", FAILED, "there is no image gone.png"),
    (f"predict model gone.png {40 * 'good.png '} note.png", FAILED, "2 images .*\n  there is no .*gone.png.\n  note"),
    ("predict model photos", FAILED, "photos is a folder, and no image"),
    ("train model hollow --state s", FAILED, r"hollow: no image in the class folder\(s\) teal"),
    ("train model void --state s", FAILED, "void holds no folders; it must hold one folder of images a class"),
    ("train model good.png --state s", FAILED, "good.png is not a folder"),
    # outputs
    ("train model photos --state model/optimizer.tflite --overwrite", USAGE, "is named for something else too"),
    ("train model photos --state s --json_out adam.state", USAGE, "adam.state is there, and is another kind of file"),
    ("train model photos --state s --plot note.png", USAGE, "note.png is there, and is another kind of file"),
    ("train model photos --state /proc/s", USAGE, "--state /proc/s cannot be written: "),
    ("inspect model --json_out model/optimizer.tflite", USAGE, "is named for something else too"),
    ("export model --state model.state --out model.state --overwrite", USAGE, "is named for something else too"),
    ("export model --out model/base.tflite --json_out base.tflite", USAGE, "is there, and is another kind of file"),
    ("inspect /dev/zero", FAILED, "/dev/zero cannot be read: it is not a file"),
    ("inspect pipe", FAILED, "pipe cannot be read: it is not a file"),
    # states
    ("train model photos --state model.state", USAGE, "there is a state model.state already: --resume"),
    (f"{TRAIN} --resume adam.state", FAILED, "adam.state belongs to the model [0-9a-f]{16}, and this is [0-9a-f]{16}"),
    (f"{TRAIN} --resume gone.state", FAILED, "there is no state gone.state"),
    (f"{TRAIN} --resume cut.state", FAILED, "cut.state cannot be read as a state"),
    ("train model photos --state cut.state --resume cut.state", FAILED, "cut.state cannot be read as a state"),
    ("predict model good.png --state note.png", FAILED, "note.png cannot be read as a state"),
    ("evaluate model photos --state gone.state", FAILED, "there is no state gone.state"),
    ("train model photos --state gone/s", USAGE, "--state gone/s: there is no folder .*gone"),
    ("train model photos --state void --overwrite", USAGE, "--state void is a folder"),
    ("train model photos --state void", USAGE, "--state void is a folder; it must name a file"),
    ("predict model good.png --state void", USAGE, "the state void is a folder; it must be a file"),
    ("train nameless few --state s", FAILED, "but 1 were given .red.; training takes at least 2"),
    ("train model photos --state s --class_names ,", USAGE, "--class_names must be names with commas .* but is ','"),
    (f"{TRAIN} --num_threads 99999999999", USAGE, "num_threads must be at most 1024, but is 99999999999"),
    # caches
    (f"{TRAIN} --cache_dir good.png", USAGE, "cache_dir good.png must be a folder that can be written: File exists"),
    (f"{TRAIN} --cache_dir gone/a", USAGE, "cache_dir gone/a must be a folder that can be written: No such file"),
    (f"{TRAIN} --cache_dir /proc/a", USAGE, "cache_dir /proc/a must be a folder that can be written"),
    (f"{TRAIN} --cache_dir kept", FAILED, r"kept/[0-9a-f]{32}\.index is damaged, or no index of bottlenecks"),
    ("evaluate model photos --cache_dir kept", FAILED, r"\.index is damaged, or no index of bottlenecks: delete it"),
    # options
    (f"{TRAIN} --backend torch", USAGE, "the backend must be one of numpy, tflite, but is 'torch'"),
    (f"{TRAIN} --epochs 0", USAGE, "'--epochs'"),
    (f"{TRAIN} --epochs many", USAGE, "'--epochs'"),
    (f"{TRAIN} --seed -1", USAGE, "'--seed'"),
    (f"{TRAIN} --seed 1 --resume model.state", USAGE, "--seed is for a new training"),
    (f"{TRAIN} --validation_split 1.5", USAGE, "'--validation_split'"),
    (f"{TRAIN} --validation_split nan", USAGE, "'--validation_split'"),
    (f"{TRAIN} --num_threads 0", USAGE, "num_threads must be at least 1, but is 0"),
    (f"{TRAIN} --plot loss.pdf", USAGE, "a plot goes to a .png in a folder that is there, not to loss.pdf"),
    (f"{TRAIN} --plot gone/loss.png", USAGE, "a plot goes to a .png"),
    (f"{TRAIN} --json_out gone/a.json", USAGE, "--json_out gone/a.json must be a file in a folder that is there"),
    ("inspect model --json_out void", USAGE, "--json_out void"),
    ("inspect garbage.tflite --json_out garbage.tflite", USAGE, "is named for something else too"),
    ("predict model good.png --json_out gone/a.json", USAGE, "--json_out gone/a.json must be a file in a folder that"),
    ("evaluate model photos --json_out void", USAGE, "--json_out void must be a file in a folder that is there"),
    ("evaluate model photos --json_out gone/a.json", USAGE, "--json_out gone/a.json must be a file in a folder"),
    (f"{TRAIN} --json_out new.state", USAGE, "--json_out new.state is named for something else too; it needs a file"),
    (f"{TRAIN} --json_out void/../new.state", USAGE, "new.state is named for something else too"),
    (f"{TRAIN} --plot a.png --json_out a.png", USAGE, "--json_out a.png is named for something else too"),
    ("train model photos --state a.png --plot a.png", USAGE, "--plot a.png is named for something else too"),
    (f"{TRAIN} --resume model.state --json_out model.state", USAGE, "--json_out model.state is named for something"),
    ("evaluate model photos --state model.state --json_out model.state", USAGE, "--json_out model.state is named"),
    ("predict model good.png --json_out good.png", USAGE, "--json_out good.png is named for something else too"),
    # what only the operating system knows
    (f"inspect {LONG}", FAILED, f"{LONG}: File name too long"),
    (f"evaluate model {LONG}", FAILED, f"{LONG}: File name too long"),
    (f"train model photos --state {LONG}", FAILED, f"{LONG}: File name too long"),
    (f"predict model good.png --state {LONG}", FAILED, f"{LONG}: File name too long"),
    ("predict model good.png --top 0", USAGE, "'--top'"),
    ("predict model", USAGE, "Missing argument 'IMAGE'"),
    ("train model photos", USAGE, "Missing option '--state'"),
    (f"{TRAIN} --momentum 1", USAGE, "No such option: --momentum"),
    ("teach model photos", USAGE, "No such command 'teach'"),
    # conversions
    (CONVERT.replace("base.tflite", "gone.tflite"), USAGE, "--base_tflite gone.tflite is not a file"),
    (CONVERT.replace("base.tflite", "garbage.tflite"), FAILED, "garbage.tflite "),
    (CONVERT.replace("base.tflite", "truncated.tflite"), FAILED, "truncated.tflite is damaged"),
    (CONVERT.replace("base.tflite", "vector.tflite"), FAILED, "vector.tflite is no image model"),
    (CONVERT.replace("adam", "sgd"), USAGE, "--sgd_learning_rate is required when SGD is used as an optimizer"),
    (CONVERT.replace("adam", "sgd") + " --sgd_learning_rate=nan", USAGE, "rate must be more than 0, but is nan"),
    (CONVERT.replace("adam", "lion"), USAGE, "--optimizer must be one of sgd | adam, but is 'lion'"),
    (CONVERT.replace("--head_softmax ", ""), USAGE, "exactly one head must be given"),
    (CONVERT.replace("=out", "=model"), USAGE, "--out_model_dir model is not empty; --overwrite replaces"),
    (CONVERT.replace("=out", "=good.png"), USAGE, "--out_model_dir good.png is a file"),
    (CONVERT.replace("=out", "=good.png/out"), FAILED, "good.png/out cannot be written: Not a directory"),
    (f"{CONVERT} --num_classes=1", USAGE, "--num_classes must be at least 2, but is 1"),
    (f"{CONVERT} --train_batch_size=0", USAGE, "--train_batch_size must be at least 1, but is 0"),
    (f"{CONVERT} --num_classes=2147483648", USAGE, "--num_classes 2147483648 with .* takes an array of 8,589,934,592 "),
    (f"{CONVERT} --num_classes=20000000", USAGE, "--num_classes 20000000 with 48 feature.* 3,840,000,000 bytes"),
    (f"{CONVERT} --train_batch_size={10**20}", USAGE, "--train_batch_size 1000.* 2,147,483,648 is the most"),
    (f"{CONVERT} --train_batch_size=200000000", USAGE, "--train_batch_size 200000000 with "),
    (f"{CONVERT} --class_names=,", USAGE, "--class_names must be names with commas between them, but is ','"),
    (f"{CONVERT} --class_names=a,b", USAGE, "--class_names must be 4 different names, but is a, b"),
    (f"{CONVERT} --base_layer=gone", USAGE, "base.tflite computes no tensor 'gone'; the nearest names: pixels"),
    (f"{CONVERT} --base_pooling=avg", USAGE, "--base_pooling avg needs a bottleneck"),
    (f"{CONVERT} --base_quantize", USAGE, "--base_quantize quantises while converting"),
    (f"{CONVERT} --base_mobilenetv2", USAGE, "exactly one base must be given"),
]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(("line", "code", "message"), TABLE)
def test_bad_input(
    line: str, code: int, message: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(place)
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["tflite-transfer", *line.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == code
    assert out == ""
    (told,) = re.findall(r"(?:^tflite-transfer: error|^Error): (.*(?:\n  .*)*)", err, re.MULTILINE)
    assert re.search(message, told)
    assert contents(place) == before


def test_a_nan_in_an_image_array(place: Path) -> None:
    image: Any = np.full((4, 4, 3), 0.5, np.float32)
    image[0, 1, 2] = np.nan
    with TransferLearningModel(place / "model") as model:
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\], but goes from nan to nan"):
            model.predict(image)
        with pytest.raises(ValueError, match="goes from nan to nan"):
            model.add_sample(image, "red").result(60)
        assert model.sample_count == 0


MISSING = {  # package: what needs it, what is told
    "ai_edge_litert": (
        "predict {model} x.png --backend tflite",
        "the TFLite backend needs ai-edge-litert: {pip} ai-edge-litert (or tflite-transfer[tflite])",
    ),
    "matplotlib": (
        "train {model} {photos} --state a --plot a.png",
        "a plot needs matplotlib: {pip} matplotlib (or tflite-transfer[plot])",
    ),
    "tensorflow": (
        "convert --base_mobilenetv2 --head_softmax --optimizer=adam --out_model_dir=out",
        "this base (Keras or SavedModel) needs tensorflow: {pip} tensorflow (or tflite-transfer[convert])",
    ),
}


@pytest.mark.parametrize("package", MISSING)
def test_a_missing_extra_is_one_line(package: str, tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> None:
    words, message = MISSING[package]
    code = f"import sys; sys.modules['{package}'] = None; from tflite_transfer.cli.app import main; main()"
    command = [sys.executable, "-c", code, *words.format(model=tiny_model, photos=tiny_photos).split()]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    line = message.format(pip="pip install")
    assert (ended.returncode, ended.stderr) == (1, f"tflite-transfer: error: {line}\n")
    assert list(tmp_path.iterdir()) == []
