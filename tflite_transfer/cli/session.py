"""What train, predict and evaluate do alike: open a model, add samples, name every bad image at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tflite_transfer.cli.output import Meter
from tflite_transfer.dataset import Sample
from tflite_transfer.model import TransferLearningModel
from tflite_transfer.reference.tflite.errors import ImageError, StateError


def open_model(
    model: Path,
    classes: Sequence[str] | None,
    backend: str,
    threads: int | None,
    state: Path | None,
    seed: int | None = None,
) -> TransferLearningModel:
    """The model, with a saved state if one is named: then it must be there."""
    if state is not None and not state.is_file():
        raise StateError(f"there is no state {state}.")
    opened = TransferLearningModel(model, classes, backend=backend, num_threads=threads, seed=seed)
    if state is not None:
        opened.restore(state)
    return opened


def add_all(model: TransferLearningModel, samples: Sequence[Sample], meter: Meter) -> None:
    """Compute every sample's bottleneck. Raises ImageError that lists all images that cannot be read."""
    futures = model.add_samples(samples)
    bad: list[str] = []
    for future in futures:
        error = future.exception()
        meter.step()
        if isinstance(error, ImageError):
            bad.append(str(error))
        elif error is not None:
            raise error
    if bad:
        raise ImageError("\n  ".join([f"{len(bad)} image(s) cannot be read:", *bad]))
