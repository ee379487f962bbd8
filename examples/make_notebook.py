"""Writes fashion_mnist.ipynb: the cells of fashion_mnist.py, run from top to bottom, and what they gave.

    make notebook

A cell of the script begins with ``# %%``, or with ``# %% [markdown]`` where it is text.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).parent
SCRIPT = HERE / "fashion_mnist.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")


def cells(script: str) -> list[tuple[str, str]]:
    """Kind and source of each cell."""
    found = []
    for part in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        head, source = part.split("\n", 1)
        kind = "markdown" if head == " [markdown]" else "code"
        text = re.sub(r"^# ?", "", source, flags=re.MULTILINE) if kind == "markdown" else source
        found.append((kind, text.strip("\n")))
    return found


def main() -> None:
    """Run the cells and write the notebook."""
    import nbformat  # pyright: ignore[reportMissingImports]
    from nbclient import NotebookClient  # pyright: ignore[reportMissingImports]

    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells = [
        make[kind](source, id=f"cell-{number}") for number, (kind, source) in enumerate(cells(SCRIPT.read_text()))
    ]
    NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(HERE.parent)}},
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],  # TensorFlow says there that it finds no GPU
    ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            _shrink(output.get("data", {}))
    nbformat.write(notebook, NOTEBOOK)
    print(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size:,} bytes")


def _shrink(data: dict[str, Any]) -> None:
    """A picture in 256 colours: a third of the bytes."""
    if "image/png" in data:
        with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as picture:
            smaller = picture.convert("RGB").quantize(dither=Image.Dither.NONE)
        content = io.BytesIO()
        smaller.save(content, "PNG", optimize=True)
        data["image/png"] = base64.b64encode(content.getvalue()).decode()


if __name__ == "__main__":
    main()
