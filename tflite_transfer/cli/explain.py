"""``explain``: one training step of a model, or one run of any .tflite, number by number."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite_transfer.cli import options
from tflite_transfer.cli.arrays import Inputs, arrays, paths
from tflite_transfer.cli.output import check_outputs, check_page, tell
from tflite_transfer.reference.tflite.errors import OptionError

if TYPE_CHECKING:
    from tflite_transfer.diagnostics.explain.batch import Start
    from tflite_transfer.diagnostics.explain.subject import Asked
    from tflite_transfer.reference.tflite.trainable import Trainable

NARROWEST, WIDEST = 60, 120  # of the text


def explain(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of five .tflite files, or any .tflite.", show_default=False)
    ],
    data: Annotated[Path | None, typer.Option("--data", help="Folder with one folder of images a class.")] = None,
    inputs: Inputs = None,
    step: Annotated[int, typer.Option("--step", min=1, help="Which step of the training, from 1.")] = 1,
    op: Annotated[int | None, typer.Option("--op", min=0, help="One operator with all its numbers.")] = None,
    signature: Annotated[
        str | None, typer.Option("--signature", help="Of a .tflite: which one; train where there is one.")
    ] = None,
    state: options.State = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the shuffle, as in train.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="PAGE.html", help="Write a page.")] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Print on the terminal, which is done without --out too.")
    ] = False,
    precision: Annotated[
        str, typer.Option("--precision", metavar="file|float64", help="float64: computed in double beside it.")
    ] = "file",
    batch: Annotated[bool, typer.Option("--batch", help="Also each sample's own gradient.")] = False,
    backend: Annotated[
        str, typer.Option("--backend", metavar="tflite|numpy", help="What the definitions are held against.")
    ] = "tflite",
    class_names: options.ClassNames = None,
) -> None:
    """Explain one training step of MODEL: formulas, numbers, the source that computed them, and what LiteRT says.

    Of a softmax classifier, in five files or in one, stage by stage; of any other .tflite operator by operator. Without
    --data or --input the samples are noise.
    """
    check_outputs({"--out": out}, [model, state, *paths(inputs or [])])
    _check(out, backend, precision)
    if data is not None and inputs:
        raise OptionError("--data and --input exclude each other.")
    from tflite_transfer.cli.compiling import tell_of_compiling
    from tflite_transfer.cli.session import check_state
    from tflite_transfer.diagnostics.explain.subject import Asked

    check_state(state)
    tell_of_compiling("numpy")
    names, given = options.names(class_names), arrays(inputs or [])
    asked = Asked(model, data, given, signature, state, seed, step, names)
    given_options = {"--step": step > 1, "--state": state, "--batch": batch, "--class_names": names}
    template, told = _told(asked, op, Wanted(backend, precision, batch), [k for k, v in given_options.items() if v])
    if out is not None:
        from tflite_transfer.diagnostics.page.template import render, save_page

        save_page(out, render(template, told=told))
    if text or out is None:
        _print(template, told)


@dataclass(frozen=True)
class Wanted:
    """How much is to be told."""

    engine: str
    precision: str
    batch: bool


def _check(out: Path | None, backend: str, precision: str) -> None:
    """What can be known to be wrong before anything slow."""
    from tflite_transfer.diagnostics.sides import ORACLE, check_engine
    from tflite_transfer.reference.interpreter import PRECISIONS

    check_engine("--backend", backend)
    if backend == ORACLE:
        raise OptionError(f"--backend {ORACLE} is --precision float64, which stands beside the file's own numbers.")
    if precision not in PRECISIONS:
        raise OptionError(f"--precision must be one of {', '.join(PRECISIONS)}, but is {precision!r}.")
    check_page("--out", out)


def _start(asked: Asked, model: Trainable | None) -> Start | None:
    """The step that is asked for, of a model that learns classes: of images, or of what its train takes."""
    from tflite_transfer.diagnostics.explain.subject import learns_classes, start_of

    images = model is not None and bool(model.image_shape)
    learns = model is not None and learns_classes(model) and (images or asked.signature is None)
    if asked.data is not None and not (learns and images):
        raise OptionError("--data goes with a model that learns classes of images; this one takes --input.")
    return start_of(model, asked) if model is not None and learns else None


def _told(asked: Asked, op: int | None, wanted: Wanted, of_a_step: Sequence[str]) -> tuple[str, Any]:
    """The template's name, and what it shows: a step, an operator, or a run operator by operator.

    ``of_a_step``: options that a model which does not train has no use for. Raises OptionError.
    """
    from tflite_transfer.diagnostics.explain.detail import detailed
    from tflite_transfer.diagnostics.explain.explanation import explained
    from tflite_transfer.diagnostics.explain.operations import traced
    from tflite_transfer.diagnostics.explain.subject import graph_of, infer_of, trainable_of
    from tflite_transfer.reference.tflite.errors import UnknownFormError

    model = trainable_of(asked.path)
    if model is None and of_a_step:
        raise OptionError(f"{of_a_step[0]} goes with a model that trains, and {asked.path} does not.")
    start = _start(asked, model)
    plain = model is not None and start is None and asked.signature is None
    why = "Operator by operator: it learns no classes." if plain else ""
    if model is not None and start is not None and op is None and asked.signature is None:
        try:
            return "explain", explained(
                asked.path.name, model, start, engine=wanted.engine, precision=wanted.precision, batch=wanted.batch
            )
        except UnknownFormError as e:
            why = f"Operator by operator: {e}."
    graph = graph_of(asked, model, start, inside=op is not None)
    if op is None:
        return "operations", traced(graph, infer_of(model, graph, start), why)
    exact = wanted.precision == "float64"
    return "operation", detailed(graph, op, engine=wanted.engine, exact=exact)


def _print(template: str, told: Any) -> None:
    from tflite_transfer.diagnostics.explain import text

    parts = {"explain": text.explanation_text, "operations": text.trace_text, "operation": text.detail_text}
    terminal = sys.stdout.isatty()
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns)) if terminal else WIDEST
    tell(text.as_lines(parts[template](told), width=width, colours=terminal))
