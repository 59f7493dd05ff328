"""Write tables as Markdown, LaTeX and to the terminal, and numbers as CSV and JSON."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfrespam.studies.comparison.tables import Table

TERMINAL_WIDTH = 110
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
          ">": r"\textgreater{}", "–": "--", **{sign: "\\" + sign for sign in "&%$#_{}"}}  # fmt: skip


def markdown(name: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Format a document with heading, caption and cells of each table, and the notes as paragraphs at the end."""
    blocks = [f"# {name}"]
    for table in tables:
        lines = [table.header, ["---"] + ["---:"] * (len(table.header) - 1), *table.body]
        cells = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
        blocks += [f"## {table.title}", table.caption, cells]
    return "\n\n".join([*blocks, *notes]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def latex(tables: Sequence[Table]) -> str:
    """Format each table as a LaTeX environment; the document requires the packages booktabs and graphicx."""
    return "% \\usepackage{booktabs,graphicx}\n" + "\n".join(_latex_table(table) for table in tables)


def _latex_table(table: Table) -> str:
    rows = [" & ".join(map(escape_latex, row)) + r" \\" for row in [table.header, *table.body]]
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{escape_latex(f'{table.title}. {table.caption}')}}}",
        r"\resizebox{\linewidth}{!}{%", rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}", r"\toprule",
        rows[0], r"\midrule", *rows[1:], r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])  # fmt: skip


def escape_latex(text: str) -> str:
    """Escape the characters that are commands in LaTeX."""
    return re.sub(r"[\\~^<>–&%$#_{}]", lambda found: _LATEX[found[0]], text)


def terminal(console, tables: Sequence[Table]) -> None:
    """Print the tables; lines wrap on a narrow terminal."""
    import rich.box
    import rich.console
    import rich.markup
    import rich.table

    wide = rich.console.Console(file=console.file, width=max(console.width, TERMINAL_WIDTH), highlight=False)
    for table in tables:
        console.print(f"\n{table.title}", style="bold", markup=False)
        wide.print(table.caption, markup=False)
        if not table.header:
            continue
        grid = rich.table.Table(box=rich.box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
        for position, name in enumerate(table.header):
            grid.add_column(name, justify="right" if position else "left", no_wrap=True)
        for row in table.body:
            grid.add_row(*(rich.markup.escape(cell) for cell in row))
        wide.print(grid)


def flat(rows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return rows and column names for a CSV file: lists become text, missing values stay empty."""
    fields = list(dict.fromkeys(name for row in rows for name in row))
    plain = [{name: " ".join(f"{item:g}" for item in value) if isinstance(value, list) else value
              for name, value in row.items()} for row in rows]  # fmt: skip
    return plain, fields
