"""Training files that TensorFlow's converter made, with operators of its own: their steps stage by stage."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.explain.test_walk import started, values
from tflite_transfer.diagnostics.explain.batch import scaled
from tflite_transfer.diagnostics.explain.explanation import explained
from tflite_transfer.diagnostics.explain.find_head import find_head
from tflite_transfer.diagnostics.explain.layout import layout_of
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.one_file import OneFile

FLEX = Path(__file__).parents[2] / "golden" / "flex"
RULES = {
    "sgd": "SGD with momentum",
    "momentum": "SGD with momentum",
    "adam": "Adam in Keras' form",
    "rmsprop": "RMSprop",
}


@pytest.mark.parametrize("path", sorted(FLEX.glob("*.tflite")), ids=lambda p: p.stem)
def test_files_of_tensorflow_s_converter(path: Path) -> None:
    """Their loss and update have other forms. What the formulas say is what the file's own step does, to roundings."""
    model, start = started(path)
    assert isinstance(model, OneFile)
    start = replace(start, slots={k: np.abs(v) for k, v in start.slots.items()})
    told = explained("x", model, start, precision="float64", batch=True)
    assert told.rule.startswith(RULES[path.stem.partition("_")[2]])
    y = start.batch.classes.astype(np.int32) if model.sparse else np.eye(4, dtype=np.float32)[start.batch.classes]
    file, given = Interpreter(path), {"x": model.as_x(scaled(model, start.batch)), "y": y}
    for name, value in {**start.params, **start.slots}.items():
        file.variables[name] = value
    losses = [float(file.run("train", **given)["loss"])]
    shown, found = values(told), find_head(layout_of(model, start.slots))
    for letter in "Wb":
        after = file.variables[found.names[letter]]
        np.testing.assert_allclose(shown[f"{letter}'"], after, rtol=0, atol=3e-7 * np.abs(after).max())
    assert {r.letter: r.all for r in told.roundings}["L"] < 1e-6  # seen: 4e-8
    losses.append(float(file.run("train", **given)["loss"]))
    assert told.losses == pytest.approx(losses, rel=1e-6)
    assert told.agrees


def test_an_operator_that_litert_lacks_is_told() -> None:
    told = explained("x", *started(FLEX / "dense_adam.tflite"))
    assert told.unheld == (
        "Not all is held against LiteRT: LiteRT's packages come without TensorFlow's kernels, "
        "so without FlexSparseSoftmaxCrossEntropyWithLogits."
    )
    assert told.agrees
