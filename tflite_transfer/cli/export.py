"""``export``: a trained model as an ordinary inference .tflite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite_transfer.cli import options
from tflite_transfer.cli.output import check_outputs, report
from tflite_transfer.reference.tflite.errors import MissingExtraError, ModelError, OptionError

if TYPE_CHECKING:
    from tflite_transfer.backends.base import Array
    from tflite_transfer.parity import Parity
    from tflite_transfer.reference.tflite.trainable import Trainable

EXAMPLES = 32
APART = 1e-4  # of 1, or of the largest output: weights that were put together round otherwise. Seen: 2.4e-7


def export(
    model: options.Model,
    out: Annotated[Path, typer.Option("--out", help="The .tflite to write.")],
    state: options.State = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Images, one folder a class, to compare on; random ones where not given."),
    ] = None,
    class_names: options.ClassNames = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: options.Json = False,
    json_out: options.JsonOut = None,
) -> None:
    """Write MODEL, with what a state has learned, as a .tflite that only infers: image in, probabilities out.

    Class names become labels that TFLite Task and MediaPipe read. The file must say what the model says, on every
    backend that is installed; how far they are apart is printed.
    """
    from tflite_transfer.converter.deployment.export import classifies_images, exported_content
    from tflite_transfer.converter.save import check_file, save_file

    check_outputs({"--out": out, "--json_out": json_out}, [model, state])
    check_file(out, "--out", overwrite=overwrite)
    found, params, names = _open(model, state, options.names(class_names))
    names = names if classifies_images(found) else None
    content = exported_content(found, params, names)
    parities = _compare(found, params, content, _examples(found, data))
    save_file(content, out)
    result = {"file": str(out), "bytes": len(content), "labels": names, "parity": [asdict(p) for p in parities]}
    report(result, _text(result), as_json=as_json, json_out=json_out)


def _open(
    path: Path, state: Path | None, given: tuple[str, ...] | None
) -> tuple[Trainable, dict[str, Array], tuple[str, ...] | None]:
    """The model, its parameters, and its classes' names where something names them."""
    from tflite_transfer.backends import open_backend
    from tflite_transfer.classes import agree_classes, agree_states_classes
    from tflite_transfer.cli.session import check_state, tell_of_no_state
    from tflite_transfer.reference.tflite.any import load_trainable
    from tflite_transfer.state import load_state

    check_state(state)
    found = load_trainable(path)
    names = agree_classes(given, found, str(path))
    tell_of_no_state(state)
    if state is None:
        return found, dict(open_backend("numpy", found).initialize()[0]), names
    learned = load_state(state, found)
    return found, dict(learned.params), agree_states_classes(learned.classes, names, str(state))


def _examples(model: Trainable, data: Path | None) -> Array:
    """Images as the model takes them: some of a folder's, or random ones."""
    import numpy as np

    from tflite_transfer.images import load_each, to_range, unreadable
    from tflite_transfer.reference.tflite.one_file import OneFile

    if data is not None and not model.image_shape:
        raise OptionError("--data goes with a model of images; this one is compared on random numbers.")
    rng = np.random.default_rng(0)
    if isinstance(model, OneFile) and not model.image_shape:
        x = model.x
        shape = (EXAMPLES, *x.free_shape[1:])
        return rng.random(shape).astype(x.dtype) if x.dtype.kind == "f" else rng.integers(2, size=shape).astype(x.dtype)
    if data is None:
        pixels = list(rng.random((EXAMPLES, *model.image_shape), np.float32))
    else:
        from tflite_transfer.dataset import read_folder, samples

        found = samples(read_folder(data))
        chosen = found[:: max(1, len(found) // EXAMPLES)][:EXAMPLES]
        height, width, depth = model.image_shape
        pixels, bad = load_each([image for image, _ in chosen], (height, width, depth))
        if bad:
            raise unreadable(bad)
    x = to_range(pixels, model.input_range)
    return model.as_x(x) if isinstance(model, OneFile) else x


def _compare(model: Trainable, params: dict[str, Array], content: bytes, x: Array) -> list[Parity]:
    """On both backends, or the one that is installed. Raises ModelError where the file says something else."""
    from tflite_transfer.backends import NAMES
    from tflite_transfer.parity import compared

    found = []
    for backend in NAMES:
        try:
            found.append(compared(model, params, content, x, backend))
        except MissingExtraError:
            continue
        if not found[-1].worst <= APART * max(1, found[-1].largest):
            raise ModelError(
                f"the exported file differs from the model by {found[-1].worst:.1e} on {backend}, and is not written."
            )
    return found


def _text(result: dict[str, Any]) -> Iterator[str]:
    labels = f", labels {', '.join(result['labels'])}" if result["labels"] else ", no labels"
    yield f"{result['file']}  {result['bytes']:,} bytes{labels}"
    for p in result["parity"]:
        same = "" if p["agreement"] is None else f", top-1 the same in {p['agreement']:.0%}"
        yield f"{p['backend']:6} against the model on {p['examples']} examples: {p['worst']:.1e} apart at most{same}"
