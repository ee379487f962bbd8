"""``run``: any .tflite, on arrays from .npy files."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from tflite_transfer.cli import options
from tflite_transfer.cli.arrays import Inputs, arrays, paths
from tflite_transfer.cli.output import check_folder, check_outputs, report
from tflite_transfer.reference.tflite.errors import OptionError


def run(
    file: Annotated[Path, typer.Argument(help="A .tflite.", show_default=False)],
    signature: Annotated[str | None, typer.Option("--signature", help="Which one; by default the only one.")] = None,
    inputs: Inputs = None,
    output: Annotated[Path | None, typer.Option("--output", help="A folder for the results, as NAME.npy.")] = None,
    resize: Annotated[
        bool, typer.Option("--resize", help="Take inputs of other sizes than the file's, where its operators can.")
    ] = False,
    backend: options.Backend = "numpy",
    num_threads: options.Threads = None,
    as_json: options.Json = False,
    json_out: options.JsonOut = None,
) -> None:
    """Run FILE once and print what it gives."""
    check_outputs({"--json_out": json_out}, [file, *paths(inputs or [])])
    if output is not None:
        check_folder("--output", output)
    from tflite_transfer.backends.runner import open_runner
    from tflite_transfer.bottlenecks import check_threads
    from tflite_transfer.cli.compiling import tell_of_compiling
    from tflite_transfer.reference.signatures import names
    from tflite_transfer.reference.tflite.reader import read

    check_threads(num_threads)
    tell_of_compiling(backend)
    model = read(file)
    if signature is None and len(model.signatures) > 1:
        raise OptionError(
            f"{file} has several signatures; give --signature, one of {[s.key for s in model.signatures]}."
        )
    key = signature if signature is not None or not model.signatures else model.signatures[0].key
    wanted = names(model, key)
    given = arrays(inputs or [])
    if set(given) != set(wanted.inputs):
        raise OptionError(f"{file} takes --input for each of {sorted(wanted.inputs)}, and was given {sorted(given)}.")
    results = open_runner(backend, file, num_threads, resize=resize).run(key, **given)
    if output is not None:
        _save(output, results)
    told = {"backend": backend, "signature": key, "outputs": {name: _summary(value) for name, value in results.items()}}
    report(told, [_line(name, value) for name, value in results.items()], as_json=as_json, json_out=json_out)


def _save(folder: Path, results: dict[str, Any]) -> None:
    import io

    import numpy as np

    from tflite_transfer.reference.atomic import write_atomically

    taken: set[str] = set()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in results.items():
            content = io.BytesIO()
            np.save(content, value.astype(np.bytes_) if value.dtype.kind == "O" else value)
            file = _file_name(name, taken)
            taken.add(file)
            write_atomically(folder / file, content.getvalue())
    except OSError as e:
        raise OptionError(f"--output {folder} cannot be written: {e.strerror}.") from e


def _file_name(name: str, taken: Collection[str]) -> str:
    """A result's name without what a file's may not hold, and unlike those that are taken."""
    stem = re.sub(r"[^\w.() -]", "_", name)[:100]
    while f"{stem}.npy" in taken:
        stem += "_"
    return f"{stem}.npy"


def _summary(value: Any) -> dict[str, Any]:
    import numpy as np

    told: dict[str, Any] = {"shape": list(value.shape), "dtype": str(value.dtype)}
    if value.size and value.dtype.kind in "fiu":
        wide = value.astype(np.float64)
        told |= {"min": float(wide.min()), "max": float(wide.max()), "mean": float(wide.mean())}
    return told


def _line(name: str, value: Any) -> str:
    import numpy as np

    shape = "x".join(map(str, value.shape)) or "scalar"
    return f"{name}  {value.dtype} {shape}  {np.array2string(value, threshold=8, precision=6).replace(chr(10), ' ')}"
