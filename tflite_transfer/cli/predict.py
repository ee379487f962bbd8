"""``predict``: the classes of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tflite_transfer.cli import options
from tflite_transfer.cli.output import check_outputs, report


def predict(
    model: options.Model,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Image files.")],
    state: options.State = None,
    backend: options.Backend = "numpy",
    top: Annotated[int, typer.Option("--top", min=1, help="How many classes to name.")] = 3,
    class_names: options.ClassNames = None,
    num_threads: options.Threads = None,
    as_json: options.Json = False,
    json_out: options.JsonOut = None,
) -> None:
    """Name the classes of images, the surest first. Without --state the model is as it was made."""
    check_outputs({"--json_out": json_out}, [model, state, *images])
    from tflite_transfer.cli.session import open_model, tell_of_no_state

    with open_model(model, options.names(class_names), backend, num_threads, state) as opened:
        tell_of_no_state(state)
        predictions = opened.predict_batch(images)
    named = [
        {
            "image": str(image),
            "top": [{"class": p.class_name, "confidence": p.confidence} for p in found[:top]],
        }
        for image, found in zip(images, predictions, strict=True)
    ]
    report({"backend": backend, "predictions": named}, _text(named), as_json=as_json, json_out=json_out)


def _text(named: list[dict[str, Any]]) -> Iterator[str]:
    for entry in named:
        tops = ", ".join(f"{t['class']} {t['confidence']:.4f}" for t in entry["top"])
        yield f"{entry['image']}: {tops}"
