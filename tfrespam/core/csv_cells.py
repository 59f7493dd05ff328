"""Guard CSV cells against formula injection, and restore them when they are read.

A lesion or a file may be named `=HYPERLINK(...)`, and CSV does not distinguish text from formulas. OWASP recommends an
apostrophe before such a cell: spreadsheets then treat it as text.
"""

import re
from typing import Any

_RUNS = re.compile(r"'*[=+\-@\t\r\n]", re.DOTALL)
_GUARDED = re.compile(r"''*[=+\-@\t\r\n]", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.ASCII)


def guarded(value: Any) -> Any:
    """Prepend an apostrophe to text that a spreadsheet would run as a formula; numbers are unchanged."""
    text = value if isinstance(value, str) else str(value) if hasattr(value, "__fspath__") else None
    if text is None or not _RUNS.match(text) or _NUMBER.fullmatch(text):
        return value
    return f"'{text}"


def unguarded(text: str | None) -> str | None:
    """Undo `guarded`."""
    return text[1:] if isinstance(text, str) and _GUARDED.match(text) else text
