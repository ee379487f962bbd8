"""Every kind of page in a real browser: light and dark, desk and phone.

``PAGES_SHOTS=folder`` keeps the pictures, and takes them of whole pages, which needs a minute more.
"""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.pages import write_explanation, write_report
from tests.pages.browser import DARK, DESK, LIGHT, PHONE, Browser
from tests.pages.test_pages import HOSTILE, hostile_gradients, one_more
from tests.small_networks import cnn
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.diagnostics import compare, report
from tflite_transfer.diagnostics.explain.detail import detailed
from tflite_transfer.diagnostics.explain.explanation import explained
from tflite_transfer.diagnostics.explain.operations import traced
from tflite_transfer.diagnostics.explain.subject import Asked, graph_of, infer_of, start_of
from tflite_transfer.diagnostics.page.template import render, save_page
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.writer import write

SHOTS = os.environ.get("PAGES_SHOTS")
PAGES = ("step", "operator", "network", "operators", "report", "hostile", "unmatched")


@pytest.fixture(scope="module")
def pages(demo_base: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The demo's model explained and compared, one operator of it, a whole network, and a file with hostile names."""
    folder = tmp_path_factory.mktemp("pages")
    path = convert(
        ConversionOptions(
            out_model_dir=folder / "model", optimizer="adam", base_tflite=demo_base, head_softmax=True, num_classes=4
        )
    )
    model, asked = load_trainable(path), Asked(path, data=photos / "train")
    start = start_of(model, asked)
    operator = detailed(graph_of(asked, model, start, inside=True), 4, engine="tflite", exact=True)
    told = write_report(path, photos / "train", folder / "report.html")
    assert "3 training steps: agrees in" in told
    write_explanation(path, photos / "train", folder / "step.html", seed=1)
    contents = {
        "operator": render("operation", told=operator),
        **_network(folder, photos / "train"),
        "hostile": report.page(compare(_hostile(folder)), hostile_gradients()),
        "unmatched": report.page(compare(*one_more(folder), a="numpy")),
    }
    for name, content in contents.items():
        save_page(folder / f"{name}.html", content)
    assert (folder / "step.html").stat().st_size < 1e6  # seen: 0.12 MB
    assert (folder / "report.html").stat().st_size < 3e6  # seen: 0.21 MB
    return {name: folder / f"{name}.html" for name in PAGES}


def _network(folder: Path, data: Path) -> dict[str, str]:
    """A whole network in one file, stage by stage and operator by operator."""
    path = make_trainable(cnn(4), folder / "whole.tflite", TrainingOptions())
    model, asked = load_trainable(path), Asked(path, data=data)
    start = start_of(model, asked)
    graph = graph_of(asked, model, start, inside=False)
    return {
        "network": render("explain", told=explained(path.name, model, start, precision="float64", batch=True)),
        "operators": render("operations", told=traced(graph, infer_of(model, graph, start))),
    }


def _hostile(folder: Path) -> Path:
    g = GraphBuilder()
    x = g.input(HOSTILE, (1, 4, 4, 3))
    g.output(HOSTILE + "1", g.op("ABS", [x], HOSTILE + "2", (1, 4, 4, 3)))
    (folder / "hostile.tflite").write_bytes(write(g.model(HOSTILE)))
    return folder / "hostile.tflite"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_a_browser(name: str, chrome: Browser, pages: Mapping[str, Path]) -> None:
    for width in (DESK, PHONE):
        bright = {}
        for scheme in (LIGHT, DARK):
            opened = chrome.open(pages[name], width=width, scheme=scheme, whole=SHOTS is not None)
            _keep(f"{name}_{width}_{scheme}.png", opened.picture)
            assert opened.errors == ()
            assert opened.requests == ()
            assert opened.width == width  # nothing sticks out to the side
            shown = np.asarray(Image.open(io.BytesIO(opened.picture)).convert("L"), np.float64)
            assert shown.shape[1] == width
            assert shown.std() > 5  # something is drawn
            bright[scheme] = np.median(shown)
        assert bright[LIGHT] > 230
        assert bright[DARK] < 40


def test_the_browser_tells_what_is_wrong(chrome: Browser, tmp_path: Path) -> None:
    """An error of a script, a request, and what sticks out."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><script>missing()</script>"
        "<img src='https://example.invalid/x.png'><div style='width:500px'>wide</div>"
    )
    opened = chrome.open(bad, width=PHONE)
    assert any("missing" in e or "Uncaught" in e for e in opened.errors)
    assert opened.requests == ("https://example.invalid/x.png",)
    assert opened.width > PHONE
    with pytest.raises(RuntimeError, match="ERR_FILE_NOT_FOUND"):
        chrome.open(tmp_path / "absent.html")


def test_the_policy_of_pages_lets_nothing_run(chrome: Browser, pages: Mapping[str, Path], tmp_path: Path) -> None:
    """Were a name ever to become markup, it still could neither run nor ask the network."""
    spoilt = tmp_path / "spoilt.html"
    content = pages["hostile"].read_text()
    spoilt.write_text(
        content.replace("<main>", "<main><script>missing()</script><img src='https://example.invalid/x'>")
    )
    opened = chrome.open(spoilt)
    assert not any("missing is not defined" in e for e in opened.errors)
    assert len([e for e in opened.errors if "Content Security Policy" in e]) == 2


def _keep(name: str, picture: bytes) -> None:
    if SHOTS is not None:
        (Path(SHOTS) / name).write_bytes(picture)
