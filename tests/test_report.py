"""Stage `report`: the page's numbers, and the page in a browser."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser

import browser
import pytest
from fake_runs import write_run

from tfrespam import cli
from tfrespam.comparison import figures, results
from tfrespam.comparison import report as comparison_report
from tfrespam.comparison.collect import Run
from tfrespam.comparison.plan import Comparison, Network, trainings
from tfrespam.config import Experiment
from tfrespam.errors import UserError
from tfrespam.report import report


class Page(HTMLParser):
    """What of a page can be asked without a browser."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.images, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img":
            self.images.append(found)

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    """The page of the session's run, and its text."""
    output = tmp_path_factory.mktemp("report") / "with space.html"
    report(str(trained[1]), output=str(output))
    return output, Page(output.read_text(encoding="utf-8"))


def test_the_page_has_the_summarys_numbers(made, trained):
    summary = json.loads((trained[1] / "summary.json").read_text())
    low, high = summary["metrics"]["dice"]["image_ci95"]
    scores = summary["metrics"]
    for value in (scores["dice"]["image"], scores["miou"]["pooled"], summary["trivial"]["all_ones"]):
        assert f"{100 * value:.2f}" in made[1].text
    assert f"{100 * low:.2f} to {100 * high:.2f}" in made[1].text
    assert f"{summary['skill']:.3f}" in made[1].text and "94.20" in made[1].text and "this model" in made[1].text
    for what in ("Leak audit", "Calibration", "Mass shape", "Lesion size", "Failures", "config.yaml",
                 "not a medical device", summary["command"].splitlines()[0], summary["versions"]["tensorflow"]):
        assert what.lower() in made[1].text.lower()


def test_the_page_needs_nothing_else_and_its_links_lead_somewhere(made):
    text = made[0].read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text) and "<script" not in text and "@import" not in text
    assert len(made[1].ids) == len(set(made[1].ids))
    assert {link.removeprefix("#") for link in made[1].links} <= set(made[1].ids)
    assert all(image["alt"] for image in made[1].images)


def test_gallery_and_failures_are_the_ranks_of_the_rows(made, trained):
    with open(trained[1] / "test" / "per_image.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["dice"]))
    assert f"run1-best-{rows[0]['lesion_id']}" in made[1].ids and f"run1-worst-{rows[-1]['lesion_id']}" in made[1].ids
    failed = {f"run1-failed-{row['lesion_id']}" for row in rows if float(row["dice"]) < 0.5}
    assert {name for name in made[1].ids if name.startswith("run1-failed-")} == failed
    cases = [name for name in made[1].ids if re.match("run1-(best|median|worst|failed)-", name)]
    assert len(made[1].images) == len(cases)


def test_outlines_are_those_of_the_exported_model(trained, prepared):
    import base64

    import cv2
    import numpy as np

    from tfrespam.evaluation.overlay import REFERENCE
    from tfrespam.reporting import gallery, source

    judged = source.read(trained[1])
    row = judged.images[0]
    (picture,) = gallery.draw(judged, [row], f"{trained[0].models_dir}/exp", None).values()
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(picture.data.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (gallery.SIDE, 2 * gallery.SIDE, 3)
    cyan = (cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) == REFERENCE).all(-1)
    assert not cyan[:, : gallery.SIDE].any() and cyan[:, gallery.SIDE :].any()


def test_pictures_of_another_data_set_are_not_drawn_under_these_scores(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[1], folder)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"data_sha256": "other"}))
    report(str(folder), output=str(tmp_path / "out.html"))
    page = Page((tmp_path / "out.html").read_text())
    assert "these scores are of other examples than those in" in page.text and not page.images


def test_runs_without_pictures_model_or_curves_are_reported_too(tmp_path):
    folder = write_run(tmp_path / "e" / "r<b>&", {f"p{place} 1": (40 - 4 * place, 3, 4 * place) for place in range(10)})
    (folder / "history.csv").unlink()
    report(str(folder), output=str(tmp_path / "out.html"))
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "no training run: name the exported model with --model" in text
    assert "has no calibration.csv" in text and "r<b>&" not in text and "r&lt;b&gt;&amp;" in text
    assert "3 of 10 pictures have a Dice below 0.5" in Page(text).text
    report(str(folder), output=str(tmp_path / "out.html"), pictures=False)
    assert "left out on demand" in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_a_comparison_is_a_table_with_its_figures(tmp_path):
    comparison = Comparison(models=[Network("unet"), Network("segnet")], base=Experiment(name="b"))
    planned = trainings(comparison)
    folders = [write_run(tmp_path / "runs" / str(place), {"a 1": (30, place, 5), "b 1": (20, 2, 9)},
                         protocol=training.protocol) for place, training in enumerate(planned)]  # fmt: skip
    rows = results.rows(planned, dict(enumerate(map(Run.read, folders))))
    comparison_report.write(comparison, rows, tmp_path / "table")
    figures.draw_all(rows, tmp_path / "table", tmp_path / "table")
    report(str(tmp_path / "table"), str(tmp_path / "runs" / "0"), output=str(tmp_path / "out.html"))
    page = Page((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert len(page.images) == 4 and all(image["src"].startswith("data:image/png") for image in page.images)
    for row in rows:
        assert row.title in page.text and f"{100 * row.numbers['dice']:.2f}" in page.text
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda folder: shutil.rmtree(folder), "no finished run: expected summary.json and per_image.csv"),
    (lambda folder: (folder / "summary.json").write_text("{"), "holds a damaged file .*tfrespam.evaluate"),
    (lambda folder: (folder / "validation" / "per_image.csv").unlink(), "per_image.csv is missing"),
    (lambda folder: (folder / "history.csv").write_text("epoch,loss\n1,x\n"), "holds a damaged file"),
])  # fmt: skip
def test_what_cannot_be_read_is_told(tmp_path, spoil, message, capsys):
    folder = write_run(tmp_path / "run", {"a 1": (10, 0, 0)})
    spoil(folder)
    with pytest.raises(SystemExit) as stop:
        cli.run(report, [str(folder), "--output", str(tmp_path / "out.html")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and re.search(message, error) and "Traceback" not in error
    assert not (tmp_path / "out.html").exists()


def test_a_folder_is_no_output(tmp_path):
    with pytest.raises(UserError, match="--output must be an HTML file"):
        report(str(write_run(tmp_path / "run", {"a 1": (10, 0, 0)})), output=str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(("viewport", "scheme"), [(browser.WIDE, "light"), (browser.PHONE, "dark")])
def test_the_page_in_a_browser(made, tmp_path, viewport, scheme):
    with browser.page(viewport, color_scheme=scheme) as page:
        page.goto(made[0].as_uri())
        sizes = page.evaluate("Array.from(document.images, image => image.complete ? image.naturalWidth : 0)")
        assert len(sizes) == len(made[1].images) and min(sizes) == 480
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing to scroll sideways
        assert page.locator("[role=img]").count() >= 6
        assert min(page.evaluate(LETTERS)) >= 9
        for text, back in page.evaluate(COLOURS):
            assert contrast(text, back) >= 4.5, (text, back)
        pdf = page.pdf()
        assert pdf.startswith(b"%PDF") and len(pdf) > 50_000
        assert not page.faults


# Pixels of the plots' letters, which shrink with the plots.
LETTERS = """Array.from(document.querySelectorAll('[role=img] svg'),
  each => 10 * each.getBoundingClientRect().width / each.viewBox.baseVal.width)"""
COLOURS = """Array.from(document.querySelectorAll('p, td, th, caption, figcaption, a, b, pre, summary'), each => {
  let back = each;
  while (back && getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;
  return [getComputedStyle(each).color, getComputedStyle(back || document.body).backgroundColor];
})"""


def contrast(first, second):
    """WCAG 2.2's contrast ratio of two CSS colours."""
    def luminance(colour):
        shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
