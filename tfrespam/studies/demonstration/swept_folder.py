"""Folder whose old files are removed."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

LONGEST_PAUSE = 60  # seconds between two searches for old files


class SweptFolder:
    """Folder whose files and empty subfolders are removed once they are old.

    Args:
        folder: The folder, created if it is missing.
        kept: Seconds after its last change after which a file is removed.
    """

    def __init__(self, folder: Path, kept: float):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._kept, self._ended = folder.resolve(), kept, threading.Event()

    @contextlib.contextmanager
    def swept(self) -> Iterator[None]:
        """Remove old files regularly in a thread during the block."""
        thread = threading.Thread(target=self._sweep_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _sweep_on(self) -> None:
        while not self._ended.wait(min(self._kept / 2, LONGEST_PAUSE)):
            self.sweep()

    def sweep(self) -> None:
        """Remove what is old; a new subfolder is kept, because its file may not have been written yet."""
        end = time.time() - self._kept
        for path in [path for path in self.content() if _changed(path) < end]:
            with contextlib.suppress(OSError):  # not empty, or removed meanwhile
                path.rmdir() if path.is_dir() else path.unlink()


    def content(self) -> list[Path]:
        """Return all files and folders inside, those of subfolders first; others may be removed meanwhile."""
        return [Path(root, name) for root, folders, files in os.walk(self.folder, topdown=False)
                for name in (*files, *folders)]  # fmt: skip


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed meanwhile
        return float("inf")
