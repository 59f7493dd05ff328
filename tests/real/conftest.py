"""Downloads of the whole real training list, written once for all test processes."""

import fcntl
import os
from pathlib import Path

import pytest
from real_tree import make_tree


@pytest.fixture(scope="session")
def whole_tree(tmp_path_factory):
    """Function that writes the download of the whole list in a layout, unless a test has done so, and returns it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own beside those of the others
        base = base.parent

    def write(layout: str) -> Path:
        home = base / f"whole-{layout}"
        home.mkdir(exist_ok=True)
        with open(home / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (home / "written").exists():
                make_tree(home / "in", "--layout", layout)
                (home / "written").touch()
        return home / "in"

    return write
