"""Ten classes of real colour photos: the accuracy that the README states, on both backends alike."""

from pathlib import Path

import numpy as np

from tflite_transfer import TransferLearningModel
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.dataset import read_folder, samples
from tflite_transfer.evaluation import Evaluation

BASE = Path(__file__).parents[2] / "demo" / "base.tflite"


def learned(backend: str, model: Path, clothing: Path) -> tuple[list[float], Evaluation]:
    training, test = (read_folder(clothing / part) for part in ("train", "test"))
    with TransferLearningModel(model, sorted(training), backend=backend, seed=1) as learner:
        for added in learner.add_samples(samples(training)):
            added.result()
        losses = learner.train(40).result()
        return losses, learner.evaluate(samples(test))


def test_ten_classes_of_photos(clothing: Path, tmp_path: Path) -> None:
    model = convert(ConversionOptions(tmp_path / "model", "adam", base_tflite=BASE, head_softmax=True, num_classes=10))
    (our_losses, ours), (their_losses, theirs) = (learned(b, model, clothing) for b in ("numpy", "tflite"))
    assert ours.samples == 372
    assert ours.accuracy >= 0.77  # seen: 0.790 on both
    assert abs(ours.accuracy - theirs.accuracy) <= 1 / 372  # a photo on the edge; seen: 0
    assert np.abs(np.subtract(our_losses, their_losses)).max() < 1e-6  # seen: 3e-8, of losses from 1.6 down to 0.1
