"""The runtime: add samples, train the head while predicting, save and restore."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array
from tflite_transfer.bottlenecks import Bottlenecks, check_threads
from tflite_transfer.cache import BottleneckCache
from tflite_transfer.classes import agree_classes, agree_states_classes, class_numbers, classes_of_folders
from tflite_transfer.evaluation import Evaluation, evaluate
from tflite_transfer.images import ImageLike
from tflite_transfer.learner import Learner
from tflite_transfer.pool import close_when_leaving
from tflite_transfer.prediction import Prediction, ranked
from tflite_transfer.reference.kernels.threads import cores
from tflite_transfer.reference.tflite.any import load_classifier
from tflite_transfer.reference.tflite.errors import ClosedError, DataError
from tflite_transfer.reference.tflite.trainable import Trainable
from tflite_transfer.rows import MemoryRows
from tflite_transfer.samples import SampleStore, check_enough
from tflite_transfer.state import State, check_state_path, load_state, save_state
from tflite_transfer.trainer import Epochs, Stop, Trainer
from tflite_transfer.training import check_batch_size, check_epochs, check_seed

_CLOSED = "Cannot operate on terminating model"


class TransferLearningModel:
    """A converted model that learns: a frozen base and a head trained on the device.

    >>> model = TransferLearningModel("my_model", ["cat", "dog"])       # doctest: +SKIP
    >>> model.add_samples((path, path.parent.name) for path in Path("photos").glob("*/*.jpg"))  # doctest: +SKIP
    >>> model.train(20).result()                                        # doctest: +SKIP
    >>> model.predict("new.jpg")[0]                                     # doctest: +SKIP

    Threads may call every method. Bottlenecks are computed once for each sample, in a pool; one thread trains.

    Parameters
    ----------
    model_dir : the folder of the five .tflite files, or a training model in one file that tells classes of images
    classes : the classes' names, in the order of the labels' columns; by default those in the files
    backend : ``numpy`` (the reference) or ``tflite`` (LiteRT)
    num_threads : for bottlenecks, and for steps of a large head; by default one for each core this process may use
    batch_size : examples in a training batch; by default the files' own
    seed : of the shuffle; drawn if None. A state that is restored brings its own
    state : a path: loaded if it exists, written after each training; delete it to start anew
    cache_dir : a folder that keeps bottlenecks, for one process at a time: samples may take more than the memory, and
        those of images that were seen before are not computed again; what ``add_sample`` and ``evaluate`` see is kept
    """

    def __init__(
        self,
        model_dir: str | Path,
        classes: Sequence[str] | None = None,
        *,
        backend: str = "numpy",
        num_threads: int | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
        state: str | Path | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        check_threads(num_threads)
        check_seed(seed)
        self._state_path = None if state is None else check_state_path(Path(state))
        threads = num_threads or cores()
        self._bundle = _with_batch(load_classifier(model_dir), batch_size)
        self._classes = agree_classes(classes, self._bundle, str(model_dir))
        self._backend = open_backend(backend, self._bundle, threads)
        self._learner = Learner(self._backend, self._bundle, secrets.randbits(32) if seed is None else seed)
        self._closed = False
        if self._state_path is not None and self._state_path.exists():
            self.restore(self._state_path)
        self._cache = None if cache_dir is None else BottleneckCache(Path(cache_dir), self._bundle, backend)
        self._rows = self._cache or MemoryRows(self._bundle.features)
        self._samples = SampleStore(self._rows)
        self._bottlenecks = Bottlenecks(self._backend, self._bundle, threads)
        self._trainer = Trainer()
        close_when_leaving(self)

    # ---- what the model is

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, in the order of the labels' columns. Raises DataError where nothing named them yet."""
        if self._classes is None:
            raise DataError(
                f"this model has {self._bundle.classes} classes without names: give classes=[...], or --class_names."
            )
        return self._classes

    def name_classes(self, folders: Sequence[str], source: str = "the data") -> None:
        """Take a data folder's class names: sorted, where nothing named the classes yet; else each must be known.

        Raises DataError, which lists both sides.
        """
        self._classes = classes_of_folders(folders, self._classes, self._bundle, source)

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self._backend.name

    @property
    def batch_size(self) -> int:
        """B: training needs at least so many samples."""
        return self._bundle.batch

    @property
    def seed(self) -> int:
        """What the shuffle is drawn from."""
        return self._learner.seed

    @property
    def sample_count(self) -> int:
        """How many samples were added, counting those still being computed."""
        return self._samples.expected()

    # ---- samples

    def add_sample(self, image: ImageLike, class_name: str) -> Future[None]:
        """Cache a sample's bottleneck; the future ends when it is computed. See ``load_image`` for images.

        Arrays and PIL images are copied: their memory may be used again. Raises DataError at once for an unknown
        class; the future raises ImageError for an image that is none.
        """
        self._check_open()
        if class_name not in self.classes:
            known = ", ".join(self.classes)
            raise DataError(f'Class "{class_name}" is not one of the classes recognized by the model: {known}.')
        place = self._samples.reserve(self.classes.index(class_name))
        try:
            return self._bottlenecks.submit(image, self._rows, partial(self._samples.resolve, place))
        except RuntimeError as e:  # closed by another thread since the check
            self._samples.resolve(place, None)
            raise ClosedError(_CLOSED) from e

    def add_samples(self, samples: Iterable[tuple[ImageLike, str]]) -> list[Future[None]]:
        """``add_sample`` for pairs of image and class name. Raises DataError for what is no pair."""
        futures = []
        for sample in samples:
            if not isinstance(sample, tuple | list) or len(sample) != 2:
                raise DataError(
                    f"a sample must be a pair of an image and its class's name, but is {type(sample).__name__}."
                )
            futures.append(self.add_sample(*sample))
        return futures

    # ---- training

    def train(self, num_epochs: int, on_loss: Callable[[int, float], None] | None = None) -> Future[list[float]]:
        """Train in the background; the future's result is each epoch's mean loss.

        ``on_loss(epoch, loss)`` is called after each epoch, on the training thread. Trainings go one after the other.
        Cancelling the future stops after the running chunk of steps, and keeps them: the next training finishes that
        epoch. Samples added meanwhile join at the next epoch. Warns of samples that could not be read.
        Raises DataError with fewer samples than a batch.
        """
        self._check_open()
        check_epochs(num_epochs)
        check_enough(self.sample_count, self.batch_size)
        try:
            return self._trainer.start(partial(self._epochs, num_epochs), on_loss)
        except RuntimeError as e:  # closed by another thread since the check
            raise ClosedError(_CLOSED) from e

    def epochs(self, num_epochs: int) -> Iterator[float]:
        """Train an epoch at a time: a generator of each epoch's mean loss, which trains while it is asked for one.

        Ctrl-C, and closing the generator, do what cancelling does in ``train``.
        """
        self._check_open()
        check_epochs(num_epochs)
        check_enough(self.sample_count, self.batch_size)
        self._trainer.refuse_to_wait()
        return self._trainer.each(partial(self._epochs, num_epochs))

    def _epochs(self, num_epochs: int, cancelled: Stop) -> Epochs:
        """Both forms of training, on the training thread."""

        def stop() -> bool:
            return self._closed or cancelled()

        self._samples.wait(self._samples.places, stop)
        if stop():
            return
        before = self._learner.params
        try:
            self._samples.warn_of_failures()
            for _ in range(num_epochs):
                loss = self._learner.train_epoch(partial(self._samples.snapshot, self.batch_size), stop)
                if loss is None:
                    return
                yield loss
        finally:
            if self._state_path is not None and self._learner.params is not before:
                self.save(self._state_path)

    # ---- prediction

    def predict(self, image: ImageLike) -> list[Prediction]:
        """Every class with its confidence, the surest first. May be called while a training runs."""
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Iterable[ImageLike]) -> list[list[Prediction]]:
        """``predict`` for several images."""
        self._check_open()
        names = self.classes
        return [ranked(row, names) for row in self._probabilities(list(images))]

    def evaluate(self, samples: Iterable[tuple[ImageLike, str]]) -> Evaluation:
        """Loss, accuracy and confusion matrix over pairs of image and class name. Raises DataError without any."""
        self._check_open()
        pairs = list(samples)
        truth = class_numbers([name for _, name in pairs], self.classes)
        return evaluate(self._probabilities([image for image, _ in pairs], self._cache), truth, self.classes)

    def _probabilities(self, images: list[ImageLike], cache: BottleneckCache | None = None) -> Array:
        params = self._learner.params  # one set for all images, whatever a training publishes meanwhile
        try:
            rows = [self._backend.predict(params, part) for part in self._bottlenecks.by_parts(images, cache)]
        except (CancelledError, RuntimeError) as e:
            if self._closed:  # by another thread since the check
                raise ClosedError(_CLOSED) from e
            raise
        return np.concatenate(rows) if rows else np.empty((0, self._bundle.classes), np.float32)

    # ---- parameters and state

    def initialize(self) -> None:
        """Go back to the converted weights, zero slots and step, and the first epoch's shuffle."""
        self._check_open()
        self._learner.reset()

    def parameters(self) -> dict[str, Array]:
        """A copy of each parameter, by name."""
        self._check_open()
        return {name: np.array(value) for name, value in self._learner.params.items()}

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Replace every parameter; the optimizer's slots stay. Raises ShapeError."""
        self._check_open()
        self._learner.replace(parameters)

    def state(self) -> State:
        """A copy of all that training changes."""
        return self._learner.state(self._classes)

    def save(self, path: str | Path, state: State | None = None) -> None:
        """Write a state (the present one if None) to one ``.safetensors`` file, whole or not at all."""
        save_state(Path(path), state or self.state(), self._bundle)

    def restore(self, path: str | Path) -> None:
        """Go on from a saved state: the next epoch is bit for bit what it would have been. Raises StateError."""
        state = load_state(Path(path), self._bundle)
        classes = agree_states_classes(state.classes, self._classes, str(path))
        self._learner.restore(state)
        self._classes = classes

    # ---- the end

    def close(self) -> None:
        """Stop a running training after its chunk of steps and free the threads; closing twice does nothing.

        A model that is still open when the program ends is closed then.
        """
        if self._closed:
            return
        self._closed = True
        # From within on_loss, or a future's callback, no thread can be waited for: each may wait for this one.
        wait = not (self._bottlenecks.is_here or self._trainer.is_here)
        self._bottlenecks.close(wait)
        self._trainer.close(wait)
        if self._cache is not None:
            self._cache.close()

    def __enter__(self) -> TransferLearningModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(_CLOSED)


def _with_batch(model: Trainable, size: int | None) -> Trainable:
    """The model with another training batch. Raises OptionError."""
    check_batch_size(size)
    return model if size is None else replace(model, batch=size)
