"""Logger of the package, console output, progress bars and shell quoting."""

import contextlib
import logging
import os
import shlex
import sys
import time
import unicodedata
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # of writing


def plain(text: str) -> str:
    """Escape control characters, which file names may contain and a terminal would execute.

    Control characters and marks that change the direction of writing become their escapes. Line ends and tabs stay.
    """
    return "".join(_escaped(letter) if _commands(letter) else letter for letter in text)


def _commands(letter: str) -> bool:
    return letter not in "\n\t" and (unicodedata.category(letter) == "Cc" or letter in _DIRECTIONS)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def shown(path: str | os.PathLike) -> str:
    """Escape a path for a one-line message, including line ends and tabs."""
    return plain(os.fspath(path)).replace("\n", "\\n").replace("\t", "\\t")


class _Console(Console):
    """rich's console, with control characters escaped and without an exit when the reader closes the pipe."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(plain(each) if isinstance(each, str) else each for each in objects), **options)

    def on_broken_pipe(self) -> None:
        """Write nothing more, but continue.

        rich would end the program here: `predict ... | head` would leave films unprocessed and the table unwritten.
        """
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print a message to the error stream; a closed error stream is ignored."""
    with contextlib.suppress(BrokenPipeError):
        print(plain(text), file=sys.stderr, flush=True)


def open_streams() -> None:
    """Reopen closed standard streams on the null device.

    Otherwise the next opened file would get the number of such a stream, and output of libraries would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115


class _Plain(logging.Filter):
    """Escape control characters before any handler of the log receives the message."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = plain(record.getMessage()), ()
        return True


log = logging.getLogger("tfrespam")  # library code logs here; command lines show it, see `tfrespam.cli`
log.addFilter(_Plain())

# no markup: paths with brackets or colons are shown as they are
console = _Console(stderr=False, highlight=False, soft_wrap=True, markup=False, emoji=False)


def quoted(path: str | os.PathLike) -> str:
    """Quote `path` as one word for a shell."""
    return shlex.quote(os.fspath(path))


class Bar(Progress):
    """Progress bar that redraws when work advances, at most five times a second; hidden when the log has no handler.

    Auto-refresh is off: rich's refresh thread imports lazily, and TFDS temporarily patches `__import__`, which clashes.

    Args:
        description: The task, such as "Reading films".
        total: Number of steps; None if unknown.
    """

    def __init__(self, description: str, total: int | None = None):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
        super().__init__(*columns, console=console, auto_refresh=False, disable=not log.hasHandlers())
        self._task = self.add_task(description, total=total, rate="")
        self._drawn = 0.0

    def step(self, pieces: int = 1, description: str | None = None) -> None:
        """Advance by `pieces` steps."""
        state = self.tasks[0]
        done = state.completed + pieces
        rate = f"{done / state.elapsed:.1f}/s" if state.elapsed else ""
        self.update(self._task, advance=pieces, rate=rate, description=description or state.description)
        if time.monotonic() - self._drawn > 0.2:
            self._drawn = time.monotonic()
            self.refresh()


def progress(description: str, total: int | None = None) -> tuple[Bar, Callable[[], None]]:
    """Return a progress bar with rate and remaining time, and the function that advances it by one step."""
    bar = Bar(description, total)
    return bar, bar.step
