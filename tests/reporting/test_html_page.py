"""The page of results."""

import json
import re

import browser
import pytest
from fake_runs import write_run
from parsed_page import Page

from tfrespam.config import Experiment
from tfrespam.report import report
from tfrespam.studies.comparison import figures, results
from tfrespam.studies.comparison import outputs as comparison_report
from tfrespam.studies.comparison.plan import Comparison, Network, trainings
from tfrespam.studies.reporting import html_page
from tfrespam.training.run_results import RunResults


def test_page_contains_the_numbers_of_the_summary(made, trained):
    summary = json.loads((trained[1] / "summary.json").read_text())
    scores = summary["metrics"]
    for value in (scores["dice"]["image"], scores["miou"]["pooled"], summary["trivial"]["all_ones"]):
        assert f"{100 * value:.2f}" in made[1].text
    assert f"{summary['skill']:.3f}" in made[1].text and "94.20" in made[1].text and "this model" in made[1].text
    for what in ("Leak audit", "Calibration", "Mass shape", "Lesion size", "Failures", "config.yaml",
                 "not a medical device", summary["command"].splitlines()[0], summary["versions"]["tensorflow"]):
        assert what.lower() in made[1].text.lower()


@pytest.mark.parametrize(("ends", "shown"), [([0.31, 0.42], "31.00 to 42.00"), ([None, None], "–")])
def test_scores_have_their_interval_unless_there_is_one_patient(trained, ends, shown):
    summary = json.loads((trained[1] / "summary.json").read_text())
    summary["metrics"]["dice"]["image_ci95"] = ends
    assert html_page._scores(summary)[0][2] == shown


def test_page_is_self_contained_and_its_links_are_valid(made):
    text = made[0].read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text) and "<script" not in text and "@import" not in text
    assert len(made[1].ids) == len(set(made[1].ids))
    assert {link.removeprefix("#") for link in made[1].links} <= set(made[1].ids)
    assert all(image["alt"] for image in made[1].images)


def test_runs_without_images_model_or_curves_are_reported(tmp_path):
    folder = write_run(tmp_path / "e" / "r<b>&", {f"p{place} 1": (40 - 4 * place, 3, 4 * place) for place in range(10)})
    (folder / "history.csv").unlink()
    report(str(folder), output=str(tmp_path / "out.html"))
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "is not a training run, so its exported model is unknown. Name one with `model`" in text
    assert "has no calibration.csv" in text and "r<b>&" not in text and "r&lt;b&gt;&amp;" in text
    assert "3 of 10 images have a Dice below 0.5" in Page(text).text
    report(str(folder), output=str(tmp_path / "out.html"), images=False)
    assert "omitted (--images false)" in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_a_comparison_is_shown_as_table_and_figures(tmp_path):
    comparison = Comparison(models=[Network("unet"), Network("segnet")], base=Experiment(name="b"))
    planned = trainings(comparison)
    folders = [write_run(tmp_path / "runs" / str(place), {"a 1": (30, place, 5), "b 1": (20, 2, 9)},
                         protocol=training.protocol) for place, training in enumerate(planned)]  # fmt: skip
    rows = results.rows(planned, dict(enumerate(map(RunResults.read, folders))))
    comparison_report.write(comparison, rows, tmp_path / "table")
    figures.draw_all(rows, tmp_path / "table", tmp_path / "table")
    report(str(tmp_path / "table"), str(tmp_path / "runs" / "0"), output=str(tmp_path / "out.html"))
    page = Page((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert len(page.images) == 4 and all(image["src"].startswith("data:image/png") for image in page.images)
    for row in rows:
        assert row.title in page.text and f"{100 * row.numbers['dice']:.2f}" in page.text
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


@pytest.mark.slow
@pytest.mark.parametrize(("viewport", "scheme"), [(browser.WIDE, "light"), (browser.PHONE, "dark")])
def test_the_page_in_a_browser(made, tmp_path, viewport, scheme):
    with browser.page(viewport, color_scheme=scheme) as page:
        page.goto(made[0].as_uri())
        sizes = page.evaluate("Array.from(document.images, image => image.complete ? image.naturalWidth : 0)")
        assert len(sizes) == len(made[1].images) and min(sizes) == 480
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # no horizontal scrolling
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
    """Compute WCAG 2.2's contrast ratio of two CSS colours."""
    def luminance(colour):
        shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
