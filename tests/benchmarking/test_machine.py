import pytest

from tfrespam.studies.benchmarking import machine


def test_the_fastest_call_counts(monkeypatch):
    times = iter([0.0, 3.0, 10.0, 11.0, 20.0, 22.0])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(times))
    assert machine._best(lambda: None, 3) == 1.0


@pytest.mark.parametrize("rate", [lambda: machine.sgemm_rate(64, 1), lambda: machine.bandwidth(1, 1)])
def test_arithmetic_and_copy_rates_are_plausible(rate):
    assert rate() > 1e6
