"""The first operator that differs, cut out: a .tflite with it alone, its inputs, and a script of three lines."""

from __future__ import annotations

import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tflite_transfer.diagnostics.single import Cut
from tflite_transfer.reference.atomic import write_atomically
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Array

_NAMES = re.compile(r"operator\.tflite|against\.tflite|run\.py|x\d+\.npy")
_SCRIPT = """\
import numpy as np
from tflite_transfer.diagnostics import compare
print(*(f"{{f.place}}: {{f.fault}}" for f in compare({files}, {engines}, inputs={inputs}).faults), sep="\\n")
"""


def check_repro_folder(folder: Path) -> None:
    """Find out before a long job that a repro would replace nothing but an earlier one. Raises OptionError."""
    if not folder.exists():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise OptionError(f"--save_repro {folder} must be a folder, or nothing yet.")
    files = sorted(path.name for path in folder.iterdir())
    script = folder / "run.py"
    ours = script.is_file() and script.read_bytes().startswith(_SCRIPT[: _SCRIPT.index("{")].encode())
    if files and not (ours and all(map(_NAMES.fullmatch, files))):
        raise OptionError(
            f"--save_repro {folder} must be new or empty, or have an earlier repro alone, but has {files[0]}."
        )


def save_repro(found: Cut, folder: Path) -> list[Path]:
    """Write it, whole or not at all; the files. ``python run.py`` in the folder shows the difference again.

    Raises OSError, or OptionError where the folder has other files.
    """
    check_repro_folder(folder)
    names = ("operator.tflite", "against.tflite")
    contents = dict(zip(names, found.files, strict=False))
    inputs = {f"x{n}": value for n, value in enumerate(found.inputs)}
    contents |= {f"{name}.npy": _npy(value) for name, value in inputs.items()}
    contents["run.py"] = _script(list(contents), list(inputs), found.engines).encode()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".tflite-transfer-", dir=folder.parent, ignore_cleanup_errors=True) as beside:
        whole = Path(beside) / "repro"
        whole.mkdir()
        for name, content in contents.items():
            write_atomically(whole / name, content)
        for old in folder.iterdir() if folder.exists() else ():
            old.unlink()
        whole.replace(folder)
    return [folder / name for name in contents]


def _script(files: list[str], inputs: list[str], engines: tuple[str, str]) -> str:
    loaded = ", ".join(f'"{name}": np.load("{name}.npy")' for name in inputs)
    models = ", ".join(f'"{name}"' for name in files if name.endswith(".tflite"))
    return _SCRIPT.format(files=models, engines=f'a="{engines[0]}", b="{engines[1]}"', inputs=f"{{{loaded}}}")


def _npy(value: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, value)
    return content.getvalue()
