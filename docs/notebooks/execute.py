"""Run the notebooks here and store what they show: python docs/notebooks/execute.py [FOLDER]

The cells run in this process, one after the other, in FOLDER (default: a temporary one). Text that they print and
figures that they draw become their outputs.
"""

import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def execute(notebook: dict) -> dict:
    """Run the code cells of a notebook in the working folder; return it with their outputs. Errors pass through."""
    import matplotlib

    matplotlib.use("Agg")
    names: dict = {"__name__": "__main__"}
    cells, number = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            cell = {**cell, "execution_count": number, "outputs": _run("".join(cell["source"]), names)}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _run(source: str, names: dict) -> list[dict]:
    from matplotlib import pyplot as plt

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "<cell>", "exec"), names)
    outputs = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    for figure in map(plt.figure, plt.get_fignums()):
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=70, bbox_inches="tight", metadata={"Software": None})
        data = {"image/png": base64.b64encode(png.getvalue()).decode()}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    plt.close("all")
    return outputs


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(sys.argv[1] if len(sys.argv) > 1 else scratch)
        for path in sorted(HERE.glob("*.ipynb")):
            done = execute(json.loads(path.read_text(encoding="utf-8")))
            path.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
