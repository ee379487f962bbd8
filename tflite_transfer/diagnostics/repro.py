"""The first operator that differs, cut out: a .tflite with it alone, its inputs, and a script of three lines."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite_transfer.diagnostics.sides import Read
from tflite_transfer.diagnostics.single import depends_on_nothing, single
from tflite_transfer.reference.atomic import write_atomically
from tflite_transfer.reference.tflite.graph import Array, Subgraph
from tflite_transfer.reference.tflite.writer import write

_SCRIPT = """\
import numpy as np
from tflite_transfer.diagnostics import compare
print(*(f"{{f.place}}: {{f.fault}}" for f in compare({files}, {engines}, inputs={inputs}).faults), sep="\\n")
"""


@dataclass(frozen=True)
class Cut:
    """One operator by itself: its .tflite, another one where B is another file, and what its inputs are given."""

    files: tuple[bytes, ...]
    inputs: tuple[Array, ...]
    engines: tuple[str, str]


def cut(graphs: Sequence[tuple[Subgraph, int, Read]], engines: tuple[str, str]) -> Cut:
    """Operator n of A's graph, and of B's if that is another, on what ``read`` gives for its inputs."""
    made = [single(graph, number, read, depends_on_nothing(graph)) for graph, number, read in graphs]
    return Cut(tuple(write(model) for model, _ in made), tuple(made[0][1]), engines)


def save_repro(found: Cut, folder: Path) -> list[Path]:
    """Write it; the files. ``python run.py`` in the folder shows the difference again. Raises OSError."""
    names = ("operator.tflite", "against.tflite")
    contents = dict(zip(names, found.files, strict=False))
    inputs = {f"x{n}": value for n, value in enumerate(found.inputs)}
    contents |= {f"{name}.npy": _npy(value) for name, value in inputs.items()}
    contents["run.py"] = _script(list(contents), list(inputs), found.engines).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def _script(files: list[str], inputs: list[str], engines: tuple[str, str]) -> str:
    loaded = ", ".join(f'"{name}": np.load("{name}.npy")' for name in inputs)
    models = ", ".join(f'"{name}"' for name in files if name.endswith(".tflite"))
    return _SCRIPT.format(files=models, engines=f'a="{engines[0]}", b="{engines[1]}"', inputs=f"{{{loaded}}}")


def _npy(value: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, value)
    return content.getvalue()
