"""Images -> what the base makes of them, on a pool of threads. B images, F features."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial

import numpy as np

from tflite_transfer.backends.base import Array, Backend
from tflite_transfer.cache import BottleneckCache
from tflite_transfer.images import ImageLike, keep, load_each, to_range, unreadable
from tflite_transfer.pool import Pool
from tflite_transfer.reference.tflite.errors import ImageError, OptionError
from tflite_transfer.reference.tflite.trainable import Trainable
from tflite_transfer.rows import Rows

MOST_THREADS = 1024
PART = 16  # images that go through the base together: more gave no speed, and takes memory


def check_threads(number: int | None) -> None:
    """Raise OptionError for a number that no machine has; None stands for all its cores."""
    if number is not None and number < 1:
        raise OptionError(f"num_threads must be at least 1, but is {number}.")
    if number is not None and number > MOST_THREADS:
        raise OptionError(f"num_threads must be at most {MOST_THREADS}, but is {number}.")


class Bottlenecks:
    """The base with its threads. Threads may call every method; RuntimeError once it was closed."""

    def __init__(self, backend: Backend, bundle: Trainable, threads: int) -> None:
        self._backend, self._bundle = backend, bundle
        self._own = set[int]()
        self._pool = Pool(threads, "bottlenecks", lambda: self._own.add(threading.get_ident()))

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on one of the pool's threads: in a sample's callback."""
        return threading.get_ident() in self._own

    def submit(self, image: ImageLike, rows: Rows, resolve: Callable[[int | Exception | None], None]) -> Future[None]:
        """Compute one later, into a row of ``rows``.

        ``resolve`` gets its number, or what is wrong with the image, or None if it was given up.
        """

        def compute() -> None:
            found: int | Exception | None = None
            try:
                found = rows.take(kept, partial(self._one, kept))
            except Exception as e:
                found = e
                raise
            finally:
                resolve(found)

        try:
            kept = keep(image)
        except ImageError as e:
            resolve(e)
            failed: Future[None] = Future()
            failed.set_exception(e)
            return failed
        future = self._pool.submit(compute)
        future.add_done_callback(lambda f: resolve(None) if f.cancelled() else None)
        return future

    def by_parts(self, images: Sequence[ImageLike], cache: BottleneckCache | None = None) -> Iterator[Array]:
        """Bottlenecks (B, F) of ``PART`` images at a time, from the cache or into it where there is one.

        Raises ImageError that names all that cannot be read.
        """
        compute = self._compute if cache is None else partial(self._looked_up, cache)
        parts = [images[i : i + PART] for i in range(0, len(images), PART)]
        # One part does not wait behind the pool's new samples, and a thread of the pool's cannot wait for itself.
        run = map if len(parts) < 2 or self.is_here else self._pool.map
        errors: list[ImageError] = []
        for found in run(compute, parts):
            if isinstance(found, list):
                errors += found
            elif not errors:
                yield found
        if errors:
            raise unreadable(errors)

    def _compute(self, images: Sequence[ImageLike]) -> Array | list[ImageError]:
        height, width, depth = self._bundle.image_shape
        pixels, errors = load_each(images, (height, width, depth))
        return errors or self._backend.bottlenecks(to_range(pixels, self._bundle.input_range))

    def _one(self, image: ImageLike) -> Array:
        """(F,). Raises ImageError."""
        (found,) = self._compute([image])
        if isinstance(found, ImageError):
            raise found
        return found

    def _looked_up(self, cache: BottleneckCache, images: Sequence[ImageLike]) -> Array | list[ImageError]:
        rows: list[Array] = []
        errors: list[ImageError] = []
        for image in images:
            try:
                rows.append(cache.row(image, partial(self._one, image)))
            except ImageError as e:
                errors.append(e)
        return errors or np.stack(rows)

    def close(self, wait: bool) -> None:
        """Give up what was not begun; ``wait`` for the rest."""
        self._pool.shutdown(wait, cancel_futures=True)
