"""The site, by Sphinx: ``make docs`` writes it to docs/out/site.

Sphinx, since the docstrings have ``.. math::`` in them; MyST-NB for Markdown and notebooks; Furo, which brings its own
style, light and dark, and loads nothing from a network. The source folder is the repository's root: so the README is a
page as it stands, and a link that works on a code host works on the site, or the build fails.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

from tflite_transfer import __version__

project = "tflite-transfer"
version = release = __version__
copyright = "its authors, Apache-2.0"  # noqa: A001

extensions = ["myst_nb", "sphinx.ext.autodoc"]
include_patterns = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**", "examples/*.ipynb"]
exclude_patterns = [  # also those that would not be included are searched
    *(p.name for p in Path(__file__).parents[1].iterdir() if p.is_dir() and p.name not in ("docs", "examples")),
    "docs/out",
    "**/.ipynb_checkpoints",
]
root_doc = "docs/index"

nb_execution_mode = "off"  # the notebooks come with their outputs: docs/make_notebooks.py
nb_code_prompt_show = "The check, with a solution"
nb_code_prompt_hide = "The check, with a solution"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "furo"
html_title = "tflite-transfer"
html_extra_path = ["static/index.html"]  # leads from the site's root to docs/
html_static_path = ["static/site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # it is fetched, which a browser refuses to pages that are files
html_math_renderer = "mathml"


def setup(app: Sphinx) -> None:
    """Formulas become MathML when the site is built: browsers draw it by themselves, with neither scripts nor fonts."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("autodoc-process-docstring", _parameters)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)


def _parameters(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """``Parameters`` of the docstrings, ``name : what it is`` a line, as a list of fields."""
    if "Parameters" in lines:
        at = lines.index("Parameters")
        lines[at:] = [re.sub(r"^(\w+) : ", r":param \1: ", line) for line in ["", *lines[at + 2 :]]]


def _signature(
    app: Sphinx, what: str, name: str, found: object, options: object, arguments: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """``Array``, as the sources say, for what that stands for."""
    array = r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[~?typing\.Any\]\]"
    return arguments and re.sub(array, "Array", arguments), result and re.sub(array, "Array", result)


def _skip(app: Sphinx, what: str, name: str, found: object, skip: bool, options: object) -> bool | None:
    """The fields of a tuple, which its signature shows."""
    return True if str(getattr(found, "__doc__", "")).startswith("Alias for field number") else None


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    """In a docstring an empty line parts two formulas."""
    drawn = "".join(_mathml(part, "block") for part in node.astext().split("\n\n") if part.strip())
    translator.body.append(f'<div class="math">{drawn}</div>')
    raise nodes.SkipNode


def _mathml(formula: str, display: str) -> str:
    """With the narrow space that TeX leaves between a function's name and its argument."""
    return re.sub(r"(<mi>(?:log|ln)</mi>)(?=<m(?!o))", r'\1<mspace width="0.17em"/>', convert(formula, display=display))
