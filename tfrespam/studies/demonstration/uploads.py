"""Folder of uploads with a limit of its size, in which unread uploads are removed."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

UNTAKEN = 120  # seconds after which an upload that was not read is removed; reading begins right after it


class Uploads:
    """Folder for uploads, which the page reads into memory and removes.

    Args:
        folder: The folder, created if it is missing.
        limit: Largest size of all uploads in bytes, including unfinished ones.
        kept: Seconds after which an unread upload is removed.
    """

    def __init__(self, folder: Path, limit: int, kept: float = UNTAKEN):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._limit, self._kept = folder.resolve(), limit, kept
        self._under_way, self._lock, self._ended = 0, threading.Lock(), threading.Event()

    @contextlib.contextmanager
    def swept(self) -> Iterator[None]:
        """Remove old uploads regularly in a thread during the block."""
        thread = threading.Thread(target=self._sweep_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _sweep_on(self) -> None:
        while not self._ended.wait(self._kept / 2):
            self.sweep()

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

    def sweep(self) -> None:
        """Remove uploads that were not read in time."""
        old = time.time() - self._kept
        for path in self._files():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < old:
                    path.unlink()
        for folder in list(self.folder.iterdir()):
            with contextlib.suppress(OSError):  # not empty, or a file
                folder.rmdir()

    def _size(self) -> int:
        size = 0
        for path in self._files():
            with contextlib.suppress(OSError):
                size += path.stat().st_size
        return size

    def _files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]
