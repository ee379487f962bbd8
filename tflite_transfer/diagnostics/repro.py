"""The first operator that differs, cut out: a .tflite with it alone, its inputs, and a script of three lines."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from tflite_transfer.diagnostics.single import Cut
from tflite_transfer.reference.atomic import write_atomically
from tflite_transfer.reference.tflite.graph import Array

_SCRIPT = """\
import numpy as np
from tflite_transfer.diagnostics import compare
print(*(f"{{f.place}}: {{f.fault}}" for f in compare({files}, {engines}, inputs={inputs}).faults), sep="\\n")
"""


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
