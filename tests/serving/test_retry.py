import logging

import pytest

from tfrespam.serving.client import retry
from tfrespam.serving.client.failures import ServerBusyError, ServerFaultError, ServerUnavailableError
from tfrespam.serving.client.retry import Retry


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Replace the clock: time passes only in `sleep`."""
    now = [0.0]
    monkeypatch.setattr(retry.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(retry.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def failing(times, error):
    left = iter(range(times))

    def ask():
        if next(left, None) is not None:
            raise error
        return "answer"

    return ask


def test_requests_are_retried_with_one_warning_until_the_server_returns(caplog, clock):
    with caplog.at_level(logging.WARNING):
        assert Retry(30.0)(failing(3, ServerUnavailableError("away"))) == "answer"
    assert 0.8 < clock[0] < 1.8 and len(caplog.records) == 1  # waits of 0.25, 0.5 and 1 s, each at least half


def test_after_patience_ends_further_requests_are_sent_once():
    again = Retry(2.0)
    with pytest.raises(ServerUnavailableError):
        again(failing(99, ServerUnavailableError("away")))
    with pytest.raises(ServerUnavailableError):
        again(failing(1, ServerUnavailableError("away")))
    assert again(lambda: "answer") == "answer"
    assert again(failing(1, ServerUnavailableError("away"))) == "answer"


def test_a_busy_server_is_retried_longer(clock):
    with pytest.raises(ServerBusyError):
        Retry(1.0)(failing(99, ServerBusyError("busy")))
    assert 2 < clock[0] <= 10


def test_other_errors_are_raised_immediately(clock):
    with pytest.raises(ServerFaultError):
        Retry(9.0)(failing(1, ServerFaultError("fault")))
    assert clock[0] == 0
