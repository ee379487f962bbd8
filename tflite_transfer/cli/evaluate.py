"""``evaluate``: how often a trained model is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tflite_transfer.cli import options
from tflite_transfer.cli.output import check_outputs, report


def evaluate(
    model: options.Model,
    data_dir: options.DataDir,
    state: options.State = None,
    backend: options.Backend = "numpy",
    class_names: options.ClassNames = None,
    num_threads: options.Threads = None,
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    json_out: options.JsonOut = None,
) -> None:
    """Accuracy, loss and confusion matrix on DATA_DIR."""
    check_outputs({"--json_out": json_out}, [model, state])
    from tflite_transfer.cli.session import open_model, tell_of_no_state
    from tflite_transfer.dataset import read_folder, samples

    folders = read_folder(data_dir)
    with open_model(model, options.names(class_names), backend, num_threads, state, cache_dir=cache_dir) as opened:
        tell_of_no_state(state)
        opened.name_classes(list(folders), str(data_dir))
        found = opened.evaluate(samples(folders))
    result = {
        "accuracy": found.accuracy, "loss": found.loss, "per_class": found.per_class,
        "confusion": found.confusion.tolist(), "samples": found.samples, "backend": backend,
    }  # fmt: skip
    report(result, _text(result), as_json=as_json, json_out=json_out)


def _text(result: dict[str, Any]) -> Iterator[str]:
    yield f"accuracy {result['accuracy']:.4f}, loss {result['loss']:.4f}, {result['samples']} samples"
    width = max(len(c) for c in result["per_class"])
    cells = max(len(str(n)) for row in result["confusion"] for n in row) + 1
    yield f"{'class':{width}}  right   confusion (rows: true, columns: predicted)"
    for (name, share), row in zip(result["per_class"].items(), result["confusion"], strict=True):
        shown = "     -" if share is None else f"{share:6.3f}"
        yield f"{name:{width}} {shown}  {''.join(f'{n:{cells}}' for n in row)}"
