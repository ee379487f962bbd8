"""The tutorial's script in a small form, on Fashion-MNIST's photos of the demo; and the notebook that is made of it."""

import base64
import gzip
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from docs.make_notebooks import SCRIPTS
from tflite_transfer import TrainingModel
from tflite_transfer.converter import make_trainable
from tflite_transfer.converter.tensorflow import tensorflow
from tflite_transfer.idx import read_idx

SCRIPT = SCRIPTS[-1]
NOTEBOOK = SCRIPT.with_suffix(".ipynb")
ROOT = SCRIPT.parents[1]
PHOTOS = ROOT / "demo" / "photos"
LABELS = {"T-shirt": 0, "Trouser": 1, "Sneaker": 7, "Bag": 8}
BACKENDS = ("numpy", "tflite")
SAMPLES, BATCH, EPOCHS, DEVICE_EPOCHS = 180, 20, 10, 5
TUTORIAL = {  # its own losses of the last batch
    ("pre-training, Keras", 10): 0.428,
    ("pre-training, Keras", 100): 0.230,
    **{(f"on device, {backend}", epoch): loss for backend in BACKENDS for epoch, loss in ((10, 0.223), (50, 0.198))},
}


class Told(NamedTuple):
    """What the script made and said."""

    out: Path
    text: str


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"examples.{SCRIPT.stem}", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def curves(text: str) -> dict[str, dict[int, tuple[float, float]]]:
    """Each training's losses by epoch: the mean, and the last batch's."""
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for line in text.splitlines():
        if line.startswith(("pre-training", "on device")):
            found[line] = {}
        elif told := re.fullmatch(r"  epoch (\d+): loss ([\d.]+), last batch ([\d.]+)", line):
            list(found.values())[-1][int(told[1])] = (float(told[2]), float(told[3]))
    return found


def write_idx(path: Path, values: Sequence[NDArray[np.uint8]] | Sequence[int]) -> None:
    array = np.asarray(values, np.uint8)
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four files: the demo's 200 test photos to train with, for they are more, and its 80 others to test with."""
    folder = tmp_path_factory.mktemp("fashion-mnist")
    for part, photos in (("train", PHOTOS / "test"), ("t10k", PHOTOS / "train")):
        files = sorted(photos.glob("*/*.png"), key=lambda p: (p.name, p.parent.name))  # classes in turn
        images = [np.asarray(Image.open(f)) for f in files]
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", [LABELS[f.parent.name] for f in files])
    return folder


@pytest.fixture(scope="module")
def told(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    out = tmp_path_factory.mktemp("tutorial") / "out"
    ended = run(
        "--data", data, "--out", out, "--backend", *BACKENDS, "--samples", SAMPLES, "--batch_size", BATCH,
        "--epochs", EPOCHS, "--device_epochs", DEVICE_EPOCHS,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return Told(out, ended.stdout)


@pytest.fixture
def network(told: Told) -> Any:
    """What Keras had at the hand-over."""
    return tensorflow("the tutorial").keras.models.load_model(told.out / "fashion.keras")


def pixels(data: Path, part: str) -> NDArray[np.float32]:
    return read_idx(data / f"{part}-images-idx3-ubyte.gz").astype(np.float32) / 255


def test_losses_fall_and_the_hand_over_does_not_jump(told: Told, network: Any, data: Path) -> None:
    """The device has the losses that Keras, from the same weights and in the same order, would have had next."""
    means = {name: [mean for mean, _ in curve.values()] for name, curve in curves(told.text).items()}
    before = means["pre-training, Keras"]
    x, y = (values[:SAMPLES] for values in (pixels(data, "train"), read_idx(data / "train-labels-idx1-ubyte.gz")))
    following = network.fit(x, y, BATCH, DEVICE_EPOCHS, shuffle=False, verbose=0).history["loss"]
    assert len(before) == EPOCHS
    for backend in BACKENDS:
        device = means[f"on device, {backend}"]
        np.testing.assert_allclose(device, following, rtol=0, atol=1e-6)  # seen: 4.8e-7; the printing rounds by 5e-7
        assert np.all(np.diff(before + device) < 0)


def test_the_converted_file_gives_what_keras_gave(told: Told, network: Any, data: Path) -> None:
    x = pixels(data, "t10k")
    flat = x.reshape(len(x), -1).astype(np.float64)
    w1, b1, w2, b2 = (w.astype(np.float64) for w in network.get_weights())
    exact = np.maximum(flat @ w1 + b1, 0) @ w2 + b2
    terms = (flat @ np.abs(w1) + np.abs(b1)) @ np.abs(w2) + np.abs(b2)
    files = {b: TrainingModel(told.out / "fashion.tflite", backend=b).infer(x)["logits"] for b in BACKENDS}
    for name, z in {"Keras": np.asarray(network(x)), **files}.items():
        assert np.all(np.abs(z - exact) <= 2**-24 * terms), name  # seen: a quarter of it, by each
        if name != "Keras":
            assert f"{name} against Keras: " in told.text
    assert told.text.count(", the same class for 100.00% of the test images") == len(BACKENDS)


def test_converting_says_nothing_in_a_notebook(network: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """There TensorFlow tells of what it does, from INFO on."""
    log = logging.getLogger("tensorflow")
    log.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, "tensorflow"):
            make_trainable(network, tmp_path / "a.tflite")
            assert log.level == logging.INFO
    finally:
        log.removeHandler(caplog.handler)
    assert caplog.messages == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_was_learned_is_restored(backend: str, told: Told, data: Path) -> None:
    """In the script's own fresh interpreter with the same bits, and here in another process."""
    said = re.search(rf"{backend}: restored with the same bits, test accuracy ([\d.]+) -> ([\d.]+)", told.text)
    assert said is not None
    x, y = pixels(data, "t10k"), read_idx(data / "t10k-labels-idx1-ubyte.gz")
    model = TrainingModel(told.out / "fashion.tflite", backend=backend)
    first = model.infer(x)["logits"]
    model.restore(told.out / f"{backend}.safetensors")
    learned = model.infer(x)["logits"]
    assert model.epoch == DEVICE_EPOCHS
    assert np.abs(learned - first).max() > 0.1  # seen: 1.05
    assert [f"{np.mean(z.argmax(1) == y):.4f}" for z in (first, learned)] == [said[1], said[2]]


def colours(picture: Image.Image) -> set[Any]:
    return {colour for _, colour in picture.convert("RGB").getcolors(2**24) or ()}


def test_pictures(told: Told) -> None:
    blue, orange, green = (31, 119, 180), (255, 127, 14), (44, 160, 44)  # the curves'
    with Image.open(told.out / "loss.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (768, 480))
        assert colours(picture) >= {blue, orange, green}
    with Image.open(told.out / "predictions.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (990, 770))
        assert (0, 100, 0) in colours(picture)  # a title of one that is right


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "gone"), "error: gone/train-images-idx3-ubyte.gz cannot be read: No such file or directory. The "),
        (("--epochs", "0"), "error: --epochs must be at least 1"),
        (("--backend", "torch"), "invalid choice: 'torch'"),
    ],
)
def test_what_cannot_begin_is_said_before_anything_slow(words: tuple[str, ...], message: str) -> None:
    ended = run(*words)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_notebook_was_run_and_shows_the_tutorial_s_figures() -> None:
    ran = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in ran for output in cell["outputs"]]
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    assert {output["output_type"] for output in outputs} == {"stream", "execute_result"}  # no error
    streams = [output for output in outputs if output["output_type"] == "stream"]
    assert {output["name"] for output in streams} == {"stdout"}
    text = "".join("".join(output["text"]) for output in streams)
    found = curves(text)
    for (name, epoch), tutorial_s in TUTORIAL.items():
        assert abs(found[name][epoch][1] - tutorial_s) < 0.03, (name, epoch)  # four other first weights: by 0.032
    assert text.count("restored with the same bits") == len(BACKENDS)
    pictures = [base64.b64decode(output["data"]["image/png"]) for output in outputs if "data" in output]
    assert [Image.open(io.BytesIO(picture)).size for picture in pictures] == [(768, 480), (990, 770)]
    assert NOTEBOOK.stat().st_size < 150_000
