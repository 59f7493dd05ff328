import json
import logging
import subprocess
import sys
from pathlib import Path

from tfrespam.core.json_log import JsonLines, line


def test_each_line_is_one_record_with_utc_time():
    found = json.loads(line("INFO", "tfrespam", "two\nlines", 86400.25, path=Path("a.png")))
    assert found == {"time": "1970-01-02T00:00:00.250Z", "level": "INFO", "logger": "tfrespam", "message": "two\nlines",
                     "path": "a.png"}  # fmt: skip
    assert "\n" not in line("INFO", "tfrespam", "two\nlines")


def test_handler_writes_message_and_extra_values_to_standard_error(capsys):
    record = logging.makeLogRecord({"name": "tfrespam", "levelname": "WARNING", "msg": "%d films", "args": (3,),
                                    "request": "r1"})  # fmt: skip
    JsonLines().emit(record)
    told = capsys.readouterr()
    found = json.loads(told.err)
    assert not told.out and found["message"] == "3 films" and found["request"] == "r1"
    assert set(found) == {"time", "level", "logger", "message", "request"}


def test_a_closed_standard_error_does_not_end_the_work():
    """As in `python -m tfrespam.predict ... --log_format json 2>&1 | head -1`."""
    lines = ("import logging, sys; from tfrespam.core.json_log import JsonLines\n"
             "log = logging.getLogger('a'); log.addHandler(JsonLines())\n"
             "for _ in range(9): log.warning('x' * 100_000)\nprint('done')")
    with subprocess.Popen([sys.executable, "-c", lines], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stderr.close()
        assert process.stdout.read() == b"done\n"
