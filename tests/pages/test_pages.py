"""Pages and terminal show the same stages; what a file calls its tensors is never markup; pages stay small."""

import io
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pages.conftest import Page
from tests.small_networks import cnn, head
from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.diagnostics import compare, report
from tflite_transfer.diagnostics.explain import text
from tflite_transfer.diagnostics.explain.detail import detailed
from tflite_transfer.diagnostics.explain.explanation import Explanation, explained
from tflite_transfer.diagnostics.explain.operations import traced
from tflite_transfer.diagnostics.explain.subject import Asked, Graph, graph_of, infer_of, start_of
from tflite_transfer.diagnostics.gradients import Fault, GradientCheck, GradientReport
from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.diagnostics.page import template
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import MissingExtraError, OptionError
from tflite_transfer.reference.tflite.writer import write

HOSTILE = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}<svg/onload=alert(3)>"


@pytest.fixture(scope="session")
def told(tiny_models: Mapping[str, Path], tiny_photos: Path) -> Explanation:
    path = tiny_models["adam"]
    model = load_trainable(path)
    start = start_of(model, Asked(path, data=tiny_photos, step=2))
    found = explained("tiny", model, start, precision="float64", batch=True)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def of_network(tmp_path_factory: pytest.TempPathFactory, tiny_photos: Path) -> Explanation:
    path = make_trainable(cnn(), tmp_path_factory.mktemp("network") / "whole.tflite", TrainingOptions())
    model = load_trainable(path)
    start = start_of(model, Asked(path, data=tiny_photos, step=2))
    return explained("whole", model, start, precision="float64", batch=True)


@pytest.fixture(scope="session")
def page(told: Explanation) -> Page:
    return Page(template.render("explain", told=told))


def lines(parts: list) -> str:
    return " ".join("\n".join(text.as_lines(parts, width=200, colours=False)).split())


@pytest.mark.parametrize(("name", "agree"), [("told", 19), ("of_network", 17)])
def test_page_and_terminal_tell_the_same(name: str, agree: int, request: pytest.FixtureRequest) -> None:
    told: Explanation = request.getfixturevalue(name)
    page, shown = Page(template.render("explain", told=told)), lines(text.explanation_text(told))
    for stage in told.stages:
        assert stage.values
        assert all(line in shown for line in stage.lesson.why)
        for where in (shown, page.text):
            assert stage.lesson.title in where
            assert stage.lesson.says in where
            assert all(s.meaning in where and s.here in where for s in stage.symbols)
        for value in stage.values:
            cells = [c for line in value.grid.cells for c in line] if value.kind != "image" else []
            assert all(c in shown and c in page.text for c in cells), value.letter.text
    assert page.text.count("agrees") - 1 == shown.count("agrees") == agree  # the page says it of all of them, too


def rows(content: str, stage: str) -> dict[str, list[float]]:
    """The numbers of a stage's tables, read from the page, by their letters."""
    section = re.search(rf'<section class="stage" id="{stage}">(.*?)</section>', content, re.DOTALL)
    assert section is not None
    found = {}
    for line in re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section[1], re.DOTALL):
        letter = "".join(re.findall(r">([^<]+)</m[ion]>", line.partition("</math>")[0]))
        cells = re.findall(r"<td>([−\d.]+)</td>", line)
        found.setdefault(letter, [float(c.replace("−", "-")) for c in cells])
    return found


def test_the_page_s_numbers_are_right(told: Explanation) -> None:
    """Read back from the page, and computed once more from its own neighbours."""
    content = template.render("explain", told=told)
    z, p = (np.array(rows(content, "softmax")[k]) for k in "zp")
    np.testing.assert_allclose(p, np.exp(z) / np.exp(z).sum(), atol=2e-4)  # four decimals are shown
    y, d = rows(content, "dlogits")["y"], rows(content, "dlogits")["d"]
    np.testing.assert_allclose(d, (p - y) / 5, atol=2e-4)
    assert f"= {-np.log(told.decision.before[np.arange(5), told.decision.batch.classes]).mean():.5f}"[:8] in content


def test_the_definitions_are_on_the_page(page: Page) -> None:
    """Word for word, though they are coloured."""
    shown = "".join(page.texts)
    for line in ("e = np.exp(z - z.max(axis=-1, keepdims=True))", "g_ws = x.T @ (d / np.float32(divisor or examples))"):
        assert line in shown


def test_the_pictures_are_those_of_the_sample(told: Explanation, page: Page) -> None:
    import base64

    first = next(attrs["src"] for tag, attrs in page.tags if tag == "img")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(str(first).partition(",")[2]))))
    assert told.decision.image is not None
    np.testing.assert_array_equal(shown, np.rint(told.decision.image * 255).astype(np.uint8))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    g = GraphBuilder()
    x = g.input(HOSTILE, (1, 4, 4, 3))
    y = g.op("ABS", [x], HOSTILE + "1", (1, 4, 4, 3))
    y = g.op("NEG", [y], "\x1b[31mred\x07", (1, 4, 4, 3))
    g.output(HOSTILE + "2", g.op("MUL", [y, g.constant(HOSTILE + "3", np.float32(2))], HOSTILE + "4", (1, 4, 4, 3)))
    path = tmp_path / "hostile.tflite"
    path.write_bytes(write(g.model(HOSTILE)))
    return path


def hostile_gradients() -> GradientReport:
    """A check of a file whose parameter has such a name."""
    check = GradientCheck(HOSTILE, (12, 4), 0.5, 1.0, 0.5, 0.0, 1e-5)
    fault = Fault("gradient scaled", HOSTILE, 0.5, "its gradient is half the slope.", "Divide it by 0.5.")
    return GradientReport(HOSTILE, 3, 1.5, (check,), (fault,), unknown=(HOSTILE,))


def plain_graph(path: Path) -> Graph:
    return graph_of(Asked(path), None, None, inside=False)


def test_names_in_a_file_are_never_markup(hostile: Path, tiny_photos: Path, tiny_models: Mapping[str, Path]) -> None:
    trace, detail = traced(plain_graph(hostile)), detailed(plain_graph(hostile), 1, engine="tflite", exact=True)
    found = compare(hostile, a="tflite", b="numpy-float64")
    model = load_trainable(tiny_models["sgd"])
    start = start_of(model, Asked(tiny_models["sgd"], class_names=(HOSTILE, "b", "c")))
    step = explained(HOSTILE, model, start, batch=True)
    contents = [
        template.render("operations", told=trace), template.render("operation", told=detail),
        report.page(found, hostile_gradients()),
        template.render("explain", told=step),
    ]  # fmt: skip
    for content in contents:
        page = Page(content)
        assert "alert(" in page.text  # it is told, as text
        assert not [tag for tag, _ in page.tags if tag in ("script", "iframe", "object", "form", "base")]
        assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
        sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
        assert all(str(s).startswith("data:image/png;base64,") for s in sources)
        assert ("meta", {"http-equiv": "Content-Security-Policy", "content": template_policy()}) in page.tags
        assert HOSTILE[-20:] in page.text or "…" in page.text  # nor is it a template: {{ 7*7 }}


def test_names_in_a_file_move_no_cursor(hostile: Path, tiny_models: Mapping[str, Path]) -> None:
    model = load_trainable(tiny_models["sgd"])
    start = start_of(model, Asked(tiny_models["sgd"], class_names=("\x1b[2Jred", "\u202eb", "c")))
    step = explained("\x1b]0;title\x07", model, start)
    assert step is not None
    trace, detail = traced(plain_graph(hostile)), detailed(plain_graph(hostile), 0, engine="tflite", exact=False)
    told = [text.explanation_text(step), text.trace_text(trace), text.detail_text(detail)]
    for line in (line for parts in told for line in text.as_lines(parts, width=100, colours=False)):
        assert line.isprintable(), line


def template_policy() -> str:
    return "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_operators_are_told_by_their_definitions(tmp_path: Path) -> None:
    (tmp_path / "cnn.tflite").write_bytes(cnn())
    trace = traced(plain_graph(tmp_path / "cnn.tflite"))
    assert [o.op for o in trace.operations] == ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    page = Page(template.render("operations", told=trace)).text
    shown = lines(text.trace_text(trace))
    for o in trace.operations:
        assert o.says
        assert o.says.replace("``", "") in shown
        assert all(" × ".join(map(str, t.shape)) in page for t in o.outputs)
    last = trace.operations[-1].outputs[0].value
    np.testing.assert_array_equal(last, trace.results["probabilities"])
    assert "def softmax" in page


def test_an_operator_in_full(tmp_path: Path) -> None:
    (tmp_path / "cnn.tflite").write_bytes(cnn())
    graph = plain_graph(tmp_path / "cnn.tflite")
    detail = detailed(graph, 4, engine="tflite", exact=True)
    (check,) = detail.checks
    assert check.agrees
    assert check.allowed is not None
    assert 0 < check.allowed < 1e-5
    given, result = (v.array for v in detail.values)
    e = np.exp(given.astype(np.float64))
    assert detail.values[1].exact is not None
    np.testing.assert_allclose(detail.values[1].exact, e / e.sum(), rtol=1e-14)
    np.testing.assert_allclose(result, e / e.sum(), rtol=1e-6)
    assert "def softmax" in Page(template.render("operation", told=detail)).text
    assert "agrees" in lines(text.detail_text(detail))
    with pytest.raises(OptionError, match="--op must be 0 to 4"):
        detailed(graph, 5, engine="tflite", exact=False)


def test_a_whole_network_that_trains(tmp_path: Path, tiny_photos: Path) -> None:
    path = make_trainable(cnn(), tmp_path / "whole.tflite", TrainingOptions(class_names=("blue", "green", "red")))
    model = load_trainable(path)
    asked = Asked(path, data=tiny_photos)
    start = start_of(model, asked)
    graph = graph_of(asked, model, start, inside=False)
    trace = traced(graph, infer_of(model, graph, start))
    assert trace.decision is not None
    assert trace.decision.before.shape == trace.decision.after.shape == (12, 3)
    truth = trace.decision.before[np.arange(12), start.batch.classes]
    assert trace.results["loss"] == pytest.approx(-np.log(truth).mean(), rel=1e-5)
    before, after = trace.variables["dense/weights"]
    assert 0 < np.abs(after - before).max() <= 1.01e-3  # Adam's first step is its learning rate
    page = Page(template.render("operations", told=replace(trace, why="Operator by operator: it is another."))).text
    assert "Operator by operator: it is another." in page
    assert "before the step" in page
    assert "dense/weights" in page
    impure = next(o.number for o in trace.operations if o.op == "READ_VARIABLE")
    alone = detailed(graph, impure, engine="tflite", exact=False)
    assert not alone.checks
    assert "means nothing alone" in str(alone.without)


def test_long_traces_are_brief(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.input("x", (1, 64, 64, 1))
    for n in range(1800):
        x = g.op("NEG" if n % 2 else "ABS", [x], f"{'converted/' * 20}{n}", (1, 64, 64, 1))
    g.output("y", x)
    (tmp_path / "long.tflite").write_bytes(write(g.model("long")))
    trace = traced(plain_graph(tmp_path / "long.tflite"))
    content = template.render("operations", told=trace)
    assert len(trace.operations) == 1800
    assert len(content.encode()) < 1e6
    assert 40 <= content.count("<img") <= 80


def test_all_classes_are_counted(tmp_path: Path) -> None:
    """Of many the surest have bars. What ΔL sums over are all layers' numbers."""
    path = make_trainable(head(6, classes=14), tmp_path / "many.tflite", TrainingOptions())
    model = load_trainable(path)
    told = explained("many", model, start_of(model, Asked(path)))
    assert "14 classes" in Page(template.render("explain", told=told)).text
    count = sum(int(np.prod(shape)) for shape in model.parameters.values())
    assert ("every number that trains", str(count)) in [(s.meaning, s.here) for s in told.stages[-1].symbols]


def test_pages_are_small(told: Explanation) -> None:
    assert len(template.render("explain", told=told).encode()) < 1e6  # seen: 0.1 MB, and of the demo's model


def faulty(side: NumpySide, number: int, read) -> tuple | None:
    """Pooling whose first row is a hundredth too large."""
    results = ALONE(side, number, read)
    if side.engine != "numpy" or side.graph.operators[number].opcode != "MAX_POOL_2D" or results is None:
        return results
    spoilt = results[0].copy()
    spoilt[:, 0] *= np.float32(1.01)
    return (spoilt,)


ALONE = NumpySide.alone


def test_a_report_names_the_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cnn.tflite").write_bytes(cnn())
    right = report.page(compare(tmp_path / "cnn.tflite"))
    assert "Both compute the same" in right
    assert "where they part first" not in right
    monkeypatch.setattr(NumpySide, "alone", faulty)
    found = compare(tmp_path / "cnn.tflite")
    assert found.first is not None
    content = report.page(found)
    page = Page(content)
    assert "They differ" in content
    assert "operator 1, MAX_\u200bPOOL_\u200b2D" in content
    anchors = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = {str(attrs["href"])[1:] for tag, attrs in page.tags if tag == "a" and str(attrs["href"]).startswith("#")}
    assert links <= anchors
    circles = [attrs["class"] for tag, attrs in page.tags if tag == "circle" and "cx" in attrs and attrs["cx"] == "64"]
    assert circles.count("fault") == 1
    assert len(circles) == 5


def one_more(folder: Path) -> list[Path]:
    """Two files, of which the other one has an operator more."""
    for name, opcodes in (("one", ["RELU", "ABS"]), ("other", ["RELU", "NEG", "ABS"])):
        g = GraphBuilder()
        y = g.input("x", (1, 4))
        for n, opcode in enumerate(opcodes):
            y = g.op(opcode, [y], f"a/long/history/of/what/was/put/together/{opcode}/{n}", (1, 4))
        g.output("y", y)
        (folder / f"{name}.tflite").write_bytes(write(g.model("run")))
    return [folder / "one.tflite", folder / "other.tflite"]


def test_a_report_has_what_is_in_one_file_alone(tmp_path: Path) -> None:
    page = Page(report.page(compare(*one_more(tmp_path), a="numpy")))
    assert "run: B alone has operator 1 (NEG) -> a/long/history/of/what/was/put/together/NEG/1" in page.text


def test_a_report_says_where_nothing_is_left_to_compare(tmp_path: Path) -> None:
    path, _ = one_more(tmp_path)
    found = compare(path, inputs={"x": np.full((1, 4), np.nan, np.float32)})
    assert found.agrees
    assert [f.operator for f in found.without_numbers] == [0, 1]
    assert "Both runs have NaN in 2 of 2 tensors, the first in 0 RELU" in Page(report.page(found)).text
    assert not compare(path).without_numbers


def test_a_report_of_training_has_curves(tiny_models: Mapping[str, Path]) -> None:
    found = compare(tiny_models["sgd"], steps=3)
    told = report.Report(found)
    assert told.losses is not None
    assert [len(line.points) for line in told.losses.lines] == [3, 3]
    a, b = (np.array(line.points) for line in told.losses.lines)
    assert a[0, 1] < a[-1, 1]  # the loss falls, and down is a larger y
    np.testing.assert_allclose(a, b, atol=0.02)
    content = report.page(found)
    assert len(content.encode()) < 3e6
    assert [part for part in told.drawings if part in content] == ["bottleneck", "inference", "train_head", "optimizer"]


def test_without_jinja_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    template._environment.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install jinja2 \(or tflite-transfer\[report\]\)"):
        template.check_templates()
    template._environment.cache_clear()
