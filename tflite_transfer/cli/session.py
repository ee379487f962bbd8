"""What train, predict and evaluate do alike: open a model, take in samples."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from tflite_transfer.cli.compiling import tell_of_compiling
from tflite_transfer.cli.output import Meter
from tflite_transfer.dataset import Sample
from tflite_transfer.images import load_each, unreadable
from tflite_transfer.model import TransferLearningModel
from tflite_transfer.reference.tflite.errors import ImageError, OptionError, StateError


def open_model(
    model: Path,
    classes: Sequence[str] | None,
    backend: str,
    threads: int | None,
    state: Path | None,
    seed: int | None = None,
    batch_size: int | None = None,
    cache_dir: Path | None = None,
) -> TransferLearningModel:
    """The model, with a saved state if one is named: then it must be there."""
    check_state(state)
    tell_of_compiling(backend)
    opened = TransferLearningModel(
        model,
        classes,
        backend=backend,
        num_threads=threads,
        batch_size=batch_size,
        seed=seed,
        cache_dir=cache_dir,
    )
    if state is not None:
        opened.restore(state)
    return opened


def check_state(state: Path | None) -> None:
    """Raise OptionError or StateError for a state that is named and not there."""
    if state is not None and state.is_dir():
        raise OptionError(f"the state {state} is a folder; it must be a file.")
    if state is not None and not state.is_file():
        raise StateError(f"there is no state {state}.")


def tell_of_no_state(state: Path | None) -> None:
    """A line on standard error where nothing was learned that predictions could come from."""
    if state is None:
        print("no --state: the model is as it was made", file=sys.stderr)


def warn_of_classes_without(model: TransferLearningModel, folders: Collection[str]) -> None:
    """A line on standard error, and no error: a class may be learned later."""
    missing = [name for name in model.classes if name not in folders]
    if missing:
        print(f"warning: there is no image of the class(es) {', '.join(missing)} to learn from.", file=sys.stderr)


def add_all(model: TransferLearningModel, training: Sequence[Sample], held: Sequence[Sample], meter: Meter) -> None:
    """Compute each training sample's bottleneck, and look at what is held back for validation.

    Raises ImageError that lists all images that cannot be read.
    """
    futures = model.add_samples(training)
    _, bad = load_each((image for image, _ in held), (1, 1, 3))
    for future in futures:
        error = future.exception()
        meter.step()
        if isinstance(error, ImageError):
            bad.append(error)
        elif error is not None:
            raise error
    if bad:
        raise unreadable(bad)
