import io
import logging
import resource
import subprocess
import sys
from typing import Literal

import pytest
from rich.console import Console

from tfrespam import cli
from tfrespam.__main__ import STAGES
from tfrespam.core.arguments import parse
from tfrespam.core.console import log, progress
from tfrespam.core.errors import UserError


def stage(output: str, threshold: float = 0.5, view: Literal["roi", "film"] = "roi", fold: int | None = None) -> None:
    """Does something.

    More of it.

    Args:
        output: Where it goes.
        threshold: From which on.
    """
    stage.calls.append((output, threshold, view, fold))


def several(*inputs: str, output: str = "out") -> None:
    """Takes many."""
    stage.calls.append((inputs, output))


@pytest.fixture(autouse=True)
def calls():
    stage.calls = []
    return stage.calls


def run(function, *args, **options):
    with pytest.raises(SystemExit) as stop:
        cli.run(function, args, **options)
    return stop.value.code


def test_arguments_are_options_with_types(calls):
    cli.run(stage, ["--output", "x", "--threshold", "1", "--fold=3"])
    assert calls == [("x", 1.0, "roi", 3)] and isinstance(calls[0][1], float)


def test_positional_words_are_given_to_the_starred_argument(calls):
    cli.run(several, ["a.png", "b c.png", "--output", "d"])
    cli.run(several, ["a.png"])
    assert calls == [(("a.png", "b c.png"), "d"), (("a.png",), "out")]
    assert run(several, "--output", "d") == 2


def test_command_line_options_override_the_file(calls, tmp_path):
    (tmp_path / "a.yaml").write_text("output: y\nthreshold: 0.25\n")
    cli.run(stage, ["--config", str(tmp_path / "a.yaml"), "--threshold", "0.75"])
    assert calls == [("y", 0.75, "roi", None)]


def test_defaults_apply_only_without_a_config_file(calls, tmp_path):
    (tmp_path / "a.yaml").write_text("output: y\n")
    cli.run(stage, ["--output", "x"], defaults={"threshold": 0.9})
    cli.run(stage, ["--config", str(tmp_path / "a.yaml")], defaults={"threshold": 0.9})
    cli.run(stage, [f"--config={tmp_path / 'a.yaml'}"], defaults={"threshold": 0.9})
    assert [call[1] for call in calls] == [0.9, 0.5, 0.5]


@pytest.mark.parametrize(("args", "named"), [
    ([], "output"),
    (["--output", "x", "--treshold", "1"], "--treshold"),
    (["--output", "x", "--threshold", "much"], "threshold"),
    (["--output", "x", "--view", "half"], "view"),
    (["x"], "x"),
    (["--config", "no-such-file.yaml", "--output", "x"], "no-such-file.yaml"),
])  # fmt: skip
def test_wrong_arguments_end_with_status_2(args, named, calls, capsys):
    assert run(stage, *args) == 2 and not calls
    error = capsys.readouterr().err
    assert named in error and "Traceback" not in error


def test_unknown_keys_of_a_file_are_errors(tmp_path, calls, capsys):
    (tmp_path / "a.yaml").write_text("output: y\ntreshold: 0.25\n")
    assert run(stage, "--config", str(tmp_path / "a.yaml")) == 2 and not calls
    assert "treshold" in capsys.readouterr().err


def listed(*inputs: str, held_out: tuple[str, ...] = (), box: tuple[int, int, int, int] | None = None,
           fold: int = 0) -> None:  # fmt: skip
    """Takes lists."""
    stage.calls.append((inputs, held_out, box, fold))


@pytest.mark.parametrize(("args", "expected"), [
    (("a", "--held_out", "b", "c", "--fold", "2"), (("a",), ("b", "c"), None, 2)),
    (("a", "--held_out", "[b,c]"), (("a",), ("b", "c"), None, 0)),
    (("a", "--held_out", "b"), (("a",), ("b",), None, 0)),
    (("a", "--box", "1", "2", "3", "4", "--fold", "2"), (("a",), (), (1, 2, 3, 4), 2)),
    (("--box", "1", "2", "3", "4", "a"), (("a",), (), (1, 2, 3, 4), 0)),
    (("a", "--box", "1,2,3,4", "--fold", "2"), (("a",), (), (1, 2, 3, 4), 2)),
])  # fmt: skip
def test_list_options_end_at_the_next_option(calls, args, expected):
    cli.run(listed, args)
    assert calls == [expected]


def test_a_missing_positional_argument_after_a_list_option_is_reported(capsys):
    run(listed, "--held_out", "b", "c", "a")  # all three are its own
    assert "the following arguments are required: inputs" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "named"), [
    ("output:\nfold: 1\n", "arguments are required: output"), ("output: x\nthreshold:\n", "--threshold has no value"),
])  # fmt: skip
def test_a_key_without_a_value_is_reported(tmp_path, capsys, text, named):
    (tmp_path / "c.yaml").write_text(text)
    assert run(stage, "--config", str(tmp_path / "c.yaml")) == 2 and named in capsys.readouterr().err
    (tmp_path / "c.yaml").write_text("output: x\nfold:\n")  # which may be left out
    cli.run(stage, ["--config", str(tmp_path / "c.yaml")])


def test_type_errors_of_optional_options_use_plain_words(capsys):
    run(stage, "--output", "x", "--fold", "y")
    assert capsys.readouterr().err.startswith('error: option "fold": Expected a int. Got value: y. --help')


def test_help_contains_the_docstring(capsys):
    assert run(stage, "--help") == 0
    told = capsys.readouterr().out
    assert "Does something." in told and "More of it." in told and "Where it goes." in told and "Args:" not in told


def test_a_user_error_is_one_message_and_status_2(capsys):
    def wrong() -> None:
        """Fails."""
        raise UserError("--x must be y. Received: z")

    assert run(wrong) == 2
    assert capsys.readouterr().err == "error: --x must be y. Received: z\n"


def test_error_of_an_unknown_option_suggests_a_similar_one(capsys):
    assert run(stage, "--outputt", "x") == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and "Did you mean --output?" in told and told.count("\n") == 1


def test_ctrl_c_is_reported_with_status_130(capsys):
    def interrupted() -> None:
        """Is stopped."""
        raise KeyboardInterrupt

    assert run(interrupted) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_bug_keeps_its_exception():
    def broken() -> None:
        """Has a bug."""
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cli.run(broken, [])


def test_progress_counts_and_shows_rate_and_time(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr("tfrespam.core.console.console", Console(file=screen, width=100, force_terminal=True))
    bar, advance = progress("reading", 3)
    with bar:
        for _ in range(3):
            advance()
    last = screen.getvalue()
    assert "reading" in last and "3/3" in last and "/s" in last and "0:00:00" in last


@pytest.mark.parametrize("name", STAGES)
def test_help_takes_less_than_a_second(name):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = subprocess.run([sys.executable, "-m", f"tfrespam.{name}", "--help"], capture_output=True, text=True,
                            timeout=120)  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert answer.returncode == 0 and "usage:" in answer.stdout and "--config" in answer.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_a_boolean_option_needs_no_value():
    def stage(*inputs: str, loud: bool = False, name: str = "") -> None:
        """Does it.

        Args:
            inputs: Things.
            loud: Whether loudly.
            name: A name.
        """

    for given, loud in (("--loud a", True), ("a --loud", True), ("a --loud false", False), ("a --loud=no", False),
                        ("a", False), ("a --loud --name b", True)):  # fmt: skip
        inputs, options = parse(stage, given.split())
        assert inputs == ["a"] and options["loud"] is loud


def test_log_lines_are_printed_once_with_option_names(capsys):
    def stage(output: str = "o") -> None:
        """Reports."""
        root = logging.getLogger()
        root.addHandler(other := logging.StreamHandler(sys.stdout))
        log.info("written to `output`, as `elsewhere` says")
        log.warning("failed: `output`")
        root.removeHandler(other)

    cli.run(stage, [])
    told = capsys.readouterr()
    assert (told.out, told.err) == ("written to --output, as `elsewhere` says\n", "failed: --output\n")
    assert not log.handlers or log.propagate


def test_library_errors_name_command_line_options(capsys):
    def stage(output: str = "o") -> None:
        """Fails."""
        raise UserError("`output` must be a folder. Received: `x`")

    with pytest.raises(SystemExit):
        cli.run(stage, [])
    assert capsys.readouterr().err == "error: --output must be a folder. Received: `x`\n"
