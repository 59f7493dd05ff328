"""Freed memory, in a new process because the setting cannot be undone."""

import subprocess
import sys

import pytest

_LEFT = """
import ctypes, sys
import numpy as np
from tfrespam.core.memory import return_large_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if not getattr(ctypes.CDLL(None), "mallopt", None):
    assert not return_large_blocks()
    print("unsupported")
    sys.exit()
if sys.argv[1] == "set":
    assert return_large_blocks()
np.ones(30 << 20, np.uint8)  # freed at once, after which glibc keeps blocks up to this size
before = resident()
held = [(np.ones(16 << 20, np.uint8), np.ones(100_000, np.uint8)) for _ in range(12)]
small = [each for _, each in held]  # between the large blocks
del held
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_blocks_are_returned_when_they_are_freed():
    left = {}
    for setting in ("set", "default"):
        done = subprocess.run([sys.executable, "-c", _LEFT, setting], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if done.stdout.strip() == "unsupported":
            pytest.skip("this C library has no mallopt")
        left[setting] = int(done.stdout)
    assert left["set"] < 16 << 20 and left["default"] > 10 * (16 << 20)
