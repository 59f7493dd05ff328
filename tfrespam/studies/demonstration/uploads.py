"""Folder of uploads with a limit of its size, in which unread uploads are removed."""

import contextlib
import threading
from pathlib import Path

from tfrespam.studies.demonstration.swept_folder import SweptFolder

UNTAKEN = 120  # seconds after which an upload that was not read is removed; reading begins right after it


class Uploads(SweptFolder):
    """Folder for uploads, which the page reads into memory and removes.

    Args:
        folder: The folder, created if it is missing.
        limit: Largest size of all uploads in bytes, including unfinished ones.
        kept: Seconds after which an unread upload is removed.
    """

    def __init__(self, folder: Path, limit: int, kept: float = UNTAKEN):
        super().__init__(folder, kept)
        self._limit, self._under_way, self._lock = limit, 0, threading.Lock()

    def holds(self, path: Path) -> bool:
        """Return whether `path`, after resolving links and dots, is inside the folder."""
        return path.is_relative_to(self.folder)

    def reserve(self, size: int) -> bool:
        """Reserve space for an upload of `size` bytes; return False if there is none. `release` frees it.

        Received bytes of an unfinished upload count twice, so that the limit is never exceeded.
        """
        with self._lock:
            self.sweep()
            if self._size() + self._under_way + size > self._limit:
                return False
            self._under_way += size
            return True

    def release(self, size: int) -> None:
        """Free the reservation of a finished or failed upload of `size` bytes, whose files are counted from now on."""
        with self._lock:
            self._under_way -= size

    def _size(self) -> int:
        size = 0
        for path in self.content():
            with contextlib.suppress(OSError):
                size += path.stat().st_size if path.is_file() else 0
        return size
