"""What all tests share: TensorFlow's environment, and when the tests on real films run."""

import os
import signal

import pytest

from tfrespam.core import runtime

runtime.before_tensorflow()  # a test file may import TensorFlow at its top
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in a shell's background; what is tested would be deaf
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    if os.environ.get("TFRESPAM_REAL_DATA"):
        return
    skip = pytest.mark.skip(reason="TFRESPAM_REAL_DATA does not name a folder with the real films")
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(skip)
