"""``inspect``: what a .tflite, or a model of five, holds, and what will run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tflite_transfer.cli import options
from tflite_transfer.cli.output import check_outputs, report

_WIDTH = 48


def inspect(
    path: Annotated[Path, typer.Argument(metavar="FILE|MODEL", help="A .tflite, or the folder of five.")],
    as_json: options.Json = False,
    json_out: options.JsonOut = None,
) -> None:
    """Show signatures, tensors, operators, metadata, and which kernels the numpy backend will use."""
    check_outputs({"--json_out": json_out}, [path])
    from tflite_transfer.inspection import inspect_file, inspect_model

    found = inspect_model(path) if path.is_dir() else {"files": {path.name: inspect_file(path)}}
    report(found, _text(found), as_json=as_json, json_out=json_out)


def _text(found: dict[str, Any]) -> Iterator[str]:
    if "bundle" in found:
        yield f"bundle {found['bundle']}, batch {found['batch']}, classes: {_classes(found)}"
        for role, kernel in found["kernels"].items():
            yield f"  {role + '.tflite':20} numpy backend: {kernel}"
        yield ""
    for name, file in found["files"].items():
        yield from _file(name, file)


def _classes(found: dict[str, Any]) -> str:
    names = found["class_names"]
    return f"{found['classes']}" + (f" ({', '.join(names)})" if names else " (without names)")


def _file(name: str, file: dict[str, Any]) -> Iterator[str]:
    from tflite_transfer.diagnostics.page.names import ending

    yield f"{name}  {file['bytes']:,} bytes" + (f"  {file['description']}" if file["description"] else "")
    for signature in file["signatures"]:
        arguments, results = (", ".join(signature[side]) for side in ("inputs", "outputs"))
        yield f"  signature {signature['key']}({arguments}) -> {results}"
    for side in ("inputs", "outputs"):
        for tensor in file[side]:
            yield f"  {side[:-1]:7} {tensor}"
    for key, value in file["metadata"].items():
        yield f"  metadata {key}: {value}"
    missing = f"; refused: {', '.join(file['missing'])}" if file["missing"] else ""
    constants = f"{file['constants']:,} bytes of constants"
    yield f"  {len(file['operators'])} operators, {file['tensors']} tensors, {constants}"
    yield f"  in the numpy backend's interpreter: {_kernels(file['operators'])}{missing}"
    yield f"  in LiteRT's pip package: {_without(file['operators'])}"
    for n, operator in enumerate(file["operators"]):
        inputs = ", ".join("-" if name is None else ending(name, _WIDTH) for name in operator["inputs"])
        where = "" if operator["kernel"] and operator["litert"] else f"  [{_where(operator)}]"
        outputs = ", ".join(ending(name, _WIDTH) for name in operator["outputs"])
        yield f"  {n:4} {operator['operator']}({inputs}) -> {outputs}{where}"


def _kernels(operators: list[dict[str, Any]]) -> str:
    """How many operators each kind of kernel runs."""
    kinds = [o["kernel"] for o in operators]
    counted = [f"{kinds.count(kind)} by {kind}" for kind in ("numba", "numpy") if kind in kinds]
    return ", ".join([*counted, *([f"{kinds.count(None)} missing"] if None in kinds else [])])


def _without(operators: list[dict[str, Any]]) -> str:
    absent = sorted({o["operator"] for o in operators if not o["litert"]})
    return f"no kernel for {', '.join(absent)}" if absent else "all"


def _where(operator: dict[str, Any]) -> str:
    """Which backends run an operator, where not both do."""
    backends = [name for name, has in (("numpy", operator["kernel"]), ("tflite", operator["litert"])) if has]
    return " ".join([*backends, "only"]) if backends else "neither backend"
