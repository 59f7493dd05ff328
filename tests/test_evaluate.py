import pytest

from tfrespam import cli
from tfrespam.evaluate import evaluate


@pytest.mark.parametrize(("options", "expected"), [
    (["--model", "nowhere"], "no exported model: expected a folder"),
    ([], "no exported model found under saved_models/. Name one with --model, or make one with"),
    (["--split", "all"], "all"),
    (["--protocol", "random"], "random"),
    (["--treshold", "0.3"], "--treshold"),
    (["--threshold", "7"], "--threshold must be a probability between 0 and 1. Received: 7.0"),
])  # fmt: skip
def test_errors_are_messages_with_status_2(tmp_path, monkeypatch, capsys, options, expected):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.run(evaluate, ["--output", "out", *options])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and expected in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
