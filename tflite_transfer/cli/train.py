"""``train``: a model's head on a folder of images."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite_transfer.cli import options
from tflite_transfer.cli.output import InterruptError, check_outputs, progress, report
from tflite_transfer.reference.tflite.errors import OptionError, OutputExistsError

if TYPE_CHECKING:
    from tflite_transfer.dataset import Sample
    from tflite_transfer.model import TransferLearningModel


def train(
    model: options.Model,
    data_dir: options.DataDir,
    state: Annotated[Path, typer.Option("--state", help="Where to save what was learned (.safetensors).")],
    backend: options.Backend = "numpy",
    batch_size: Annotated[
        int | None, typer.Option("--batch_size", min=1, help="Examples a step; by default the model's own number.")
    ] = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="How often to go through all images.")] = 20,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of shuffle and validation split; drawn where not given.")
    ] = None,
    resume: Annotated[Path | None, typer.Option("--resume", help="Go on from this state.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a state that is there.")] = False,
    validation_split: Annotated[
        float, typer.Option("--validation_split", min=0.0, max=0.9, help="Share of each class held back.")
    ] = 0.0,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the training losses into this .png.")] = None,
    class_names: options.ClassNames = None,
    num_threads: options.Threads = None,
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    json_out: options.JsonOut = None,
) -> None:
    """Train MODEL on DATA_DIR and save what it learned to --state."""
    _check(state, resume, overwrite, seed, plot)
    check_outputs({"--state": state}, [model])
    check_outputs({"--plot": plot, "--json_out": json_out}, [model, state, resume])
    from tflite_transfer.cli.session import open_model

    started = time.perf_counter()
    losses: list[float] = []
    try:
        names = options.names(class_names)
        with open_model(model, names, backend, num_threads, resume, seed, batch_size, cache_dir) as opened:
            validation = _take_in(opened, data_dir, validation_split)
            _run(opened, epochs, state, losses)
            held = opened.evaluate(validation).accuracy if validation else None
            steps = len(losses) * math.ceil(opened.sample_count / opened.batch_size)
        result = {
            "epochs": len(losses), "losses": losses, "validation_accuracy": held, "steps": steps,
            "seconds": round(time.perf_counter() - started, 3), "state": str(state),
        }  # fmt: skip
        report(result, _text(result), as_json=as_json, json_out=json_out)
        if plot is not None:
            from tflite_transfer.plots import plot_losses

            plot_losses({backend: losses}, plot)
    except KeyboardInterrupt:
        if losses:
            raise InterruptError(f"interrupted; {len(losses)} epoch(s) saved to {state}") from None
        raise


def _check(state: Path, resume: Path | None, overwrite: bool, seed: int | None, plot: Path | None) -> None:
    """What can be known to be wrong before anything slow."""
    if state.is_dir():
        raise OptionError(f"--state {state} is a folder; it must name a file.")
    if state.exists() and not overwrite and not (resume and resume.exists() and resume.samefile(state)):
        raise OutputExistsError(f"there is a state {state} already: --resume goes on from it, --overwrite replaces it.")
    if not state.absolute().parent.is_dir():
        raise OptionError(f"--state {state}: there is no folder {state.absolute().parent}.")
    if resume is not None and seed is not None:
        raise OptionError("--seed is for a new training; --resume goes on with the seed in its state.")
    if plot is not None:
        from tflite_transfer.plots import figure_for

        figure_for(plot)


def _take_in(model: TransferLearningModel, data_dir: Path, share: float) -> list[Sample]:
    """Make samples of the images but a share of each class, which is held back and returned."""
    from tflite_transfer.cli.session import add_all, warn_of_classes_without
    from tflite_transfer.dataset import read_folder, split

    folders = read_folder(data_dir)
    model.name_classes(list(folders), str(data_dir))
    warn_of_classes_without(model, folders)
    training, held = split(folders, share, model.seed)
    with progress("bottleneck", len(training), lines=False) as meter:
        add_all(model, training, held, meter)
    return held


def _run(model: TransferLearningModel, epochs: int, path: Path, saved: list[float]) -> None:
    """Train and save; ``saved`` gets each epoch's loss. Ctrl-C saves the last finished epoch, too."""
    losses: list[float] = []
    finished = model.state()

    def save() -> None:
        model.save(path, finished)
        saved.extend(losses)

    try:
        with progress("epoch", epochs, lines=True) as meter:
            for loss in model.epochs(epochs):
                finished = model.state()
                losses.append(loss)
                meter.step(f"loss {loss:.6f}")
    except KeyboardInterrupt:
        if losses:
            save()
        raise
    save()


def _text(result: dict[str, Any]) -> list[str]:
    lines = [f"loss {result['losses'][0]:.6f} -> {result['losses'][-1]:.6f} in {result['epochs']} epochs"]
    if result["validation_accuracy"] is not None:
        lines.append(f"validation accuracy {result['validation_accuracy']:.4f}")
    return [*lines, f"{result['steps']} steps, {result['seconds']} s in all, saved to {result['state']}"]
