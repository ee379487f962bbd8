"""Networks' files, made by TensorFlow in a process of its own: its threads and memory stay out of what is measured."""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context

WHOLE = "MobileNetV2, 224 px"


@cache
def whole(kind: str) -> bytes:
    """MobileNetV2 of full width on one image of 224 pixels, its numbers stored as one of the tests' kinds."""
    return _apart().submit(_whole, kind).result()


@cache
def plain(size: int, width: float) -> bytes:
    """MobileNetV2 of another size, float32."""
    return _apart().submit(_plain, size, width).result()


@cache
def _apart() -> Executor:
    return ProcessPoolExecutor(1, get_context("spawn"))


def _whole(kind: str) -> bytes:
    from tests.parity.models import MODELS

    return MODELS[WHOLE].file(kind)


def _plain(size: int, width: float) -> bytes:
    from tests.parity.models.convert import Sample, converted
    from tests.parity.models.images import mobilenet_v2

    return converted(partial(mobilenet_v2, size=size, width=width), Sample((1, size, size, 3)), "float32")
