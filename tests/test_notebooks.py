"""The notebooks: outputs are stored, and every cell runs."""

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))


def outputs(notebook: dict, kind: str) -> list[dict]:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [output for cell in cells for output in cell["outputs"] if output["output_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_contain_images_but_no_error_and_no_absolute_path(path):
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert len(outputs(notebook, "display_data")) >= 3 and outputs(notebook, "stream")
    assert not outputs(notebook, "error") and "/home/" not in text and "/tmp/" not in text


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("execute", HERE / "execute.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stored = json.loads(path.read_text(encoding="utf-8"))
    done = module.execute(stored)
    assert len(outputs(done, "display_data")) == len(outputs(stored, "display_data"))
