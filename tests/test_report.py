"""Stage `report`: unreadable and unfinished runs, and invalid output."""

import re
import shutil

import pytest
from fake_runs import write_run

from tfrespam import cli
from tfrespam.core.errors import UserError
from tfrespam.report import report


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda folder: shutil.rmtree(folder), "not a finished run: expected summary.json and per_image.csv"),
    (lambda folder: (folder / "summary.json").write_text("{"), "contains a damaged file .*tfrespam.evaluate"),
    (lambda folder: (folder / "validation" / "per_image.csv").unlink(), "per_image.csv is missing"),
    (lambda folder: (folder / "history.csv").write_text("epoch,loss\n1,x\n"), "contains a damaged file"),
])  # fmt: skip
def test_unreadable_runs_are_reported(tmp_path, spoil, message, capsys):
    folder = write_run(tmp_path / "run", {"a 1": (10, 0, 0)})
    spoil(folder)
    with pytest.raises(SystemExit) as stop:
        cli.run(report, [str(folder), "--output", str(tmp_path / "out.html")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and re.search(message, error) and "Traceback" not in error
    assert not (tmp_path / "out.html").exists()


def test_an_unfinished_run_is_omitted_among_others(tmp_path, capsys):
    finished = write_run(tmp_path / "runs" / "done", {"a 1": (10, 0, 0)})
    refused = tmp_path / "runs" / "refused"
    refused.mkdir()
    (refused / "data.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        cli.run(report, [str(finished), str(refused), "--output", str(tmp_path / "out.html"), "--images", "false"])
        raise SystemExit(0)
    assert stop.value.code == 0 and (tmp_path / "out.html").exists()
    assert f"{refused} is omitted" in capsys.readouterr().err


def test_a_folder_as_output_is_rejected(tmp_path):
    with pytest.raises(UserError, match="`output` must be an HTML file"):
        report(str(write_run(tmp_path / "run", {"a 1": (10, 0, 0)})), output=str(tmp_path))
