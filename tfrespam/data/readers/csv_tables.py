"""Read CSV tables of data sets in common variants.

Commas, semicolons, tabs and bars as separators, Excel's `sep=`, UTF-8 and UTF-16 with and without a byte order mark,
and empty rows and columns are accepted. Anything that could shift a cell into another column is an error.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tfrespam.core.errors import UserError

SEPARATORS = ",;\t|"
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
                     (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip
_SEP = re.compile(r'"?sep=(.)"?[\r\n]+', re.IGNORECASE)
_WHOLE = re.compile(r"([+-]?\d{1,9})([.,]0*)?", re.ASCII)
_GRADE = re.compile(r"(\d)\s*[a-c]?([.,]0*)?", re.ASCII | re.IGNORECASE)


def records(path: Path, expected: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of a table by normalised column names (`key`); rows without any text are omitted.

    Args:
        path: The file.
        expected: Columns by which the separator is detected; the caller checks whether they exist.

    Raises:
        UserError: It cannot be read, names a column twice, or has a row with more cells than columns.
    """
    header, *body = numbered_rows(path, expected) or [(1, [])]
    names = [key(cell) for cell in header[1]]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UserError(f"{path} has several columns named {', '.join(twice)}. Expected each name once")
    return [_record(path, line, names, cells) for line, cells in body]


def numbered_rows(path: Path, expected: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Read the rows of a table with any text, stripped and in Unicode's composed form, with their last line number."""
    text = read_text(path)
    named = _SEP.match(text)
    text = text[named.end() :] if named else text
    try:
        separator = named[1] if named else _separator(text, {key(name) for name in expected})
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
        found = [(reader.line_num, [composed(cell.strip()) for cell in row]) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a table: {error}. Expected cells separated by commas, semicolons "
                        "or tabs, and every quotation mark closed") from None
    return [(line + bool(named), cells) for line, cells in found if any(cells)]


def read_text(path: Path, errors: str = "strict") -> str:
    """Read a text file in UTF-8 or UTF-16, detected by byte order mark or zeros. Raises UserError for others.

    With `errors="replace"` other encodings are read too, except for letters outside of ASCII.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    mark, encoding = next(((mark, name) for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), (b"", ""))
    try:
        return data[len(mark) :].decode(encoding or _unmarked(data), errors)
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: its encoding is neither UTF-8 nor UTF-16. Save it as \"CSV UTF-8\", or "
                        "as Unicode text") from None  # fmt: skip


def key(name: str) -> str:
    """Normalise the name of a column: "Patient_ID " is "patient id"."""
    return " ".join(composed(name).lower().replace("_", " ").split())


def composed(text: str) -> str:
    """Convert text to Unicode's composed form (NFC), to compare file names that macOS decomposed."""
    return unicodedata.normalize("NFC", text)


def path_parts(text: str) -> tuple[str, ...]:
    """Split a path with slashes or backslashes into its composed components."""
    return tuple(part for part in re.split(r"[/\\]+", composed(text).strip()) if part not in ("", "."))


def whole(text: str) -> int:
    """Parse an integer, also "4.0" and "4,0"; -1 (unknown) for other texts and negative numbers."""
    found = _WHOLE.fullmatch(text.strip())
    return max(int(found[1]), -1) if found else -1


def grade(text: str) -> int:
    """Parse a grade of one digit: 4a, 4b and 4c of BI-RADS are 4; -1 (unknown) for other texts."""
    found = _GRADE.fullmatch(text.strip())
    return int(found[1]) if found else -1


def digits(text: str) -> str:
    """Restore an identifier such as "20586908" that Excel changed to "20586908.0"; other texts are unchanged."""
    found = _WHOLE.fullmatch(text.strip())
    return found[1] if found else text.strip()


def _unmarked(data: bytes) -> str:
    """Detect UTF-16 without a byte order mark by its zeros in Latin text."""
    start = data[:200]
    if len(start) >= 4 and not any(start[1::2]) and all(start[0:len(start) // 2 * 2:2]):
        return "utf-16-le"
    if len(start) >= 4 and not any(start[0::2]) and all(start[1::2]):
        return "utf-16-be"
    return "utf-8"


def _separator(text: str, wanted: set[str]) -> str:
    """Return the separator with which the first row has most of the wanted columns; a comma if none has any."""
    return max(SEPARATORS, key=lambda each: len(wanted & {key(cell) for cell in _first_row(text, each)}))


def _first_row(text: str, separator: str) -> list[str]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    return next((row for row in rows if any(cell.strip() for cell in row)), [])


def _record(path: Path, line: int, names: list[str], cells: list[str]) -> dict[str, str]:
    if any(cells[len(names) :]):
        raise UserError(f"{path}, line {line}: expected {len(names)} cells. Received: {len(cells)}. Put cells that "
                        "contain the separator into quotation marks")  # fmt: skip
    return {name: cell for name, cell in zip(names, cells + [""] * len(names), strict=False) if name}
