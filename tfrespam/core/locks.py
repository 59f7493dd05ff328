"""Locks between processes, and temporary folders that are locked while they are in use.

The system releases the locks of a killed process.
"""

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfrespam.core.errors import UserError


@contextlib.contextmanager
def alone(path: str | os.PathLike) -> Iterator[bool]:
    """Try to lock `path`, a file (created when missing) or a folder; yield False if another process holds the lock."""
    with _opened(Path(path)) as descriptor:
        yield hold(descriptor, wait=False)


@contextlib.contextmanager
def in_turn(folder: str | os.PathLike) -> Iterator[None]:
    """Lock `folder`, which is created when missing, for the block; other processes wait."""
    os.makedirs(folder, exist_ok=True)
    with _opened(Path(folder)) as descriptor:
        hold(descriptor)
        yield


@contextlib.contextmanager
def only_one(path: str | os.PathLike, advice: str) -> Iterator[None]:
    """Lock `path` for the block, as `alone` does; raise UserError if another process holds the lock."""
    with alone(path) as free:
        if not free:
            raise UserError(f"{path} is in use by another process. {advice}")
        yield


@contextlib.contextmanager
def locked_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Create an empty folder whose name begins with `prefix`, lock it for the block, and remove it afterwards."""
    folder, descriptor = _create(parent, prefix)
    with closed(descriptor):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_unlocked(parent: Path, prefix: str) -> None:
    """Remove the folders of killed processes: those in `parent` named as `locked_folder` names them, without a lock."""
    for folder in parent.glob(f"{glob.escape(prefix)}*"):
        with contextlib.suppress(OSError):  # removed or renamed by another process, or another user's
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with closed(descriptor):
                if hold(descriptor, wait=False):
                    shutil.rmtree(folder, ignore_errors=True)


def hold(descriptor: int, wait: bool = True) -> bool:
    """Lock the open file and return True, or return False if it is locked. Without support for locks it counts as free.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Return True if the open file is the one at `path`, which another process may rename or remove at any moment."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def closed(descriptor: int) -> Iterator[None]:
    """Close the descriptor after the block, which also releases its lock."""
    try:
        yield
    finally:
        os.close(descriptor)


def _create(parent: Path, prefix: str) -> tuple[Path, int]:
    """Create and lock a folder; repeated while other processes take it for a leftover before it is locked."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            if hold(descriptor, wait=False) and is_at(descriptor, folder):
                return folder, descriptor
            os.close(descriptor)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open `path` for locking: a folder, or a file that is created when missing."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    with closed(descriptor):
        yield descriptor
