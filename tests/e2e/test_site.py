"""The site builds without a warning, its links lead somewhere, and it loads nothing from a network."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlparse

import pytest

import tflite_transfer
from docs.make_notebooks import COURSE, ROOT
from tflite_transfer import errors
from tflite_transfer.reference import head, optimizers
from tflite_transfer.reference.ops.table import TABLE


@dataclass
class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    tags: list[str] = field(default_factory=list)
    text: str = ""  # outside of code

    def __post_init__(self) -> None:
        super().__init__()
        self.within = 0

    def handle_data(self, data: str) -> None:
        self.text += "" if self.within else data

    def handle_endtag(self, tag: str) -> None:
        self.within -= tag == "pre"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.within += tag == "pre"
        self.places.add(given.get("id", ""))
        if tag == "a":
            self.links.append(given.get("href", "#"))
        elif tag in ("script", "img", "iframe", "source") and "src" in given:
            self.loads.append(given["src"])
        elif tag == "link":
            self.loads.append(given.get("href", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``make docs`` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs"]
    command += ["-d", str(folder / "doctrees"), ".", str(folder / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = {}
    for path in sorted(site.rglob("*.html")):
        found[path] = Page()
        found[path].feed(path.read_text())
    return found


def inner(pages: dict[Path, Page]) -> Iterator[tuple[Path, str, Path, str]]:
    """Each link or file of the site's own: where it stands, what it says, what it names."""
    for path, page in pages.items():
        for target in (*page.links, *page.loads):
            if not urlparse(target).scheme:
                file, place = urldefrag(target)
                yield path, target, (path.parent / unquote(file.split("?")[0])).resolve() if file else path, place


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    checked = list(inner(pages))
    assert len(checked) > 1000
    assert [(path.name, target) for path, target, file, _ in checked if not file.exists()] == []
    assert [
        (path.name, t) for path, t, file, place in checked if file in pages and place not in pages[file].places
    ] == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert [load for page in pages.values() for load in page.loads if urlparse(load).scheme or load[:2] == "//"] == []
    for style in site.rglob("*.css"):
        text = style.read_text()
        assert "url(http" not in text.replace('"', "").replace("'", "")
        assert "@import" not in text


def test_formulas_are_drawn_by_the_browser(site: Path, pages: dict[Path, Page]) -> None:
    for script in COURSE:
        page = pages[site / "docs" / "course" / f"{script.stem}.html"]
        assert page.tags.count("math") > 1
        assert page.tags.count("img") > 0
        assert "$" not in page.text
    drawn = pages[site / "docs" / "reference" / "head.html"].tags.count("math")
    assert drawn == formulas(head) + formulas(optimizers)


def formulas(module: Any) -> int:
    """Those of a module's docstrings: paragraphs of ``.. math::``."""
    blocks = re.findall(r"^( *)\.\. math::(.*\n(?:\1 +\S.*\n|\n)*)", inspect.getsource(module), re.MULTILINE)
    return sum(len(re.split(r"\n\s*\n", text.strip())) for _, text in blocks)


def test_the_reference_has_what_is_public(pages: dict[Path, Page]) -> None:
    described = {place for page in pages.values() for place in page.places}
    classes = (name for name in tflite_transfer.__all__ if not name.startswith("__"))
    public = {f"tflite_transfer.{name}" for name in classes if not hasattr(errors, name)}
    public |= {f"{errors.TransferError.__module__}.{name}" for name in vars(errors) if name.endswith("Error")}
    operators = {f"{kernel.__module__}.{kernel.__name__}" for kernel in TABLE.values()}
    assert len(operators) > 100
    assert {name for name in public | operators if name not in described} == set()
