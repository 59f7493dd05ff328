import io
import re

from all_tables import all_tables
from rich.console import Console

from tfrespam.studies.comparison import results, writing
from tfrespam.studies.comparison.published import LABELS
from tfrespam.studies.comparison.tables import overview

SPECIAL = r"50 % & more_or_less $5 #1 {a} ~ ^ \cmd < > –"


def test_markdown_is_a_table_with_escaped_bars(rows):
    text = writing.markdown("made", all_tables(rows), ["* a note"])
    assert "| Seg_Net \\| 50 % longer |" in text
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| Network | Dice, i")]
    assert bars and set(bars) == {20}
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
    assert header.count(" & ") == 18
    assert any(line.startswith(r"Seg\_Net | 50 \% longer & ") and line.count(" & ") == 18 for line in body)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == len(all_tables(rows))


def test_terminal_shows_names_and_numbers(rows):
    screen = io.StringIO()
    shown = overview([row.numbers for row in rows], results.leakage(rows), "A finding [in brackets].")
    writing.terminal(Console(file=screen, width=60, soft_wrap=True), shown)
    text = screen.getvalue()
    assert "Seg_Net | 50 % longer" in text and "90.47 / 84.79" in text and "A finding [in brackets]." in text
    assert max(map(len, text.splitlines())) <= writing.TERMINAL_WIDTH and "…" not in text
    assert re.search(r"GFLOPs .*Training, s .*Inference, ms", text) and re.search(r"image +image", text)


def test_the_longest_name_fits_the_terminal_width(rows):
    title = max(LABELS.values(), key=len)
    shown = [{**row.numbers, "network": title} for row in rows]
    screen = io.StringIO()
    writing.terminal(Console(file=screen, width=60, soft_wrap=True), overview(shown, results.leakage(rows), "-"))
    assert max(map(len, screen.getvalue().splitlines())) <= writing.TERMINAL_WIDTH
    assert title in screen.getvalue() and "…" not in screen.getvalue()
