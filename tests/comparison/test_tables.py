import csv
import io
import json
import re

import pytest
from fake_runs import write_run
from rich.console import Console

from tfrespam.comparison import averages, report, results, writing
from tfrespam.comparison.collect import Run
from tfrespam.comparison.plan import Comparison, Network, OwnRecipe, trainings
from tfrespam.comparison.published import LABELS
from tfrespam.comparison.tables import Table, overview, percent, probability, tables
from tfrespam.config import Experiment

SPECIAL = r"50 % & more_or_less $5 #1 {a} ~ ^ \cmd < > –"


@pytest.fixture
def comparison():
    own = OwnRecipe(training={"loss": "bce"}, departures=["Adam for SGD."])
    models = [Network("unet", own=own), Network("segnet", label="Seg_Net | 50 % longer", own=own)]
    return Comparison(name="made", base=Experiment(name="b"), recipes=["controlled", "own"], models=models)


@pytest.fixture
def rows(comparison, tmp_path):
    finished = {}
    planned = trainings(comparison)
    for position, training in enumerate(planned):
        tp = 35 - position - (0 if training.protocol == "paper" else 4)
        images = {f"p{number} 1": (tp - number, number, 5) for number in range(6)}
        finished[position] = Run.read(write_run(tmp_path / str(position), images, protocol=training.protocol,
                                                dataset="phantom"))  # fmt: skip
    return results.rows(planned, finished)


def all_tables(rows) -> list[Table]:
    numbers = [row.numbers for row in rows]
    measured = averages.measured_pairs(numbers)
    return tables(numbers, results.leakage(rows), measured, averages.finding(measured))


def test_cells():
    assert percent(0.94204) == "94.20" and percent(float("nan")) == "–" and percent(None) == "–"
    assert probability(0.00004) == "< 0.001" and probability(0.0432) == "0.043" and probability(float("nan")) == "–"


def test_every_group_has_its_tables(rows):
    titles = [table.title for table in all_tables(rows)]
    expected = [f"{kind}: {recipe} recipe, protocol {protocol}" for recipe in ("controlled", "own")
                for protocol in ("paper", "folds") for kind in ("Scores", "Ranks")]  # fmt: skip
    assert titles == [*expected, "Cost of leakage", "Parameters and time", "Which average the published columns are"]
    assert all(len(line) == len(table.header) for table in all_tables(rows) for line in table.body)


def test_scores_stand_beside_the_published_ones(rows):
    table = all_tables(rows)[0]
    line = dict(zip(table.header, table.body[0], strict=True))
    assert line["Network"] == "U-Net"
    assert (line["Published Dice"], line["Published mIoU"]) == ("90.47", "84.79")
    assert line["Dice, image mean"] == percent(rows[0].numbers["dice"])
    assert table.body[1][table.header.index("Published Dice")] == "–"
    assert "copies of the same lesion in training" in table.caption
    assert "copies of the same lesion" not in all_tables(rows)[2].caption


def test_markdown_is_a_table_with_escaped_bars(rows):
    text = writing.markdown("made", all_tables(rows), ["* a note"])
    assert "| Seg_Net \\| 50 % longer |" in text
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| Network | Dice, i")]
    assert bars and set(bars) == {17}
    assert text.endswith("\n* a note\n")


def test_latex_escapes_every_special_character():
    escaped = writing.escape_latex(SPECIAL)
    assert escaped == (r"50 \% \& more\_or\_less \$5 \#1 \{a\} \textasciitilde{} \textasciicircum{} "
                       r"\textbackslash{}cmd \textless{} \textgreater{} --")  # fmt: skip


def test_latex_rows_have_their_columns(rows):
    text = writing.latex(all_tables(rows))
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert all(line.isascii() for line in body)
    header = next(line for line in body if "Published Dice" in line)
    assert header.count(" & ") == 15
    assert any(line.startswith(r"Seg\_Net | 50 \% longer & ") and line.count(" & ") == 15 for line in body)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == len(all_tables(rows))


def test_terminal_shows_names_and_numbers(rows):
    screen = io.StringIO()
    shown = overview([row.numbers for row in rows], results.leakage(rows), "A finding [in brackets].")
    writing.terminal(Console(file=screen, width=60, soft_wrap=True), shown)
    text = screen.getvalue()
    assert "Seg_Net | 50 % longer" in text and "90.47 / 84.79" in text and "A finding [in brackets]." in text
    assert max(map(len, text.splitlines())) <= writing.TERMINAL_WIDTH and "…" not in text
    assert re.search(r"GFLOPs .*Training, s .*Inference, ms", text) and re.search(r"image +image", text)


def test_the_longest_name_fits_a_terminal(rows):
    title = max(LABELS.values(), key=len)
    shown = [{**row.numbers, "network": title} for row in rows]
    screen = io.StringIO()
    writing.terminal(Console(file=screen, width=60, soft_wrap=True), overview(shown, results.leakage(rows), "-"))
    assert max(map(len, screen.getvalue().splitlines())) <= writing.TERMINAL_WIDTH
    assert title in screen.getvalue() and "…" not in screen.getvalue()


def test_files_hold_every_number(rows, comparison, tmp_path, capsys):
    report.write(comparison, rows, tmp_path)
    known = json.loads((tmp_path / "table.json").read_text())
    assert [row["network"] for row in known["rows"]] == [row.title for row in rows]
    assert known["rows"][1]["published_dice"] is None
    assert len(known["leakage"]) == 4 and len(known["averages"]["published"]) == 7
    with open(tmp_path / "table.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert [float(row["dice"]) for row in read] == [row.numbers["dice"] for row in rows]
    assert read[0]["ranks"] == " ".join(f"{share:g}" for share in rows[0].numbers["ranks"])
    text = (tmp_path / "table.md").read_text()
    assert "* U-Net: Adam for SGD." in text and "## Cost of leakage" in text
    assert (tmp_path / "table.tex").read_text().startswith("% \\usepackage{booktabs")
    assert "Cost of leakage" in capsys.readouterr().out


def test_the_finding_follows_the_numbers():
    def measured(dice, miou, iou, coverage):
        numbers = {"recipe": "controlled", "protocol": "folds", "network": "U-Net", "dice": dice, "miou": miou,
                   "iou": iou, "dice_pooled": dice, "miou_pooled": miou, "coverage_pooled": coverage}  # fmt: skip
        return averages.measured_pairs([numbers])

    curve = averages.two_class_miou(0.9, 0.4)
    agrees = averages.finding(measured(0.9, curve, averages.foreground_iou(0.9) + 0.004, 0.4))
    assert "0.39 to 0.47" in agrees and "are taken to be foreground Dice and two-class mIoU" in agrees
    assert "within 0.00 points" in agrees
    both = averages.finding(measured(0.9, curve, averages.foreground_iou(0.9) + 0.03, 0.4))
    assert "reading a explains the published ones as well" in both
    assert "cannot tell the readings apart" in averages.finding(measured(0.9, 0.88, 0.82, 0.2))
