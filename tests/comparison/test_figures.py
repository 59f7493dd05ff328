import cv2
import numpy as np
import pytest
from fake_runs import write_run

from tfrespam.config import Experiment
from tfrespam.core.files import write_json
from tfrespam.studies.comparison import figures, results
from tfrespam.studies.comparison.plan import Comparison, Network, trainings
from tfrespam.studies.comparison.probe import cases
from tfrespam.training.run_results import RunResults


@pytest.fixture
def rows(tmp_path):
    planned = trainings(Comparison(models=[Network("unet"), Network("segnet")], base=Experiment(name="b")))
    finished = {}
    for position, training in enumerate(planned):
        images = {f"p{number} 1": (30 - 3 * number, position, 5) for number in range(6)}
        folder = write_run(tmp_path / str(position), images, protocol=training.protocol,
                           parameters=1000 + 500 * position)  # fmt: skip
        shown = {name: {"dice": 0.5} for name in ("best", "median", "worst")}
        write_json(folder / "probe.json", {"seconds_per_image": 0.01, "cases": shown})
        if position != 1:
            cv2.imwrite(str(folder / "cases.png"), np.full((3 * 16, 3 * 16, 3), 40 * position, np.uint8))
        finished[position] = RunResults.read(folder)
    return results.rows(planned, finished)


def test_every_figure_is_a_small_image(rows, tmp_path):
    files = figures.draw_all(rows, tmp_path / "out", tmp_path / "elsewhere")
    names = {file.name for file in files if file.parent == tmp_path / "out"}
    assert names == {"dice_box.png", "loss_curves.png", "dice_parameters.png", "dice_miou.png"}
    assert {file.name for file in (tmp_path / "elsewhere").iterdir()} == {
        "cases-controlled-paper.png", "cases-controlled-folds.png"}  # fmt: skip
    for file in files:
        assert min(cv2.imread(str(file)).shape[:2]) > 80 and file.stat().st_size < 200_000


def test_without_case_images_no_case_figures_are_written(rows, tmp_path):
    for row in rows:
        (row.runs[0].folder / "cases.png").unlink(missing_ok=True)
    files = figures.draw_all(rows, tmp_path / "out", tmp_path / "elsewhere")
    assert len(files) == 4 and not (tmp_path / "elsewhere").exists()


def test_case_images_without_scores_are_omitted(rows, tmp_path):
    for row in rows:
        (row.runs[0].folder / "probe.json").unlink()
    assert len(figures.draw_all(rows, tmp_path / "out", tmp_path / "elsewhere")) == 4


def test_figures_of_one_network_and_protocol_can_be_drawn(rows, tmp_path):
    assert len(figures.draw_all(rows[:1], tmp_path / "out", tmp_path / "out")) == 5


def test_a_network_has_one_colour_in_every_panel(rows, tmp_path, monkeypatch):
    """Also if a network is missing in one group."""
    drawn = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: drawn.append(figure) or path)
    some = [row for row in rows if (row.protocol, row.title) != ("folds", "U-Net")]
    figures.loss_curves({name: [row for row in some if row.protocol == name] for name in ("paper", "folds")}, tmp_path)
    legend = drawn[0].legends[0]
    names = [text.get_text() for text in legend.texts]
    colours = {name: line.get_color() for name, line in zip(names, legend.legend_handles, strict=True)}
    assert set(colours) == {"U-Net", "SegNet"} and len(set(colours.values())) == 2
    assert {line.get_color() for line in drawn[0].axes[1].get_lines()} == {colours["SegNet"]}


def test_dice_miou_figure_shows_measured_and_published_pairs(rows, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: drawn.append(figure) or path)
    figures.dice_miou_pairs(rows, tmp_path / "f.png")
    axis = drawn[0].axes[0]
    lines = {line.get_label(): line.get_xydata() for line in axis.get_lines()}
    assert [0.9420, 0.9076] in lines["published"].tolist()
    expected = [[row.numbers["dice"], row.numbers["miou"]] for row in rows if row.protocol == "folds"]
    assert lines["controlled, folds"].tolist() == expected
    dice, miou = lines["two-class mIoU, coverage 0.40"][50]
    assert miou == pytest.approx((dice / (2 - dice) + 1 - 0.8 * (1 - dice) / (1 - 0.4 * dice)) / 2)


def test_cases_are_best_median_and_worst(rows):
    chosen = cases(rows[0].runs[0])
    dices = sorted((float(row["dice"]) for row in rows[0].runs[0].images), reverse=True)
    assert [float(row["dice"]) for row in chosen.values()] == [dices[0], dices[3], dices[-1]]
    assert rows[0].numbers["inference_seconds"] == 0.01
