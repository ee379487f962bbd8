"""Node data for Model Explorer: graphs by their names, nodes by their operators' numbers, colours by thresholds.

Held against the classes and the adapter of ai-edge-model-explorer 0.1.34 by hand; it is no dependency.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.diagnostics.test_repro import X, files, network
from tests.unit.diagnostics.wrong_files import GOLDEN
from tflite_transfer.diagnostics import Comparison, compare
from tflite_transfer.diagnostics.model_explorer import LARGEST, model_explorer_files
from tflite_transfer.reference.tflite import read

__all__ = ["files"]


def told(found: Comparison, part: str = "net") -> dict[str, float]:
    """Values by node."""
    (content,) = model_explorer_files(found, Path("out.json")).values()
    return {node: result["value"] for node, result in json.loads(content)[part]["results"].items()}


def colour(found: Comparison, node: str) -> str:
    """As Model Explorer chooses it: of the first threshold that is not exceeded."""
    (content,) = model_explorer_files(found, Path("out.json")).values()
    value, thresholds = told(found)[node], json.loads(content)["net"]["thresholds"]
    return next(t["bgColor"] for t in thresholds if value <= t["value"])


def test_each_operator_has_its_share_of_what_is_allowed(files: tuple[Path, Path]) -> None:
    found = compare(*files, inputs={"x": X})
    assert list(told(found)) == ["0", "1", "2"]
    shares = [f.isolated.share for f in found.findings if f.isolated is not None]
    assert list(told(found).values()) == pytest.approx(shares)
    assert [colour(found, node) for node in "012"] == ["#34a853", "#ea4335", "#34a853"]


def test_drift_has_thresholds_of_its_own(files: tuple[Path, Path]) -> None:
    found = compare(*files, inputs={"x": X}, mode="cumulative")
    drift = [f.cumulative.max_rel for f in found.findings if f.cumulative is not None]
    assert list(told(found).values()) == pytest.approx(drift)
    assert [colour(found, node) for node in "012"] == ["#34a853", "#ea4335", "#ea4335"]


def test_what_is_infinitely_far_is_a_number(files: tuple[Path, Path]) -> None:
    x = X.copy()
    x[0, 0] = np.nan
    found = compare(files[0], inputs={"x": x})
    assert not found.agrees
    assert told(found)["0"] == LARGEST  # EXP of NaN, as in test_repro.py
    assert colour(found, "0") == "#ea4335"


def test_five_files_have_a_file_each(tmp_path: Path) -> None:
    found = compare(GOLDEN / "upstream_sgd", steps=2)
    made = model_explorer_files(found, tmp_path / "out.json")
    assert {p.name for p in made} == {f"out.{r}.json" for r in ("bottleneck", "inference", "train_head", "optimizer")}
    for path, content in made.items():
        main = read(GOLDEN / "upstream_sgd" / f"{path.suffixes[0][1:]}.tflite").main
        ((graph, data),) = json.loads(content).items()
        assert graph == main.name
        assert set(data["results"]) == {str(n) for n in range(len(main.operators))}


def test_the_same_bytes_each_time(files: tuple[Path, Path]) -> None:
    one, other = (model_explorer_files(compare(*files, inputs={"x": X}), Path("out.json")) for _ in range(2))
    assert one == other
    assert network(np.eye(4, dtype=np.float32)) == network(np.eye(4, dtype=np.float32))
