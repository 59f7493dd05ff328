"""Write the results of a comparison: table.md, .csv, .tex, .json, and tables on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from tfrespam.core import provenance
from tfrespam.core.console import console
from tfrespam.core.files import whole_file, write_csv, write_json
from tfrespam.studies.comparison import averages, results, rows_file, tables, writing
from tfrespam.studies.comparison.plan import KEPT_BY_OWN, Comparison


def write(comparison: Comparison, rows: Sequence[results.Row], output: Path) -> None:
    """Write and print the results of the finished trainings.

    Args:
        comparison: The comparison.
        rows: `results.rows`, at least one.
        output: The results folder.
    """
    numbers = [row.numbers for row in rows]
    leakage = results.leakage(rows)
    measured = averages.measured_pairs([row.numbers for row in rows if row.main])
    finding = averages.finding(measured)
    made = tables.tables(numbers, leakage, measured, finding)
    flat, fields = writing.flat(numbers)
    write_csv(output / "table.csv", flat, fields)
    write_json(output / "table.json", {
        "name": comparison.name, "rows": numbers, "leakage": leakage,
        "averages": {"published": averages.published_pairs(), "measured": measured},
        "versions": provenance.versions(), "machine": provenance.machine(), "git": provenance.git(),
    })  # fmt: skip
    rows_file.write([pair for row in widest(rows) for pair in row.done], output / rows_file.FILE)
    for name, text in (("table.md", writing.markdown(comparison.name, made, notes(comparison))),
                       ("table.tex", writing.latex(made))):  # fmt: skip
        with whole_file(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    writing.terminal(console, tables.overview(numbers, leakage, finding))
    console.print(f"\n{output / 'table.md'} contains all tables; .tex the same, .csv and .json all numbers unrounded, "
                  f"{rows_file.FILE} the pixel counts of every image",
                      markup=False)  # fmt: skip


def widest(rows: Sequence[results.Row]) -> list[results.Row]:
    """Return for each network, recipe and protocol the row with the most images, which all its runs evaluated."""
    found: dict[tuple, results.Row] = {}
    for row in rows:
        key = row.recipe, row.protocol, row.title
        if key not in found or len(row.block.images) > len(found[key].block.images):
            found[key] = row
    return list(found.values())


def notes(comparison: Comparison) -> list[str]:
    """Return notes about the choice of widths and about departures from the published recipes."""
    found = []
    if comparison.match_parameters:
        found.append(f"Widths were set so that every network has {comparison.match_parameters:,} parameters within "
                     "2 %.")  # fmt: skip
    departures = results.departures(comparison)
    if departures:
        found.append("## Own recipes\n\nEach system's published optimizer, loss and schedule, with the comparison's "
                     f"{', '.join(KEPT_BY_OWN[:2])} and images. Differences between the publications and these "
                     "recipes:")  # fmt: skip
        found += [f"* {title}: {' '.join(sentences)}" for title, sentences in departures.items()]
    return found
