"""A peer's side of the talk with the bench: a line of JSON in, a line of JSON out. Needs NumPy and nothing else.

``{"arrays": FILE, "file": FILE, "optimizer": "sgd" or "adam", "rate": NUMBER}``, with x (B, F), labels (B,), ws (F, C)
and bs (C,) in a .npz and the head in a .tflite, is answered by the losses of three steps; ``{"steps": N}``, by the
seconds that N more took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Step = Callable[[], float]  # finished when it returns the loss before it


class Head(NamedTuple):
    """What to train, and how."""

    x: Any  # (B, F) float32
    labels: Any  # (B,) int64
    ws: Any  # (F, C) float32
    bs: Any  # (C,) float32
    file: str  # the head for one example, as a .tflite
    optimizer: str
    rate: float


def serve(make: Callable[[Head], Step]) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints is no answer
    step: Step = float
    for line in sys.stdin:
        asked = json.loads(line)
        if "arrays" in asked:
            given = np.load(asked["arrays"])
            arrays = given["x"], given["labels"], given["ws"], given["bs"]
            step = make(Head(*arrays, asked["file"], asked["optimizer"], asked["rate"]))
            told: Any = {"losses": [float(step()) for _ in range(3)]}
        else:
            started = time.perf_counter()
            for _ in range(asked["steps"]):
                step()
            told = {"seconds": time.perf_counter() - started}
        print(json.dumps(told), file=answers, flush=True)
