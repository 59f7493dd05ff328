"""Exception for errors that the user can correct."""


class UserError(Exception):
    """Bad input: the message says what was wrong, what was expected, what was received and what to do.

    Stages print it without a traceback and exit with status 2 (`tfrespam.cli`).
    """


def first_line(error: BaseException) -> str:
    """Return the first non-empty line of an error's message, or the name of its class if the message is empty."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)


def extra(name: str) -> str:
    """Say how to install an optional part of tfrespam, which is not on PyPI."""
    return f"the extra [{name}] of tfrespam; install it in the folder of its source with: pip install '.[{name}]'"
