"""What was found, as node data for Google's Model Explorer, which colours a .tflite's operators by it.

Graph id -> results by node id: src/server/package/src/model_explorer/node_data_builder.py in
https://github.com/google-ai-edge/model-explorer. Its adapter of .tflite files calls a graph by its sub-graph's name,
and a node by its operator's number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tflite_transfer.diagnostics.findings import Comparison, Finding

LARGEST = 1e9  # for what is infinitely far, or cannot be compared: JSON has no infinity
_GREEN, _YELLOW, _RED = "#34a853", "#fbbc04", "#ea4335"
# A node takes the colour of the first threshold that its value does not exceed.
_SHARES = ((0.5, _GREEN), (1.0, _YELLOW), (LARGEST, _RED))  # of the difference that an operator's inputs allow
_DRIFT = ((1e-5, _GREEN), (1e-2, _YELLOW), (LARGEST, _RED))  # relative differences, where nothing says what is allowed


def node_data(found: Comparison, part: str) -> dict[str, Any]:
    """One graph's: each operator's largest difference over all steps and outputs."""
    results: dict[str, float] = {}
    for finding in found.findings:
        if finding.part == part and finding.operator is not None:
            node = str(finding.operator)
            results[node] = max(results.get(node, 0.0), _value(finding, found.mode))
    thresholds = _DRIFT if found.mode == "cumulative" else _SHARES
    return {
        "results": {node: {"value": value} for node, value in results.items()},
        "thresholds": [{"value": value, "bgColor": colour} for value, colour in thresholds],
    }


def _value(finding: Finding, mode: str) -> float:
    difference = finding.cumulative if mode == "cumulative" else finding.isolated
    value = None if difference is None else difference.max_rel if mode == "cumulative" else difference.share
    if value is None:
        value = 0.0 if finding.agrees else math.inf
    return LARGEST if math.isnan(value) else min(value, LARGEST)


def model_explorer_files(found: Comparison, path: Path) -> dict[Path, bytes]:
    """The JSON of a comparison at ``path``; of a folder of five, a file for each part: ``out.train_head.json``."""
    if not Path(found.a.model).is_dir():
        return {path: _json({graph.name: node_data(found, part) for part, graph in found.graphs.items()})}
    return {
        path.with_suffix(f".{part}{path.suffix}"): _json({graph.name: node_data(found, part)})
        for part, graph in found.graphs.items()
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
