"""The one exception that a user, not a developer, is meant to read."""


class UserError(Exception):
    """Bad input: the message says what was wrong, what was expected, what was received and what to do.

    Stages print it without a traceback and exit with status 2 (`tfrespam.cli`).
    """


def first_line(error: BaseException) -> str:
    """What an error says first; its kind where it says nothing."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
