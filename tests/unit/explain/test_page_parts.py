"""What pages are made of: formulas, numbers, pictures, charts, code, colours."""

import base64
import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from tflite_transfer.diagnostics.explain.lessons import LESSONS, PENALTY, W, gradients
from tflite_transfer.diagnostics.page import arcs, chart, code, numbers, picture
from tflite_transfer.diagnostics.page.formula import call, fraction, new, of, row, symbol
from tflite_transfer.diagnostics.page.names import ending, quoted
from tflite_transfer.reference import head
from tflite_transfer.reference.tflite.builder import GraphBuilder

ADDED = of(symbol("r"), W)
OF_BOTH = gradients({"W": W, "b": symbol("b")}, [ADDED], decayed=False)
DECAYED = gradients({"W": W}, [], decayed=True)
FORMULAS = [PENALTY, OF_BOTH, DECAYED, *(f for lesson in LESSONS.values() for f in lesson.formulas)]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.text)
def test_formulas_are_mathml_and_text(formula) -> None:
    root = ET.fromstring(formula.block())
    assert root.tag == "math"
    assert {e.tag for e in root.iter()} <= {
        "math", "mrow", "mi", "mn", "mo", "msub", "msup", "msubsup", "mfrac", "msqrt", "munder", "mover",
    }  # fmt: skip
    letters = set(re.findall(r"[a-zA-Zα-ω]", "".join(e.text or "" for e in root.iter())))
    assert letters
    assert letters <= set(formula.text.translate({ord("ᵀ"): "T", ord("ᵗ"): "t"}))  # both forms name the same things
    assert "<" not in formula.text


def test_formulas_as_text() -> None:
    assert LESSONS["softmax"].formulas[0].text == "p_c = exp(z_c − m) / Σ_k exp(z_k − m), m = max_k z_k"
    assert OF_BOTH.text == "g_W = xᵀ d + r_W, g_b = Σ_i d_i"
    assert DECAYED.text == "g_W = xᵀ d + 2 λ W"
    assert LESSONS["adam"].formulas[-1].text == "w' = w − η m̂ / (√v̂ + ε)"
    assert row(symbol("a"), "·", fraction(row("b", "+", "c"), call("f", "x y"))).text == "a · (b + c) / f(x y)"
    assert new(of(symbol("m"), symbol("W"))).mathml == (
        '<msubsup><mi>m</mi><mi>W</mi><mo lspace="0" rspace="0">′</mo></msubsup>'
    )


def test_names_out_of_files_are_text() -> None:
    hostile = quoted("</math><script>x</script>")
    assert "<script" not in hostile.mathml
    assert ET.fromstring(hostile.mathml).text == hostile.text
    assert ending("a" * 100, 10) == "…" + "a" * 9


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (-0.0, "0"), (62720, "62,720"), (0.25, "0.25"), (-3.14159, "−3.142"), (1.25e-7, "1.25×10⁻⁷"),
        (-2e20, "−2×10²⁰"), (float("nan"), "NaN"), (float("-inf"), "−∞"), (0.99999, "1"), (np.float32(0.1), "0.1"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, shown: str) -> None:
    assert numbers.short(value) == shown


def test_tables_have_one_scale() -> None:
    found = numbers.table(np.float32([[1.5e-6, -2.25e-5], [0, 3e-9]]))
    assert found.cells == [["1.50", "−22.50"], ["0", "0.00"]]
    assert found.factor == "× 10⁻⁶"
    assert numbers.table(np.float32([[1, 0]])).cells == [["1", "0"]]
    assert numbers.table(np.float32([[np.nan, 0.5]])).cells == [["NaN", "0.5000"]]


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e-3, 0.1, 1, 1e3, 1e7, 1e30])
def test_cells_are_the_numbers(scale: float) -> None:
    """Read back they are right to half a unit of the last decimal shown."""
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32) * np.float32(scale)
    found = numbers.table(values)
    read = [[float(c.replace("−", "-")) * 10.0**found.exponent for c in line] for line in found.cells]
    decimals = len(found.cells[0][0].partition(".")[2])
    assert np.abs(np.array(read) - values).max() <= 0.51 * 10.0 ** (found.exponent - decimals)
    assert np.abs(np.array(read) - values).max() <= 1e-3 * np.abs(values).max()


def pixels(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA")).astype(int)


def test_heat_tells_sign_and_size() -> None:
    drawn = pixels(picture.heat(np.array([[2.0, -2.0, 0.0, 1.0, np.nan]])))
    above, below, zero, half, nan = drawn[0]
    assert above[2] > above[0]  # blue
    assert below[0] > below[2]  # orange
    assert zero[3] == 0
    assert 100 < half[3] < 155
    assert above[3] == below[3] == nan[3] == 255
    assert nan[:3].sum() == 0


def test_large_heat_keeps_what_stands_out() -> None:
    values = np.zeros((3, 5000))
    values[1, 4321] = -7
    drawn = pixels(picture.heat(values))
    assert drawn.shape[1] <= picture.LONGEST
    assert (drawn[..., 3] == 255).sum() == 1


def test_photos_are_their_pixels() -> None:
    image = np.random.default_rng(0).random((4, 6, 3))
    np.testing.assert_array_equal(pixels(picture.photo(image))[..., :3], np.rint(image * 255))
    grey = pixels(picture.photo(np.array([[[0.0], [1.0]]])))
    assert grey[0, :, 0].tolist() == [0, 255]


def test_charts_place_numbers() -> None:
    drawn = chart.lines({"a": [1e-8, 0, 1e-2], "b": [1e-5]}, log=True)
    (first, last), (alone,) = drawn.lines[0].points, drawn.lines[1].points  # 0 has no place on a logarithmic axis
    assert first[0] < last[0]
    assert first[1] > alone[1] > last[1]
    assert alone[1] == pytest.approx((first[1] + last[1]) / 2)
    assert [t.label for t in drawn.y.ticks] == ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²"]
    assert [t.label for t in drawn.x.ticks] == ["1", "2", "3"]
    flat = chart.lines({"a": [3.0, 3.0]})
    assert {y for _, y in flat.lines[0].points} == {(flat.y.start + flat.y.end) / 2}
    assert chart.lines({"a": []}).lines[0].points == []


def test_histograms_have_a_bar_for_each_count() -> None:
    drawn = chart.histogram([0, 4, 2], [0, 1, 2, 3])
    heights = [bar.height for bar in drawn.bars]
    assert heights[0] == 0
    assert heights[1] == 2 * heights[2] > 0


def test_arcs_are_the_graphs_edges() -> None:
    g = GraphBuilder()
    x = g.input("x", (1, 4))
    a = g.op("NEG", [x], "a", (1, 4))
    b = g.op("ABS", [a], "b", (1, 4))
    g.output("c", g.op("ADD", [a, b], "c", (1, 4)))
    drawn = arcs.drawn(g.model("net").main)
    assert [(n.number, n.op, n.name) for n in drawn.nodes] == [(0, "NEG", "a"), (1, "ABS", "b"), (2, "ADD", "c")]
    lines = [arc for arc in drawn.arcs if "V" in arc]
    assert (len(lines), len(drawn.arcs)) == (2, 3)  # a to b, b to c; and a past b to c


def test_code_is_the_source() -> None:
    found = code.source(head.softmax)
    assert found.where == "tflite_transfer.reference.head.softmax"
    spans = found.spans()
    assert "".join(s.text for s in spans) == found.text
    assert "e / e.sum" in found.text
    assert {"keyword", "text", "number"} <= {s.kind for s in spans}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_read(scheme: int) -> None:
    """WCAG 2's contrast on both grounds: 4.5 for text, 3 for lines and bars."""
    css = (resources.files("tflite_transfer.diagnostics.page") / "templates" / "style.css").read_text()
    colours = dict(re.findall(r"--(\w+): (#\w{6})", css.split("@media (prefers-color-scheme: dark)")[scheme]))
    texts = ("text", "muted", "accent", "good", "bad", "keyword", "string", "number")
    for name in (*texts, "negative", "positive", "before", "after"):
        for ground in ("ground", "panel"):
            light, dark = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= (4.5 if name in texts else 3), f"{name} on {ground}"


def test_jinja_is_imported_for_pages_alone() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, tflite_transfer.diagnostics.report; print('jinja2' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout == "False\n"
