"""Writes the results of a comparison: table.md, .csv, .tex, .json, and the tables on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from tfrespam import cli, provenance
from tfrespam.comparison import averages, results, tables, writing
from tfrespam.comparison.plan import KEPT_BY_OWN, Comparison
from tfrespam.files import whole_file, write_csv, write_json


def write(comparison: Comparison, rows: Sequence[results.Row], output: Path) -> None:
    """Writes and prints everything that the finished trainings tell.

    Args:
        comparison: As configured.
        rows: `results.rows`, at least one.
        output: The results folder.
    """
    numbers = [row.numbers for row in rows]
    leakage = results.leakage(rows)
    measured = averages.measured_pairs(numbers)
    finding = averages.finding(measured)
    made = tables.tables(numbers, leakage, measured, finding)
    flat, fields = writing.flat(numbers)
    write_csv(output / "table.csv", flat, fields)
    write_json(output / "table.json", {
        "name": comparison.name, "rows": numbers, "leakage": leakage,
        "averages": {"published": averages.published_pairs(), "measured": measured},
        "versions": provenance.versions(), "machine": provenance.machine(), "git": provenance.git(),
    })  # fmt: skip
    for name, text in (("table.md", writing.markdown(comparison.name, made, notes(comparison))),
                       ("table.tex", writing.latex(made))):  # fmt: skip
        with whole_file(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    writing.terminal(cli.console, tables.overview(numbers, leakage, finding))
    cli.console.print(f"\n{output / 'table.md'} has all tables; .tex the same, .csv and .json every number unrounded",
                      markup=False)  # fmt: skip


def notes(comparison: Comparison) -> list[str]:
    """What the tables do not say: how the widths were chosen, and what the own recipes lack."""
    found = []
    if comparison.match_parameters:
        found.append(f"Widths were set so that every network has {comparison.match_parameters:,} parameters within "
                     "2 %.")  # fmt: skip
    departures = results.departures(comparison)
    if departures:
        found.append("## Own recipes\n\nEach system's published optimizer, loss and schedule, with the comparison's "
                     f"{', '.join(KEPT_BY_OWN[:2])} and pictures. What the publications have and these recipes have "
                     "not:")  # fmt: skip
        found += [f"* {title}: {' '.join(sentences)}" for title, sentences in departures.items()]
    return found
