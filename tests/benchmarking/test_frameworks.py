import contextlib
import os
from concurrent.futures.process import BrokenProcessPool

import pytest

from tfrespam.core.errors import UserError
from tfrespam.studies.benchmarking import frameworks, measurements


def test_installed_packages_are_detected():
    assert frameworks.installed("numpy") and not frameworks.installed("no_such_framework")


def test_measurements_are_found_by_name(monkeypatch):
    monkeypatch.setattr(frameworks, "start", lambda: None)
    monkeypatch.setattr(measurements, "machine_and_network", lambda *arguments: arguments)
    assert frameworks._run("machine_and_network", 1, os.getpid()) == (1, os.getpid())


def test_a_killed_measurement_process_is_reported(monkeypatch):
    class Broken:
        def submit(self, *_):
            raise BrokenProcessPool

    monkeypatch.setattr(frameworks, "pool", lambda count: contextlib.nullcontext(Broken()))
    with pytest.raises(UserError, match="too little memory"):
        frameworks.in_separate_process("measure")
