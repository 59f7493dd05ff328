"""Logging as JSON lines, for programs that collect logs."""

import contextlib
import json
import logging
import sys
import time

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Handler):
    """Write each record as one line to standard error: time (UTC), level, logger, message, and its `extra` values."""

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in _OWN}
        with contextlib.suppress(BrokenPipeError):  # nobody reads the log any more
            print(line(record.levelname, record.name, record.getMessage(), record.created, **extra),
                  file=sys.stderr, flush=True)  # fmt: skip


def line(level: str, logger: str, message: str, created: float | None = None, **extra) -> str:
    """Format one record. Values that JSON cannot represent become text."""
    created = time.time() if created is None else created
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created)) + f".{int(created % 1 * 1000):03}Z"
    return json.dumps({"time": moment, "level": level, "logger": logger, "message": message, **extra}, default=str)
