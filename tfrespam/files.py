"""Files and folders that are either whole or not there at all."""

import contextlib
import csv
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfrespam.errors import UserError


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
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _name(error, path)
        raise
    finally:
        os.close(descriptor)


def _name(error: BaseException, path: Path) -> None:
    """A system's error on writing does not tell of itself which file it was."""
    if isinstance(error, OSError) and error.errno and error.filename is None:
        error.filename = os.fspath(path)


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
def in_turn(folder: str | os.PathLike) -> Iterator[None]:
    """A block for one process at a time with `folder`, which is made when missing; others wait."""
    os.makedirs(folder, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _hold(descriptor)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def only_one(path: str | os.PathLike, advice: str) -> Iterator[None]:
    """A block for one process at a time with `path`, as in `alone`. Raises UserError in every other one."""
    with alone(path) as free:
        if not free:
            raise UserError(f"{path} is in use by another process. {advice}")
        yield


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
        except OSError as error:
            _name(error, path)
            raise
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
    """Sets aside what is there, as often as another process comes in between."""
    aside: list[Path] = []
    while not _renamed(new, path):
        aside.append(Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.replaced-")))
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, aside[-1])
    for old in aside:
        shutil.rmtree(old, ignore_errors=True)


def _renamed(new: Path, path: Path) -> bool:
    """Whether `new` could take the name; not where a folder with files has it."""
    try:
        os.rename(new, path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def is_plain_name(name: str) -> bool:
    """Whether `name`, as a folder of a home, stays in it and is seen there."""
    return bool(name) and "/" not in name and not name.startswith(".")


def with_subfolders(root: Path) -> list[Path]:
    """`root` and the folders in it, by name, as a download may lie in one; nothing if it is no folder."""
    return [root, *(path for path in sorted(root.iterdir()) if path.is_dir())] if root.is_dir() else []


def below(root: Path, pattern: str, folders: int) -> list[Path]:
    """What matches the glob in `root` and so many folders deep, the least deep first, then by name."""
    return [path for depth in range(folders + 1) for path in sorted(root.glob("*/" * depth + pattern))]


def walk(root: str | os.PathLike, passed_over: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Every folder in and below `root` with its files' names, in a stable order.

    Links are followed, but no folder is entered twice; those whose names begin with one of `passed_over` never.
    """
    entered = set()
    for folder, inner, names in os.walk(root, followlinks=True):
        state = os.stat(folder)
        fresh = (state.st_dev, state.st_ino) not in entered
        entered.add((state.st_dev, state.st_ino))
        inner[:] = sorted(name for name in inner if fresh and not name.startswith(passed_over))
        if fresh:
            yield folder, sorted(names)


def file_hash(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_SEAL = "sha256.json"


def seal(folder: Path) -> None:
    """Writes down the digest of every file in `folder`: many formats do not notice that a bit has changed."""
    write_json(folder / _SEAL, {file.name: file_hash(file) for file in sorted(folder.iterdir())})


def check_seal(folder: Path) -> None:
    """Raises ValueError or OSError when a file is not as it was sealed; a folder without a seal is let pass."""
    if (folder / _SEAL).exists():
        for name, digest in json.loads((folder / _SEAL).read_text(encoding="utf-8")).items():
            if file_hash(folder / name) != digest:
                raise ValueError(f"{name} is not as it was written")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all; NaN becomes null."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(_plain(value), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike, advice: str) -> dict[str, Any]:
    """What `write_json` wrote, an object. Raises UserError, with the advice, when the file is damaged."""
    try:
        return dict(json.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}). {advice}") from None


def write_csv(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]], fields: Sequence[str] | None = None) -> None:
    """Writes `rows` under a header (`fields`, or the first row's keys), whole or not at all."""
    with whole_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8",
                                              errors="surrogateescape") as file:
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
