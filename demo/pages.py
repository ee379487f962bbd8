"""The demo's two pages: where the backends differ, and one training step number by number."""

from __future__ import annotations

import os
from pathlib import Path

from tflite_transfer.cli.examples import examples
from tflite_transfer.cli.findings import verdict
from tflite_transfer.diagnostics import compare, report
from tflite_transfer.diagnostics.explain.explanation import explained
from tflite_transfer.diagnostics.explain.subject import Asked, start_of
from tflite_transfer.diagnostics.page.template import render, save_page
from tflite_transfer.reference.tflite.any import load_trainable

STEP = 5  # the first ones begin with weights of 0, and all classes are alike


def write_report(model: Path, photos: Path, page: Path) -> str:
    """LiteRT against the reference on photos: forward, and three training steps. The verdict in a sentence."""
    found = compare(Path(os.path.relpath(model)), inputs=examples(model, photos))
    save_page(page, report.page(found))
    return verdict(found)


def write_explanation(model: Path, photos: Path, page: Path, seed: int) -> None:
    """A step of the training, with float64 beside it and each sample's own gradient."""
    loaded = load_trainable(model)
    start = start_of(loaded, Asked(model, data=photos, seed=seed, step=STEP))
    told = explained(model.name, loaded, start, precision="float64", batch=True)
    save_page(page, render("explain", told=told))
