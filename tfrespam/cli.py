"""Run a stage from the command line: options in, reports on the terminal, one clear message for every user error."""

import contextlib
import inspect
import io
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfrespam.core import console
from tfrespam.core.arguments import option_names, parse
from tfrespam.core.errors import UserError
from tfrespam.core.faults import outside_fault
from tfrespam.core.json_log import JsonLines, line
from tfrespam.core.option_groups import Groups


def run(stage: Callable, args: Sequence[str] | None = None, signature: Callable | None = None,
        defaults: dict[str, Any] | None = None, groups: Groups | None = None) -> None:  # fmt: skip
    """Run `stage`, whose typed arguments and docstring define its command line, and exit the process.

    Every argument is an option (`--output DIR`), except `*inputs`, which contains the words that are not options. If
    the option `log_format` is "json", the log and the message of an error are lines of JSON on standard error, and
    nothing else is printed.

    Exit status: 0 finished; 2 rejected input or a system error such as a full disk, with one message and no traceback;
    130 interrupted. `prepare` ends with 3 if too many listed files are missing.

    Args:
        stage: Function to call.
        args: Words of the command line (default: those of the process).
        signature: Class or function whose arguments define the command line instead of those of `stage`.
        defaults: Values by dotted names, which apply unless a --config file is named.
        groups: Headings for --help, each with the options below it.
    """
    console.open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may hold what the terminal cannot show
    names, as_json = option_names(signature or stage), False
    try:
        inputs, options = parse(signature or stage, args, inspect.getdoc(stage), defaults, groups)
        as_json = options.get("log_format") == "json"
        with json_log() if as_json else shown_log(names):
            stage(*inputs, **options)
    except UserError as error:
        fail(UserError(as_options(str(error), names)), as_json)
    except KeyboardInterrupt:
        console.complain("interrupted: finished work is kept; run the same command again to resume")
        sys.exit(130)
    except Exception as error:
        told = outside_fault(error)
        if told is None:
            raise
        fail(UserError(told), as_json)


def as_options(message: str, names: Sequence[str]) -> str:
    """Replace argument names in backticks by options: `data.fold` -> --data.fold, in `compare` --base.data.fold."""
    def option(found: re.Match[str]) -> str:
        return next((f"--{name}" for name in (found[1], f"base.{found[1]}") if name in names), found[0])

    return re.sub(r"`([\w.]+)`", option, message)


@contextlib.contextmanager
def shown_log(names: Sequence[str] = (), propagate: bool = False) -> Iterator[None]:
    """Show the package's log on the terminal inside the block: warnings on standard error, the rest on the console.

    Args:
        names: Options of the stage; arguments in backticks are shown as these.
        propagate: Whether handlers of the root logger, which TensorFlow's libraries set up, show it once more.
    """
    log, level, propagated = console.log, console.log.level, console.log.propagate
    outer = [handler for handler in log.handlers if isinstance(handler, _Terminal)]
    log.handlers = [handler for handler in log.handlers if handler not in outer] + [_Terminal(names)]
    log.setLevel(logging.INFO)
    log.propagate = propagate
    try:
        yield
    finally:
        log.handlers = [handler for handler in log.handlers if not isinstance(handler, _Terminal)] + outer
        log.setLevel(level)
        log.propagate = propagated


@contextlib.contextmanager
def json_log() -> Iterator[None]:
    """Write the package's log as lines of JSON inside the block; with each request, which the terminal leaves out."""
    log, handler, level, propagated = console.log, JsonLines(), console.log.level, console.log.propagate
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    log.propagate, console.console.quiet = False, True
    try:
        yield
    finally:
        console.console.quiet, log.propagate = False, propagated
        log.removeHandler(handler)
        log.setLevel(level)


class _Terminal(logging.Handler):
    def __init__(self, names: Sequence[str]):
        super().__init__()
        self.names = names

    def emit(self, record: logging.LogRecord) -> None:
        message = as_options(record.getMessage(), self.names)
        if record.levelno >= logging.WARNING:
            console.complain(message)
        else:
            console.console.print(message)


def fail(error: UserError, as_json: bool = False) -> None:
    """Prints a UserError the one way all stages do, and exits with status 2."""
    console.complain(line("ERROR", console.log.name, str(error)) if as_json else f"error: {error}")
    sys.exit(2)
