"""IDX files, in which MNIST and its kin come: a header of sizes, then bytes."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.errors import DataError


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """A gzipped IDX file of bytes: labels (N,) or images (N, H, W). Raises DataError.

    Two zeros, the type (8: bytes), the rank R, R sizes of four bytes each, the values.
    """
    try:
        content = gzip.decompress(Path(path).read_bytes())
    except (OSError, EOFError, zlib.error) as e:
        raise DataError(f"{path} cannot be read: {getattr(e, 'strerror', None) or e}.") from e
    if content[:3] != b"\x00\x00\x08" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path} is no IDX file of bytes: it begins with {content[:4].hex(' ') or 'nothing'}.")
    values = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:values], ">u4").tolist()
    if len(content) != values + math.prod(shape):
        raise DataError(f"{path} must hold {math.prod(shape)} bytes, {shape}, but holds {len(content) - values}.")
    return np.frombuffer(content, np.uint8, offset=values).reshape(shape)
