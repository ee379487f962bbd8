"""Bottlenecks on disk: training on more than the memory holds, and later runs that compute none again.

A folder holds two files (``row_files.py``) for each base, backend and version, and in them a row for each image, which
is known by its bytes. Labels are not kept: they are what the caller says of an image each time.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from tflite_transfer import __version__
from tflite_transfer.images import ImageLike, load_image
from tflite_transfer.reference.tflite.trainable import Trainable
from tflite_transfer.row_files import Array, RowFiles


class BottleneckCache:
    """``Rows`` in a folder. ``base`` and ``backend`` are what computes them. See ``RowFiles`` for errors.

    A row depends on nothing but its image: what computes it is given one image at a time.
    """

    def __init__(self, folder: Path, base: Trainable, backend: str) -> None:
        of = _digest(base.base_content, repr((base.image_shape, base.input_range, backend, __version__)).encode())
        height, width, depth = base.image_shape
        self._shape = height, width, depth
        self._files = RowFiles(folder, of.hex()[:32], of, base.features)
        self._lock = threading.Lock()
        self._numbers: dict[bytes, list[int]] = {}  # an image's rows: one for each sample that it is
        for number, name in enumerate(self._files.names):
            self._numbers.setdefault(name, []).append(number)
        self._taken = set[int]()  # rows that are samples
        self.all, self.fetch, self.close = self._files.all, self._files.fetch, self._files.close

    def take(self, image: ImageLike, compute: Callable[[], Array]) -> int:
        name = self._name(image)
        while (number := self._free(name)) is not None:
            if self._read(name, number) is not None:
                return number
        row = self._kept(name)  # a sample's already, which may be of another class
        return self._append(image, name, compute() if row is None else row, taken=True)

    def row(self, image: ImageLike, compute: Callable[[], Array]) -> Array:
        """An image's bottleneck (F,), kept from now on."""
        name = self._name(image)
        row = self._kept(name)
        if row is None:
            row = compute()
            self._append(image, name, row, taken=False)
        return row

    def _free(self, name: bytes) -> int | None:
        """An image's row that is no sample's, which it is now."""
        with self._lock:
            number = next((n for n in self._numbers.get(name, ()) if n not in self._taken), None)
            if number is not None:
                self._taken.add(number)
            return number

    def _kept(self, name: bytes) -> Array | None:
        found = (self._read(name, number) for number in tuple(self._numbers.get(name, ())))
        return next((row for row in found if row is not None), None)

    def _read(self, name: bytes, number: int) -> Array | None:
        row = self._files.read(number)
        if row is None:
            with self._lock:
                self._numbers[name] = [n for n in self._numbers[name] if n != number]
        return row

    def _append(self, image: ImageLike, name: bytes, row: Array, *, taken: bool) -> int:
        if isinstance(image, str | Path) and self._name(image) != name:
            name = secrets.token_bytes(len(name))  # replaced meanwhile: who knows which of the two was computed
        with self._lock:
            number = self._files.append(name, row)
            self._numbers.setdefault(name, []).append(number)
            if taken:
                self._taken.add(number)
            return number

    def _name(self, image: ImageLike) -> bytes:
        """A digest of a file's bytes, or of another image's pixels as the base takes them. Raises ImageError."""
        if not isinstance(image, str | Path):
            return _digest(b"pixels", load_image(image, self._shape).tobytes())
        try:
            return _digest(b"file", Path(image).read_bytes())
        except OSError:
            load_image(image, self._shape)  # which says what is wrong
            raise


def _digest(*parts: bytes) -> bytes:
    """SHA-256 of the parts' lengths and bytes."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.digest()
