"""Memory that training takes: by how much the anonymous memory of a process of its own grows after the imports.

Samples of which more than the memory are kept on disk are not measured: there is no such cache yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench import made
from bench.case import Case, Setting
from bench.one_file import trainable
from bench.results import Goal, Values
from bench.start import run
from tests.cases import Head
from tflite_transfer.converter.training.optimizers import Adam

# ``told(work)`` prints the bytes that ``work`` added at the most, looked at every 2 ms, and the peak of the process: of
# its own memory, and with the files that it has mapped.
WATCHED = """
import sys
import threading
from pathlib import Path

import numpy as np


def bytes_of(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def told(work):
    before, done = bytes_of("RssAnon:"), threading.Event()
    seen = [before]

    def look():
        while not done.wait(0.002):
            seen.append(bytes_of("RssAnon:"))

    watch = threading.Thread(target=look)
    watch.start()
    work()
    seen.append(bytes_of("RssAnon:"))
    done.set()
    watch.join()
    print(max(seen) - before, max(seen), bytes_of("VmHWM:"))
"""
TRAINING = f"""{WATCHED}
from tflite_transfer import TransferLearningModel
from tflite_transfer.backends import numpy
from tflite_transfer.reference.kernels import head

SAMPLES, FOLDER = int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else None


def work():
    images = np.linspace(0, 1, SAMPLES, dtype=np.float32).reshape(-1, 1, 1, 1)
    with TransferLearningModel(sys.argv[1], list("abcd"), backend="numpy", seed=0, cache_dir=FOLDER) as model:
        for lo in range(0, SAMPLES, 20):  # a few at a time: what waits takes memory too
            for future in model.add_samples((images[i], "abcd"[i % 4]) for i in range(lo, lo + 20)):
                future.result()
        assert model.sample_count == SAMPLES
        model.train(1).result()


told(work)
"""
LITERT = f"""{WATCHED}
from bench.one_file import examples, litert

content = Path(sys.argv[1]).read_bytes()


def work():
    step = litert(content, *examples(16, (96, 96, 3), 1000), 1)
    step()
    step()


told(work)
"""


def _cached(head: Head, samples: int, on_disk: bool, setting: Setting) -> Values:  # noqa: ARG001  # once is enough
    """The goal's sum: the cache unless it is on disk, 2.2 times the parameters, 1.2 times the slots, 60 MB."""
    files = head.bundle(Adam())
    with TemporaryDirectory() as folder:
        for role, content in files.contents.items():
            (Path(folder) / f"{role}.tflite").write_bytes(content)
        words = [Path(folder) / "cache"] if on_disk else []
        grown, own, peak = map(float, run(TRAINING, folder, samples, *words).split())
    cache = 4.0 * samples * head.features
    allowed = (0 if on_disk else cache) + 2.2 * _bytes(files.parameters) + 1.2 * _bytes(files.slots) + 60e6
    return {
        "growth": [grown],
        "the cache": [cache],
        "allowed": [allowed],
        "the whole process": [own if on_disk else peak],
    }


def _bytes(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(4 * int(np.prod(shape)) for shape in shapes.values())


def _litert(setting: Setting) -> Values:  # noqa: ARG001
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(trainable(made.plain(96, 0.35)))
        return {"LiteRT": [float(run(LITERT, path).split()[0])]}


def _case(head: Head, samples: int, *, on_disk: bool = False) -> Case:
    """On disk the whole process is its own memory: the system takes the cache's pages away when it needs them."""
    goals = [Goal("within", "growth", ("allowed",), 1.0), Goal("at most", "the whole process", number=2e9)]
    name = f"memory: training on {samples:,} cached samples of {head.features:,}{', on disk' if on_disk else ''}"
    return Case(name, partial(_cached, head, samples, on_disk), tuple(goals), unit="bytes", full=True)


CASES = (
    _case(Head("adam", None, 4, 62_720, 20), 1_000),
    _case(Head("adam", None, 4, 1_280, 20), 100_000),
    _case(Head("adam", None, 4, 62_720, 20), 1_000, on_disk=True),
    _case(Head("adam", None, 4, 62_720, 20), 20_000, on_disk=True),
    Case("memory: two steps of MobileNetV2 0.35, 96 px, 16 examples", _litert, unit="bytes", full=True),
)
