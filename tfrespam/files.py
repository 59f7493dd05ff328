"""Files and folders that are either whole or not there at all."""

import contextlib
import csv
import fcntl
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def _sync(path: Path) -> None:
    """Force `path` to the disk, so that the rename that follows never uncovers an empty file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary name beside `path` that takes its place when the block ends without an error.

    The name is always the same, so what a killed process left under it is written over.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial{path.suffix}")
    descriptor = _create(temporary)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _create(path: Path) -> int:
    """An empty file, held by this process until the descriptor is closed; waits for another one that holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        _hold(descriptor)
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):  # not renamed while waiting
            os.ftruncate(descriptor, 0)
            return descriptor
        os.close(descriptor)


def _hold(descriptor: int, flags: int = fcntl.LOCK_EX) -> bool:
    """Whether the file is free, and if so this process's; a file system that knows no locks is always free."""
    try:
        fcntl.flock(descriptor, flags)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextlib.contextmanager
def alone(path: str | os.PathLike) -> Iterator[bool]:
    """Yields whether no other process is in such a block with `path`, a file (made when missing) or a folder.

    A process that is killed lets go of it.
    """
    path = Path(path)
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _hold(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_directory(path: str | os.PathLike) -> Iterator[Path]:
    """Yields an empty folder beside `path` that is renamed to `path` when the block ends without an error.

    An existing `path` is replaced only then. What an earlier, killed run left half written is removed first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    recover_directory(path)
    _remove_leftovers(path)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.partial-"))
    with alone(temporary):
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            _replace_directory(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def recover_directory(path: str | os.PathLike) -> None:
    """Gives a folder its name back where a process was killed just between setting it aside and naming the new one."""
    path = Path(path)
    for old in path.parent.glob(f".{glob.escape(path.name)}.replaced-*"):
        if not path.exists() and any(old.iterdir()):
            os.rename(old, path)


def _remove_leftovers(path: Path) -> None:
    """Removes what killed runs left; what a living process writes is held by it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.partial-*"):
        with contextlib.suppress(FileNotFoundError), alone(leftover) as free:
            if free:
                shutil.rmtree(leftover, ignore_errors=True)
    for old in path.parent.glob(f".{glob.escape(path.name)}.replaced-*"):
        shutil.rmtree(old, ignore_errors=True)


def _replace_directory(new: Path, path: Path) -> None:
    if not path.exists():
        os.rename(new, path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.replaced-"))
    os.rename(path, old)
    os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all; NaN becomes null."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(_plain(value), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]], fields: Sequence[str] | None = None) -> None:
    """Writes `rows` under a header (`fields`, or the first row's keys), whole or not at all."""
    with whole_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, os.PathLike):
        return str(value)
    return None if isinstance(value, float) and value != value else value
