"""The commands put together, and what an error does: one line on standard error, and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tflite_transfer import __version__
from tflite_transfer.cli.compare import compare
from tflite_transfer.cli.convert import convert
from tflite_transfer.cli.evaluate import evaluate
from tflite_transfer.cli.explain import explain
from tflite_transfer.cli.export import export
from tflite_transfer.cli.inspect import inspect
from tflite_transfer.cli.make_trainable import make_trainable
from tflite_transfer.cli.output import INTERRUPTED, CouldNotRunError, InterruptError
from tflite_transfer.cli.predict import predict
from tflite_transfer.cli.run import run
from tflite_transfer.cli.train import train
from tflite_transfer.reference.tflite.errors import OptionError, OutputExistsError, TransferError


def _normalize(token: str) -> str:
    """``--base-tflite`` is ``--base_tflite``."""
    return token.replace("-", "_")


_SETTINGS = {"token_normalize_func": _normalize, "help_option_names": ["--help", "-h"]}

app = typer.Typer(
    name="tflite-transfer",
    help="Train .tflite models on the device: convert a model, train its head, predict.",
    context_settings=_SETTINGS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (convert, make_trainable, train, predict, evaluate, export, inspect, run, compare, explain):
    app.command(context_settings=_SETTINGS)(command)

convert_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
convert_app.command(context_settings=_SETTINGS)(convert)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tflite-transfer {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train .tflite models on the device: convert a model, train its head, predict."""


def run_command(application: typer.Typer, name: str) -> int:
    """Run the command line; an error becomes one line on standard error. -> the exit code. Raises KeyboardInterrupt."""
    try:
        application(prog_name=name)
    except SystemExit as e:
        if e.code == INTERRUPTED:  # so typer answers Ctrl-C
            raise KeyboardInterrupt from None
        return e.code if isinstance(e.code, int) else 0
    except InterruptError as e:
        print(e, file=sys.stderr)
        return INTERRUPTED
    except TransferError as e:
        print(f"{name}: error: {e}", file=sys.stderr)
        return 2 if isinstance(e, OptionError | OutputExistsError) else 3 if isinstance(e, CouldNotRunError) else 1
    except OSError as e:  # what nobody expected: a folder that may not be read, a name that is too long
        where = "" if e.filename is None else f"{e.filename}: "
        print(f"{name}: error: {where}{e.strerror or e}", file=sys.stderr)
        return 1
    return 0
