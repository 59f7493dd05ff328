import subprocess
import sys

import pytest
from bright_blobs import blob, write

from tfrespam.core.arguments import parse
from tfrespam.core.errors import UserError
from tfrespam.predict import predict


@pytest.mark.parametrize(("options", "message"), [
    ({"threshold": 1.0}, "`threshold` must be a probability"), ({"batch_size": 0}, "`batch_size` must be 1 or more"),
    ({"output": __file__}, "`output` must be a folder"), ({"model": "nowhere"}, "no exported model"),
    ({"film_model": "films", "server": "host:8500"}, "`film_model` is used on this machine.* Received: both"),
])  # fmt: skip
def test_invalid_options_are_rejected(tmp_path, options, message):
    write(tmp_path / "a.png", blob(20, 20))
    with pytest.raises(UserError, match=message):
        predict(str(tmp_path / "a.png"), **{"output": str(tmp_path / "out")} | options)
    assert not (tmp_path / "out").exists()


def test_a_missing_input_is_an_error_before_any_output(tmp_path):
    with pytest.raises(UserError, match="no such file, folder or match: .*missing.png"):
        predict(str(tmp_path / "missing.png"), output=str(tmp_path / "out"))


def test_the_command_line_takes_several_inputs_and_named_options():
    inputs, options = parse(predict, ["a.png", "b c.dcm", "--output", "out", "--threshold", "0.4"])
    assert inputs == ["a.png", "b c.dcm"] and options["output"] == "out" and options["threshold"] == 0.4
    assert parse(predict, ["--output", "out", "a", "b"])[0] == ["a", "b"]


def test_the_command_line_needs_no_tensorflow_and_fails_with_status_2(tmp_path):
    code = ("import sys; from tfrespam.predict import predict; from tfrespam.core.arguments import parse; "
            "parse(predict, ['a', '--output', 'x']); sys.exit('tensorflow' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
    command = [sys.executable, "-m", "tfrespam.predict", "missing.png", "--output", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2 and answer.stderr == "error: no such file, folder or match: missing.png\n"


def test_a_box_is_four_words_on_the_command_line():
    for words in (["--box", "1", "2", "3", "4"], ["--box", "[1,2,3,4]"], ["--box=[1,2,3,4]"]):
        inputs, options = parse(predict, ["--output", "out", *words, "film.dcm", "--film", "never"])
        assert inputs == ["film.dcm"] and options["box"] == (1, 2, 3, 4) and options["film"] == "never"
    with pytest.raises(UserError, match="Expected a tuple with 4 elements"):
        parse(predict, ["--output", "out", "film.dcm", "--box", "1", "2", "3"])
