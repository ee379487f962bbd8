"""Templates filled in: the one place that imports Jinja2 (the extra ``report``)."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tflite_transfer.diagnostics.page import chart, names, numbers, picture
from tflite_transfer.reference.atomic import write_atomically
from tflite_transfer.reference.tflite.errors import TransferError, missing_extra


def render(name: str, **values: Any) -> str:
    """The page of that template. What a value says is text, never markup: names in a model are anybody's.

    Raises MissingExtraError without Jinja2.
    """
    return _environment().get_template(f"{name}.html").render(**values)


def check_templates() -> None:
    """Raise MissingExtraError before a long job whose page could not be made."""
    _environment()


def save_page(path: Path, content: str) -> None:
    """Write a page, whole or not at all. Raises TransferError."""
    try:
        write_atomically(path, content.encode("utf-8", "backslashreplace"))
    except OSError as e:
        raise TransferError(f"the page cannot be written to {path}: {e.strerror}.") from e


@cache
def _environment() -> Any:
    try:
        from jinja2 import DictLoader, Environment, StrictUndefined
        from markupsafe import Markup, escape
    except ImportError as e:
        raise missing_extra("jinja2", "an HTML page", "report") from e
    folder = resources.files("tflite_transfer.diagnostics.page") / "templates"
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith((".html", ".css"))}
    made = Environment(
        loader=DictLoader(texts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {
        "short": numbers.short, "percent": numbers.percent, "shape": numbers.shape,
        "photo": picture.photo, "heat": picture.heat, "largest": numbers.largest, "ending": names.ending,
        "formula": lambda math: Markup(math.block()),  # noqa: S704 - MathML of formulas.py, of no file
        "indices": lambda text: Markup(re.sub(r"_(\w+)", r"<sub>\1</sub>", str(escape(text)))),  # noqa: S704 - escaped
        "math": lambda math: Markup(math.inline()),  # noqa: S704 - the same
    }  # fmt: skip
    made.globals |= {"chart": chart, "table": numbers.table}
    return made
