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

from tfrespam.core.console import log
from tfrespam.core.errors import UserError


@contextlib.contextmanager
def alone(path: str | os.PathLike) -> Iterator[bool]:
    """Try to lock `path`, a file or a folder; yield False if another process holds the lock.

    A missing file is created, with its folder.
    """
    path = Path(path)
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor, free = _lock(path, flags, wait=False)
    with closed(descriptor):
        yield free


@contextlib.contextmanager
def in_turn(folder: str | os.PathLike, waiting: str = "") -> Iterator[None]:
    """Lock `folder`, which is created when missing, for the block; other processes wait, and log `waiting` once."""
    while True:
        os.makedirs(folder, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            descriptor, free = _lock(Path(folder), os.O_RDONLY | os.O_DIRECTORY, wait=not waiting)
            if free:
                break
            os.close(descriptor)
            log.info(waiting)
            waiting = ""
    with closed(descriptor):
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


def remove_locked(folder: Path) -> None:
    """Remove a folder whose lock file this process holds; renamed first, so that another process may create it anew."""
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.removed-"))
    os.rename(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)


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


def _lock(path: Path, flags: int, wait: bool) -> tuple[int, bool]:
    """Open and lock `path`; return the descriptor, and False if another process holds the lock.

    Repeated if the previous holder has removed or replaced `path` meanwhile.
    """
    while True:
        if flags & os.O_CREAT:
            os.makedirs(path.parent, exist_ok=True)
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileNotFoundError:
            if flags & os.O_CREAT:  # the folder was removed again
                continue
            raise
        held = hold(descriptor, wait)
        if not held or is_at(descriptor, path):
            return descriptor, held
        os.close(descriptor)
