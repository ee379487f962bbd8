"""IDX files of bytes: what is read, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from tflite_transfer.errors import DataError
from tflite_transfer.idx import read_idx

IMAGES = b"\0\0\x08\x03" + b"\0\0\0\2" + b"\0\0\0\3" + b"\0\0\0\4" + bytes(range(24))


def test_images_and_labels(tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(gzip.compress(IMAGES))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\1\1" + bytes(256) + b"\7"))
    images, labels = read_idx(tmp_path / "images.gz"), read_idx(str(tmp_path / "labels.gz"))
    np.testing.assert_array_equal(images, np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    assert labels.shape == (257,)
    assert labels[-1] == 7
    assert images.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no IDX file of bytes: it begins with nothing"),
        (b"no idx", "is no IDX file of bytes: it begins with 6e 6f 20 69"),
        (b"\0\0\x0d" + IMAGES[3:], "is no IDX file of bytes: it begins with 00 00 0d 03"),  # floats
        (IMAGES[:10], "is no IDX file of bytes: it begins with 00 00 08 03"),
        (IMAGES[:-1], r"must hold 24 bytes, \[2, 3, 4\], but holds 23"),
        (IMAGES + b"\0", r"must hold 24 bytes, \[2, 3, 4\], but holds 25"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "must hold 79228162458924105385300197375 bytes, .*, but holds 0"),
    ],
)
def test_what_is_no_idx_file(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "a.gz")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(IMAGES)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(IMAGES)[:-9])
    (tmp_path / "spoiled.gz").write_bytes(gzip.compress(IMAGES)[:12] + b"\xff" * 40)
    for name in ("gone.gz", "plain", "cut.gz", "spoiled.gz"):
        with pytest.raises(DataError, match=f"{name} cannot be read: "):
            read_idx(tmp_path / name)
