"""Writes the notebooks: the cells of each script, run from top to bottom, and what they gave.

    make notebooks                                       all of them
    python -m docs.make_notebooks docs/course/4_adam.py  one

The script is what is edited and linted. It is in jupytext's percent format: a cell begins with ``# %%``, or with
``# %% [markdown]`` where it is text.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
COURSE = tuple(sorted((ROOT / "docs" / "course").glob("[1-9]_*.py")))
SCRIPTS = (*COURSE, ROOT / "examples" / "fashion_mnist.py")


def cells(script: Path) -> Any:
    """The notebook that a script stands for, not run."""
    import jupytext

    notebook = jupytext.read(script, fmt="py:percent")
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def run(script: Path) -> None:
    """Run the cells in the script's folder, as Jupyter does, and write the notebook beside it."""
    import nbformat
    from nbclient import NotebookClient

    notebook = cells(script)
    NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(script.parent)}},
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],  # TensorFlow and LiteRT tell there of the machine
    ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            _shrink(output.get("data", {}))
    target = script.with_suffix(".ipynb")
    nbformat.write(notebook, target)
    print(f"{target.name}: {target.stat().st_size:,} bytes")


def _shrink(data: dict[str, Any]) -> None:
    """A picture in 256 colours: a third of the bytes."""
    if "image/png" in data:
        with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as picture:
            smaller = picture.convert("RGB").quantize(dither=Image.Dither.NONE)
        content = io.BytesIO()
        smaller.save(content, "PNG", optimize=True)
        data["image/png"] = base64.b64encode(content.getvalue()).decode()


if __name__ == "__main__":
    os.environ.pop("MPLBACKEND", None)  # a notebook shows its figures
    for each in [Path(name).resolve() for name in sys.argv[1:]] or SCRIPTS:
        run(each)
