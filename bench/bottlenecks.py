"""What a base makes of images: the reference interpreter against LiteRT's bare ``invoke``, in seconds an image."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import made
from bench.case import Case, Setting
from bench.litert import THREADS, interpreter
from bench.results import Goal, Values
from bench.timing import Side, race, timed
from tests.parity.models import MODELS
from tflite_transfer.backends.base import Array
from tflite_transfer.reference.interpreter import Interpreter

DEMO = Path(__file__).parents[1] / "demo" / "base.tflite"
DEMO_BOUND = 140.0  # units of 2^-24 of the largest value: that of EfficientNet-Lite0 in the tests. Seen here: 9
COUNTS = (1, 8, 32)


def _demo(setting: Setting) -> Values:
    image = np.random.default_rng(0).random((1, 160, 160, 3), np.float32)
    return _images(DEMO.read_bytes(), image, DEMO_BOUND, setting)


def _mobilenet(kind: str, count: int, setting: Setting) -> Values:
    model, content = MODELS[made.WHOLE], made.whole(kind)
    images = np.repeat(model.given(content), count, axis=0)
    return _images(content, images, model.bounds.of(kind, "default"), setting)


def _images(content: bytes, images: Array, bound: float, setting: Setting) -> Values:
    """Validated: ``bound`` is how far from LiteRT's an output may be."""
    ours = {f"numpy{told}": Interpreter(content, resize=True, num_threads=n) for n, told in THREADS.items()}
    theirs = {f"LiteRT{told}": _filled(content, images, n) for n, told in THREADS.items()}
    output = theirs["LiteRT"].get_output_details()[0]["index"]
    for one in ours.values():
        apart = _apart(one.call(images)[0], theirs["LiteRT"].get_tensor(output))
        assert apart <= bound, f"{apart:.3g} from LiteRT, and {bound:g} may be"
    calls = {name: partial(one.call, images) for name, one in ours.items()}
    calls |= {name: one.invoke for name, one in theirs.items()}
    return race({name: Side(timed(call), len(images)) for name, call in calls.items()}, *setting[:2])


def _filled(content: bytes, images: Array, threads: int) -> Any:
    made = interpreter(content, threads)
    index = made.get_input_details()[0]["index"]
    made.resize_tensor_input(index, images.shape)
    made.allocate_tensors()
    made.set_tensor(index, images)
    made.invoke()
    return made


def _apart(found: Array, expected: Array) -> float:
    """The largest difference: of integers in steps, else in units of 2^-24 of the largest value."""
    largest = np.abs(found.astype(np.float64) - expected).max()
    return float(largest if expected.dtype.kind == "i" else largest / np.abs(expected).max() * 2**24)


def _case(kind: str, count: int, number: float | None) -> Case:
    goals = [Goal("within", "numpy", ("LiteRT",), number if count == 1 else None)]
    goals.append(Goal("faster", "numpy, 2 threads", ("LiteRT, 2 threads",)))
    if count == max(COUNTS):
        goals.append(Goal("faster", "numpy, 2 threads", ("numpy",), 1.5))  # more than one core's work
    name = f"MobileNetV2, 224 px, {kind}, {count} image{'s' * (count > 1)}"
    return Case(f"bottleneck: {name}", partial(_mobilenet, kind, count), tuple(goals), full=True)


KINDS = {"float32": 1.5, "float16": None, "int8": 3.0}  # how it is stored -> times LiteRT's time, at the most
CASES = (
    Case("bottleneck: EfficientNet-Lite0 cut at block 13, 160 px", _demo, (Goal("within", "numpy", ("LiteRT",), 1.5),)),
    *(_case(kind, count, number) for kind, number in KINDS.items() for count in COUNTS),
)
