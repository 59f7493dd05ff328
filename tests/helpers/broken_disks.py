"""Full disks and read-only folders for tests."""

import contextlib
import ctypes
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

FULL = "No space left on device|File too large"


@contextlib.contextmanager
def full_disk(folder: Path, size: int) -> Iterator[str]:
    """Mount `folder` as a disk of `size` bytes, or, if mounting is not permitted, limit the size of files.

    Yields which of the two it is.
    """
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode == 0:
        try:
            yield "tmpfs"
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield "limit"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make `folder` read-only inside the block, also for root."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o555)
    before = _capabilities()
    _set_capabilities([before[0] & ~0b110, *before[1:]])  # those that let root pass over permissions
    try:
        yield
    finally:
        _set_capabilities(before)
        os.chmod(folder, 0o755)


_LIBC = ctypes.CDLL(None, use_errno=True)
_VERSION = 0x20080522


def _header() -> ctypes.Array:
    return (ctypes.c_uint32 * 2)(_VERSION, 0)  # this thread


def _capabilities() -> list[int]:
    """Return effective, permitted and inheritable capabilities, then the same for the higher numbers."""
    data = (ctypes.c_uint32 * 6)()
    assert _LIBC.capget(_header(), data) == 0, os.strerror(ctypes.get_errno())
    return list(data)


def _set_capabilities(values: list[int]) -> None:
    assert _LIBC.capset(_header(), (ctypes.c_uint32 * 6)(*values)) == 0, os.strerror(ctypes.get_errno())
