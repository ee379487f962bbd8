"""The runtime: add samples, train the head while predicting, save and restore."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.classes import agree_classes, classes_of_folders
from tflite_transfer.evaluation import Evaluation, evaluate
from tflite_transfer.images import ImageLike, load_image
from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.reference.tflite.errors import ClosedError, DataError, OptionError, ShapeError, StateError
from tflite_transfer.samples import SampleStore
from tflite_transfer.state import State, load_state, save_state
from tflite_transfer.training import Pace, epoch_batches

_CLOSED = "Cannot operate on terminating model"
_BATCH = 16  # images that go through the base together in predict_batch: more gave no speed, and takes memory


@dataclass(frozen=True)
class Prediction:
    """A class and how sure the model is of it."""

    class_name: str
    confidence: float


class TransferLearningModel:
    """A converted model that learns: a frozen base and a head trained on the device.

    >>> model = TransferLearningModel("my_model", ["cat", "dog"])       # doctest: +SKIP
    >>> model.add_samples((path, path.parent.name) for path in Path("photos").glob("*/*.jpg"))  # doctest: +SKIP
    >>> model.train(20).result()                                        # doctest: +SKIP
    >>> model.predict("new.jpg")[0]                                     # doctest: +SKIP

    Threads may call every method. Bottlenecks are computed once for each sample, in a pool; one thread trains.

    Parameters
    ----------
    model_dir : the folder of the five .tflite files
    classes : the classes' names, in the order of the labels' columns; by default those in the files
    backend : ``numpy`` (the reference) or ``tflite`` (LiteRT)
    num_threads : for the bottlenecks; by default one for each core this process may use
    seed : of the shuffle; drawn if None. A state that is restored brings its own
    state : a path: loaded if it exists, written after each training; delete it to start anew
    """

    def __init__(
        self,
        model_dir: str | Path,
        classes: Sequence[str] | None = None,
        *,
        backend: str = "numpy",
        num_threads: int | None = None,
        seed: int | None = None,
        state: str | Path | None = None,
    ) -> None:
        if num_threads is not None and num_threads < 1:
            raise OptionError(f"num_threads must be at least 1, but is {num_threads}.")
        if seed is not None and seed < 0:
            raise OptionError(f"seed must be 0 or more, but is {seed}.")
        threads = num_threads or _cores()
        self._bundle = load_bundle(model_dir)
        self._classes = agree_classes(classes, self._bundle, str(model_dir))
        self._backend = open_backend(backend, self._bundle, threads)
        self._samples = SampleStore(self._bundle.features)
        self._seed = secrets.randbits(32) if seed is None else seed
        self._pace = Pace()
        self._closed = False
        self._updating = threading.Lock()  # held while parameters and slots change together: a chunk at the most
        self._epoch_turn = threading.Lock()  # trainings take turns by the epoch
        self._reset()
        self._state_path = None if state is None else Path(state)
        if self._state_path is not None and self._state_path.exists():
            self.restore(self._state_path)
        own = self._own_threads = set[int]()  # those cannot wait for their own end in close()
        self._pool = ThreadPoolExecutor(threads, "bottlenecks", lambda: own.add(threading.get_ident()))
        self._trainer = ThreadPoolExecutor(1, "training", lambda: own.add(threading.get_ident()))

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
        return self._seed

    @property
    def sample_count(self) -> int:
        """How many samples were added, counting those still being computed."""
        return self._samples.expected()

    # ---- samples

    def add_sample(self, image: ImageLike, class_name: str) -> Future[None]:
        """Cache a sample's bottleneck; the future ends when it is computed. See ``load_image`` for images.

        Raises DataError at once for an unknown class; the future raises ImageError for an image that is none.
        """
        self._check_open()
        if class_name not in self.classes:
            known = ", ".join(self.classes)
            raise DataError(f'Class "{class_name}" is not one of the classes recognized by the model: {known}.')
        place = self._samples.reserve(self.classes.index(class_name))
        try:
            future = self._pool.submit(self._add, place, image)
        except RuntimeError as e:  # closed by another thread since the check
            self._samples.resolve(place, None)
            raise ClosedError(_CLOSED) from e
        future.add_done_callback(lambda f: self._samples.resolve(place, None) if f.cancelled() else None)
        return future

    def add_samples(self, samples: Iterable[tuple[ImageLike, str]]) -> list[Future[None]]:
        """``add_sample`` for pairs of image and class name."""
        return [self.add_sample(image, class_name) for image, class_name in samples]

    def _add(self, place: int, image: ImageLike) -> None:
        bottleneck = None
        try:
            bottleneck = self._bottlenecks([image])[0]
        finally:
            self._samples.resolve(place, bottleneck)

    def _bottlenecks(self, images: Sequence[ImageLike]) -> Array:
        height, width, depth = self._bundle.image_shape
        low, high = self._bundle.input_range
        pixels = np.stack([load_image(image, (height, width, depth)) for image in images])
        return self._backend.bottlenecks(pixels * np.float32(high - low) + np.float32(low))

    # ---- training

    def train(self, num_epochs: int, on_loss: Callable[[int, float], None] | None = None) -> Future[list[float]]:
        """Train in the background; the future's result is each epoch's mean loss.

        ``on_loss(epoch, loss)`` is called after each epoch, on the training thread. Cancelling the future stops after
        the running chunk of steps, and keeps them. Samples added meanwhile join at the next epoch.
        Raises DataError with fewer samples than a batch.
        """
        self._check_open()
        self._check_enough()
        future: Future[list[float]] = Future()
        try:
            self._trainer.submit(self._train, future, num_epochs, on_loss)
        except RuntimeError as e:  # closed by another thread since the check
            raise ClosedError(_CLOSED) from e
        return future

    def _train(
        self, future: Future[list[float]], num_epochs: int, on_loss: Callable[[int, float], None] | None
    ) -> None:
        losses: list[float] = []
        error: BaseException | None = None
        try:
            with closing(self._epochs(num_epochs, lambda: self._closed or future.cancelled())) as epochs:
                for epoch, loss in enumerate(epochs):
                    losses.append(loss)
                    if on_loss is not None:
                        on_loss(epoch, loss)
        except BaseException as e:
            error = e
        if not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(losses)

    def epochs(self, num_epochs: int) -> Iterator[float]:
        """Train in the caller's thread, an epoch at a time: a generator of each epoch's mean loss."""
        self._check_open()
        self._check_enough()
        return self._epochs(num_epochs, lambda: self._closed)

    def _epochs(self, num_epochs: int, stop: Callable[[], bool]) -> Generator[float]:
        self._samples.wait(self._samples.places)
        before = self._params
        try:
            for _ in range(num_epochs):
                with self._epoch_turn:
                    loss = self._train_epoch(stop)
                if loss is None:
                    return
                yield loss
        finally:
            if self._state_path is not None and self._params is not before:
                self.save(self._state_path)

    def _train_epoch(self, stop: Callable[[], bool]) -> float | None:
        """The mean loss of one epoch's batches, or None where ``stop`` ended it."""
        bottlenecks, classes = self._samples.snapshot()
        self._check_enough(len(bottlenecks))
        batches = epoch_batches(self._seed, self._epoch, len(bottlenecks), self.batch_size)
        losses: list[Array] = []
        at = 0
        while at < len(batches):
            if stop():
                return None
            chunk = batches[at : at + self._pace.steps]
            started = time.perf_counter()
            with self._updating:
                steps = self._backend.train(self._params, self._slots, bottlenecks, classes, chunk)
                self._params, self._slots = steps.params, steps.slots
            self._pace.took(len(chunk), time.perf_counter() - started)
            losses.append(steps.losses)
            at += len(chunk)
        self._epoch += 1
        return float(np.concatenate(losses).astype(np.float64).mean())

    def _check_enough(self, count: int | None = None) -> None:
        got = self._samples.expected() if count is None else count
        if got < self.batch_size:
            raise DataError(f"Too few samples to start training: need {self.batch_size}, got {got}")

    # ---- prediction

    def predict(self, image: ImageLike) -> list[Prediction]:
        """Every class with its confidence, the surest first. May be called while a training runs."""
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Iterable[ImageLike]) -> list[list[Prediction]]:
        """``predict`` for several images."""
        self._check_open()
        names = self.classes
        return [
            sorted((Prediction(c, float(p)) for c, p in zip(names, row, strict=True)), key=lambda q: -q.confidence)
            for row in self._probabilities(list(images))
        ]

    def evaluate(self, samples: Iterable[tuple[ImageLike, str]]) -> Evaluation:
        """Loss, accuracy and confusion matrix over pairs of image and class name. Raises DataError without any."""
        self._check_open()
        pairs = list(samples)
        unknown = sorted({name for _, name in pairs} - set(self.classes))
        if unknown or not pairs:
            what = f"has the classes {', '.join(unknown)}" if unknown else "holds no samples"
            raise DataError(f"the evaluation {what}; the model knows {', '.join(self.classes)}.")
        truth = np.array([self.classes.index(name) for _, name in pairs])
        return evaluate(self._probabilities([image for image, _ in pairs]), truth, self.classes)

    def _probabilities(self, images: list[ImageLike]) -> Array:
        params = self._params  # one set for all images, whatever a training publishes meanwhile
        parts = [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]
        run = self._pool.map if len(parts) > 1 else map  # one part does not wait behind the pool's new samples
        try:
            rows = [self._backend.predict(params, part) for part in run(self._bottlenecks, parts)]
        except (CancelledError, RuntimeError) as e:
            if self._closed:  # by another thread since the check
                raise ClosedError(_CLOSED) from e
            raise
        return np.concatenate(rows) if rows else np.empty((0, self._bundle.classes), np.float32)

    # ---- parameters and state

    def initialize(self) -> None:
        """Go back to the converted weights, zero slots and step, and the first epoch's shuffle."""
        self._check_open()
        with self._updating:
            self._reset()

    def _reset(self) -> None:
        self._params: Tree = self._backend.initialize()
        self._slots: Tree = {name: np.zeros(shape, np.float32) for name, shape in self._bundle.slots.items()}
        self._epoch = 0

    def parameters(self) -> dict[str, Array]:
        """A copy of each parameter, by name."""
        self._check_open()
        return {name: np.array(value) for name, value in self._params.items()}

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Replace every parameter; the optimizer's slots stay. Raises ShapeError."""
        self._check_open()
        shapes = self._bundle.parameters
        if set(parameters) != set(shapes):
            raise ShapeError(f"the model takes the parameters {sorted(shapes)}, but was given {sorted(parameters)}.")
        new = {name: np.array(parameters[name], np.float32) for name in shapes}
        for name, value in new.items():
            if value.shape != shapes[name]:
                raise ShapeError(f"{name} must have shape {shapes[name]}, but has {value.shape}.")
        with self._updating:
            self._params = new

    def state(self) -> State:
        """A copy of all that training changes."""
        with self._updating:
            params = {k: np.array(v) for k, v in self._params.items()}
            slots = {k: np.array(v) for k, v in self._slots.items()}
            return State(params, slots, self._classes, self._seed, self._epoch)

    def save(self, path: str | Path, state: State | None = None) -> None:
        """Write a state (the present one if None) to one ``.safetensors`` file, whole or not at all."""
        save_state(Path(path), state or self.state(), self._bundle)

    def restore(self, path: str | Path) -> None:
        """Go on from a saved state: the next epoch is bit for bit what it would have been. Raises StateError."""
        state = load_state(Path(path), self._bundle)
        if state.classes is not None and self._classes is not None and state.classes != self._classes:
            raise StateError(
                f"{path} was trained for the classes {', '.join(state.classes)}, "
                f"and this model has {', '.join(self._classes)}."
            )
        with self._updating:
            self._params, self._slots = state.params, state.slots
            self._seed, self._epoch = state.seed, state.epoch
            self._classes = self._classes or state.classes

    # ---- the end

    def close(self) -> None:
        """Stop a running training after its chunk of steps and free the threads; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        wait = threading.get_ident() not in self._own_threads  # closed from within on_loss, or a future's callback
        self._pool.shutdown(wait, cancel_futures=True)
        self._trainer.shutdown(wait)

    def __enter__(self) -> TransferLearningModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(_CLOSED)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
