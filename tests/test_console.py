import os
import subprocess
import sys

import pytest

from tfrespam.core.console import complain, console, log, plain, shown


@pytest.mark.parametrize(("text", "shown"), [
    ("a\x1b[2Jb", "a\\x1b[2Jb"), ("\x07\x08\r", "\\x07\\x08\\r"), ("\x9b31m", "\\x9b31m"),
    ("\u202egnp.exe", "\\u202egnp.exe"),
    ("a\tb\nc", "a\tb\nc"), ("\u00e4\u6f22 [x] \U0001f600", "\u00e4\u6f22 [x] \U0001f600")])  # fmt: skip
def test_control_characters_are_escaped(text, shown, capsys):
    assert plain(text) == shown
    console.print(text)
    complain(text)
    output = capsys.readouterr()
    assert output.err == shown + "\n" and "\x1b" not in output.out and "\u202e" not in output.out


def test_paths_stay_on_their_line_and_the_log_is_clean(caplog):
    assert shown("a\nerror: b\tc\x07") == "a\\nerror: b\\tc\\x07"
    with caplog.at_level("INFO", "tfrespam"):
        log.warning("failed: %s", "a\x1b[31m.png")
    assert caplog.messages == ["failed: a\\x1b[31m.png"]


CODE = "from tfrespam.core.console import console; [console.print(k) for k in range(3)]; open({!r}, 'w').write('done')"


def test_output_continues_after_the_pipe_is_closed(tmp_path):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", CODE.format(str(tmp_path / "a"))]
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert ended.returncode == 0 and ended.stderr == b"" and (tmp_path / "a").read_text() == "done"


def test_closed_standard_streams_are_reopened(tmp_path):
    code = ("import os; from tfrespam.core.console import open_streams, console; open_streams(); console.print('x'); "
            f"d = os.open({str(tmp_path / 'a')!r}, os.O_CREAT | os.O_WRONLY); os.write(d, b'done'); assert d > 2")
    shell = f'exec {sys.executable} -c "$CODE" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", shell], env={**os.environ, "CODE": code}).returncode == 0
    assert (tmp_path / "a").read_bytes() == b"done"
