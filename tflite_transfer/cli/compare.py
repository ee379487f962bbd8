"""``compare``: why do the numbers of two runs differ, and where first? Exit codes: 0 they agree, 1 they differ."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite_transfer.cli import options
from tflite_transfer.cli.arrays import Inputs, arrays, paths
from tflite_transfer.cli.findings import table, verdict
from tflite_transfer.cli.output import (
    CouldNotRunError,
    InterruptError,
    check_folder,
    check_outputs,
    check_page,
    report,
)
from tflite_transfer.reference.tflite.errors import OptionError, TransferError

if TYPE_CHECKING:
    from tflite_transfer.diagnostics import Comparison, Finding
    from tflite_transfer.diagnostics.gradients import Fault, GradientReport

LINES = 20  # of the table; --json has them all
_ENGINE = "numpy|numpy-nojit|numpy-float64|tflite|tflite-ref|tflite-xnnpack"


def compare(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A .tflite, a training model in one file, or a folder of five.")
    ],
    against: Annotated[Path | None, typer.Option("--against", help="A second model; by default the same.")] = None,
    a: Annotated[str, typer.Option("--a", metavar=_ENGINE, help="What runs MODEL.")] = "tflite",
    b: Annotated[str, typer.Option("--b", metavar=_ENGINE, help="What runs the other.")] = "numpy",
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATA_DIR", help="Images to run on: a folder with one a class.")
    ] = None,
    inputs: Inputs = None,
    random: Annotated[int | None, typer.Option("--random", metavar="SEED", help="Random inputs; 0 by default.")] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Training steps, 3 by default; 0 runs the model forward alone.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="isolated|cumulative|teacher_forced",
            help="Each operator on the other run's inputs, which is the default of a forward run; whole runs alone; "
            "or isolated with each step from A's state, which is the default where something trains.",
        ),
    ] = None,
    gradients: Annotated[
        bool,
        typer.Option(
            "--gradients", help="Also hold the model's own gradients against its loss, and name what it trains wrong."
        ),
    ] = False,
    save_repro: Annotated[
        Path | None,
        typer.Option("--save_repro", metavar="DIR", help="The first operator that differs, as a file with its inputs."),
    ] = None,
    model_explorer: Annotated[
        Path | None, typer.Option("--model_explorer", metavar="FILE", help="Node data for Google's Model Explorer.")
    ] = None,
    report_page: Annotated[
        Path | None, typer.Option("--report", metavar="PAGE.html", help="Write a page with all of it.")
    ] = None,
    as_json: options.Json = False,
    json_out: options.JsonOut = None,
) -> None:
    """Run MODEL by two engines, or two models, and tell how far each tensor is apart, and where they part first.

    Exit code 0: they agree, as far as float32 can tell; 1: they differ; 2: usage; 3: they could not be run.
    """
    written = {"--json_out": json_out, "--model_explorer": model_explorer, "--report": report_page}
    with _or_could_not_run():
        check_outputs(written, [model, against, *paths(inputs or [])])
        if save_repro is not None:
            _check_repro("--save_repro", save_repro, [model, against, *paths(inputs or []), *written.values()])
        check_page("--report", report_page)
        if sum(x is not None for x in (data, inputs, random)) > 1:
            raise OptionError("--data, --input and --random exclude each other.")
        from tflite_transfer.training import check_seed

        check_seed(random)
        checked = _checked(model, data, inputs, random) if gradients else None
        from tflite_transfer.cli import gradients as of_gradients

        with _or_could_not_run(checked.faults if checked else ()):
            found = _compared(model, against, a, b, data, inputs, random, steps, mode)
        from tflite_transfer.diagnostics.record import record

        told, text = record(found), list(_text(found))
        if checked is not None:
            told["gradients"] = of_gradients.record(checked)
            text += of_gradients.lines(checked)
        text += _saved(found, save_repro, model_explorer)
        if report_page is not None:
            from tflite_transfer.diagnostics.page.template import save_page
            from tflite_transfer.diagnostics.report import page

            save_page(report_page, page(found, checked))
        report(told, text, as_json=as_json, json_out=json_out)
    raise typer.Exit(0 if found.agrees and (checked is None or checked.agrees) else 1)


@contextmanager
def _or_could_not_run(faults: Iterable[Fault] = ()) -> Iterator[None]:
    """Whatever else goes wrong is no verdict: 1 says that they differ. A reader that leaves, as head, changes none."""
    try:
        yield
    except (OptionError, InterruptError, CouldNotRunError):
        raise
    except TransferError as e:
        raise CouldNotRunError("\n".join([str(e), *map(str, faults)])) from e
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_repro(option: str, folder: Path, others: Iterable[Path | None]) -> None:
    """Raises OptionError where a repro would replace what it must not."""
    from tflite_transfer.diagnostics.repro import check_repro_folder

    check_folder(option, folder)
    check_repro_folder(folder)
    for other in (path.absolute() for path in others if path is not None):
        if folder.resolve() in (other.resolve(), *other.resolve().parents):
            raise OptionError(f"{option} {folder} must be a folder of its own, but {other.name} is in it, or is it.")


def _saved(found: Comparison, repro: Path | None, explorer: Path | None) -> Iterator[str]:
    """Write what was asked for, and tell of it. Raises CouldNotRunError."""
    from tflite_transfer.diagnostics.model_explorer import model_explorer_files
    from tflite_transfer.diagnostics.repro import save_repro
    from tflite_transfer.reference.atomic import write_atomically

    try:
        if repro is not None and found.cut is None:
            yield f"nothing in {repro}: no operator differs by itself"
        elif repro is not None and found.cut is not None:
            save_repro(found.cut, repro)
            yield f"{repro}: an operator that differs; cd there, and python run.py shows it"
        for path, content in ({} if explorer is None else model_explorer_files(found, explorer)).items():
            write_atomically(path, content)
            yield f"{path}: node data for Model Explorer"
    except OSError as e:
        raise CouldNotRunError(f"{e.filename or repro or explorer} cannot be written: {e.strerror}.") from e


def _checked(model: Path, data: Path | None, inputs: list[str] | None, random: int | None) -> GradientReport:
    from tflite_transfer.diagnostics.gradients import check_gradients

    return check_gradients(model, _given(model, data, inputs), seed=random or 0)


def _given(model: Path, data: Path | None, inputs: list[str] | None) -> dict[str, Any] | None:
    """Arrays by argument, where there are any."""
    from tflite_transfer.cli.examples import examples

    return arrays(inputs) if inputs else None if data is None else examples(model, data)


def _compared(
    model: Path,
    against: Path | None,
    a: str,
    b: str,
    data: Path | None,
    inputs: list[str] | None,
    random: int | None,
    steps: int | None,
    mode: str | None,
) -> Comparison:
    from tflite_transfer.cli.compiling import tell_of_compiling
    from tflite_transfer.diagnostics import compare as compared

    for engine in (a, b):
        tell_of_compiling(engine)
    given = _given(model, data, inputs)
    return compared(model, against, a=a, b=b, inputs=given, seed=random or 0, steps=steps, mode=mode)


def _text(found: Comparison) -> Iterator[str]:
    """The table, worst first; then where the two part first, and the verdict."""
    yield from table(found.worst_first[:LINES])
    if len(found.findings) > LINES:
        yield f"... and {len(found.findings) - LINES} more tensors, which --json has too"
    yield from (f"unmatched: {line}" for line in found.unmatched)
    for kind, apart in found.growth.items():
        yield f"{kind} apart after each step: {' '.join(f'{x:.1e}' for x in apart)}"
    if found.first is not None:
        yield from _first(found.first)
    if nan := found.without_numbers:
        yield f"NaN in both runs: {len(nan)} of {len(found.findings)} tensors, the first {nan[0].place}"
    yield verdict(found)


def _first(finding: Finding) -> Iterator[str]:
    """Where, why, and the element that shows it."""
    yield f"first: {finding.place}: {finding.fault}"
    worst = finding.worst
    if worst is not None:
        nearer = {"a": ", A is nearer", "b": ", B is nearer", None: ""}[worst.nearer]
        exact = "" if worst.exact is None else f", float64 {worst.exact:.9g}{nearer}"
        yield f"       at {list(worst.index)}: A {worst.a:.9g}, B {worst.b:.9g}{exact}"
