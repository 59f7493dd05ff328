"""Journal of finished files, from which an interrupted call resumes."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfrespam.core.files import whole_file


class Journal:
    """Rows of finished files, one line each, kept until all files are finished.

    Args:
        path: File of the journal. Its rows are used only if it has equal `settings`.
        settings: Everything that the rows depend on, except the files.
        files: The files of this call by the names of their outputs. Rows of other files with such a name are removed,
            because their output files will be replaced.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], files: Mapping[str, Path]):
        self._path = path
        self._head = {"settings": json.loads(json.dumps(settings, default=str))}
        head, *entries = _lines(path) or [None]
        done = {entry["row"]["name"]: entry for entry in entries} if head == self._head else {}
        self._done = {name: entry for name, entry in done.items()
                      if name not in files or entry["file"] == str(files[name].absolute())}  # fmt: skip
        with whole_file(path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in (self._head, *self._done.values())))

    def row(self, file: Path, name: str) -> dict[str, Any] | None:
        """Return the row of `file` if it was finished under `name` and has not changed since, else None."""
        entry = self._done.get(name)
        same = entry and entry["file"] == str(file.absolute()) and entry["state"] == state(file) != []
        return entry["row"] if same else None

    def add(self, file: Path, read: list[int], row: Mapping[str, Any]) -> None:
        """Add the row of a finished file whose `state` was `read` before it was read."""
        entry = {"file": str(file.absolute()), "state": read, "row": {**row, "file": str(row["file"])}}
        with open(self._path, "a", encoding="utf-8") as journal:
            journal.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Delete the journal after all files are finished."""
        self._path.unlink(missing_ok=True)


def state(file: Path) -> list[int]:
    """Return size and time of the last change; [] for a file that does not exist any more."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _lines(path: Path) -> list[dict]:
    """Read the lines of the file, without an incomplete last line of a killed process."""
    lines = []
    with contextlib.suppress(FileNotFoundError, ValueError):
        for line in path.read_text(encoding="utf-8").splitlines():
            lines.append(json.loads(line))
    return lines
