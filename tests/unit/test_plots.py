"""What the pictures show: seen in the figure, before it becomes a .png."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_transfer import plots
from tflite_transfer.errors import TransferError
from tflite_transfer.prediction import Prediction


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that would be written."""
    found: list[Any] = []
    monkeypatch.setattr(plots, "_save", lambda figure, *_: found.append(figure))
    return found


def test_a_curve_goes_on_after_another(figures: list[Any], tmp_path: Path) -> None:
    plots.plot_losses({"before": [3, 2], "alone": [5, 6, 7], "after": [1.5, 1]}, tmp_path / "a.png", after={"after": 2})
    (axes,) = figures[0].axes
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert lines == {"before": ([1, 2], [3, 2]), "alone": ([1, 2, 3], [5, 6, 7]), "after": ([3, 4], [1.5, 1])}
    assert len({line.get_color() for line in axes.lines}) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["before", "alone", "after"]


def test_predictions_right_and_wrong(figures: list[Any], tmp_path: Path) -> None:
    """Seven pictures: two rows of six places. Grey bytes reach 255, grey floats 1, whatever is in them."""
    pictures = [np.full((2, 2), 9, np.uint8)] * 5 + [np.full((2, 2), 0.5), np.zeros((2, 2, 3), np.uint8)]
    predictions = [Prediction("bag", 0.876)] * 7
    plots.plot_predictions(pictures, predictions, ["bag"] * 6 + ["shirt"], tmp_path / "a.png")
    places = figures[0].axes
    titles = [(axes.get_title(), axes.title.get_color()) for axes in places]
    assert titles[:6] == [("bag 88%", "darkgreen")] * 6
    assert titles[6] == ("bag 88%\n(is shirt)", "firebrick")
    assert [title for title, _ in titles[7:]] == [""] * 5
    assert not any(axes.axison for axes in places)
    shown = [axes.images[0] for axes in places[:7]]
    assert [image.get_clim() for image in shown[:6]] == [(0, 255)] * 5 + [(0, 1)]
    assert shown[6].get_array().shape == (2, 2, 3)


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone" / "b.png")
    with pytest.raises(TransferError, match=r"the plot cannot be written to .*a\.png: No such file"):
        plots.plot_predictions([np.zeros((2, 2))], [Prediction("bag", 1)], ["bag"], tmp_path / "a.png")
