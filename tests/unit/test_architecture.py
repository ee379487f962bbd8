"""ARCHITECTURE.md's rule: imports go only downward, and heavy packages stay out of the lower layers."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"reference": ROOT / "reference", "backends": ROOT / "backends", "converter": ROOT / "converter"}
FOLDERS["tflite_transfer"] = ROOT / "tflite_transfer"

ALLOWED = {  # layer -> the parts of tflite_transfer it may import
    "reference/tflite": ["tflite_transfer.reference.tflite"],
    "reference": ["tflite_transfer.reference"],
    "converter": ["tflite_transfer.converter", "tflite_transfer.reference"],
    "backends": ["tflite_transfer.backends", "tflite_transfer.reference"],
    "tflite_transfer/diagnostics": [
        "tflite_transfer.diagnostics",
        "tflite_transfer.backends",
        "tflite_transfer.reference",
    ],
    "tflite_transfer/diagnostics/explain": [  # it takes photos, names and states as a training does
        "tflite_transfer.diagnostics",
        "tflite_transfer.backends",
        "tflite_transfer.reference",
        *(f"tflite_transfer.{name}" for name in ("classes", "dataset", "images", "state", "training")),
    ],
}
INNER = {"reference": "reference/tflite", "tflite_transfer/diagnostics": "tflite_transfer/diagnostics/explain"}
LAZY = {"tensorflow", "ai_edge_litert", "matplotlib", "numba", "jinja2"}


def sources(layer: str) -> list[Path]:
    files = (ROOT / layer).rglob("*.py")
    return [f for f in files if layer not in INNER or ROOT / INNER[layer] not in f.parents]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)


def within(name: str, packages: list[str]) -> bool:
    return any(name == p or name.startswith(p + ".") for p in packages)


@pytest.mark.parametrize("layer", ALLOWED)
def test_layers_import_only_downward(layer: str) -> None:
    found = sources(layer)
    assert found
    for file in found:
        ours = [n for n in imports(ast.parse(file.read_text())) if n.startswith("tflite_transfer")]
        wrong = [n for n in ours if not within(n, ALLOWED[layer])]
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_converter_is_imported_lazily_and_by_the_command_line_alone() -> None:
    for file in (ROOT / "tflite_transfer").glob("**/*.py"):
        if any((ROOT / "tflite_transfer" / link) in file.parents for link in ("backends", "converter", "reference")):
            continue
        tree = ast.parse(file.read_text())
        assert not [n for n in top_level(tree) if n.startswith("tflite_transfer.converter")], file
        if file.parent.name != "cli":
            assert not [n for n in imports(tree) if n.startswith("tflite_transfer.converter")], file


@pytest.mark.parametrize("folder", ["reference", "reference/tflite"])
def test_reference_knows_neither_tensorflow_nor_litert(folder: str) -> None:
    for file in sources(folder):
        heavy = [n for n in imports(ast.parse(file.read_text())) if n.split(".")[0] in {"tensorflow", "ai_edge_litert"}]
        assert not heavy, file


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    kernels = ROOT / "reference" / "kernels"
    for folder in FOLDERS.values():
        for file in folder.rglob("*.py"):
            if kernels in file.parents:
                continue
            heavy = [n for n in top_level(ast.parse(file.read_text())) if n.split(".")[0] in LAZY]
            assert not heavy, f"{file.relative_to(ROOT)} imports {heavy} when it is imported"


def test_tensorflow_is_imported_in_one_file() -> None:
    users = {
        file.name
        for folder in FOLDERS.values()
        for file in folder.rglob("*.py")
        if any(n.split(".")[0] == "tensorflow" for n in imports(ast.parse(file.read_text())))
    }
    assert users == {"tensorflow.py"}
