import os

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
    monkeypatch.setattr(frameworks, "_run", os._exit)
    with pytest.raises(UserError, match="the measuring process was killed.*too little memory"):
        frameworks.in_separate_process(9)
