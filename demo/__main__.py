"""``make demo``: convert a base without TensorFlow, train its head with both backends, compare, draw, explain.

Everything lies in the repository; nothing is downloaded. Pictures and pages go to ``demo/out``.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from demo.pages import write_explanation, write_report
from demo.pictures import draw_predictions
from tflite_transfer import TransferLearningModel
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.dataset import read_folder, samples
from tflite_transfer.plots import plot_losses
from tflite_transfer.state import State

HERE = Path(__file__).parent
OUT = HERE / "out"
EPOCHS, SEED = 20, 1


def main() -> None:
    """Run the demo and print what it measures."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    started = time.perf_counter()
    training, test = (read_folder(HERE / "photos" / part) for part in ("train", "test"))
    model = convert(
        ConversionOptions(
            out_model_dir=OUT / "model",
            base_tflite=HERE / "base.tflite",
            head_softmax=True,
            num_classes=len(training),
            class_names=tuple(training),
            optimizer="adam",
        )
    )
    print(f"converted demo/base.tflite to five files in {time.perf_counter() - started:.2f} s, without TensorFlow")
    losses: dict[str, list[float]] = {}
    states: dict[str, State] = {}
    for backend in ("numpy", "tflite"):
        with TransferLearningModel(model, backend=backend, seed=SEED) as learner:
            print(f"\n--backend {backend}")
            print(f"  accuracy before: {learner.evaluate(samples(test)).accuracy:.3f}")
            for added in learner.add_samples(samples(training)):
                added.result()
            begun = time.perf_counter()
            losses[backend] = learner.train(EPOCHS).result()
            seconds = time.perf_counter() - begun
            compiling = ", compiling the kernels included" if backend == "numpy" else ""
            first, last = losses[backend][0], losses[backend][-1]
            print(f"  loss {first:.4f} -> {last:.4f} in {EPOCHS} epochs, {seconds:.2f} s{compiling}")
            print(f"  accuracy after:  {learner.evaluate(samples(test)).accuracy:.3f}")
            states[backend] = learner.state()
            if backend == "numpy":
                draw_predictions(learner, samples(test), OUT / "predictions.png")
    _compare(losses, states)
    plot_losses(losses, OUT / "loss.png")
    print("\nevery tensor of both backends, on the same inputs:")
    print(f"  {write_report(model, HERE / 'photos' / 'train', OUT / 'report.html')}")
    write_explanation(model, HERE / "photos" / "train", OUT / "explain.html", SEED)
    print("\npictures: demo/out/loss.png, demo/out/predictions.png")
    print("pages:    demo/out/report.html, demo/out/explain.html")


def _compare(losses: dict[str, list[float]], states: dict[str, State]) -> None:
    """The largest differences between the backends, for the same seed."""
    apart = np.abs(np.subtract(losses["numpy"], losses["tflite"])).max()
    print(f"\nnumpy against tflite: losses differ by at most {apart:.1e}")
    ours, theirs = states["numpy"].params, states["tflite"].params
    for name, value in ours.items():
        scale = np.abs(value).max()
        print(f"  {name}: by at most {np.abs(value - theirs[name]).max():.1e}, where values reach {scale:.2g}")


if __name__ == "__main__":
    main()
