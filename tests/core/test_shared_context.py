import contextlib
import threading

import pytest

from tfrespam.core.shared_context import shared_context

STATE = []


@shared_context
@contextlib.contextmanager
def changed():
    STATE.append("changed")
    try:
        yield
    finally:
        STATE.pop()


def test_the_state_is_changed_at_the_first_entry_and_restored_at_the_last_exit():
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with changed():
            inside.set()
            assert leave.wait(20)

    other = threading.Thread(target=stay)
    with changed():
        other.start()
        assert inside.wait(20) and STATE == ["changed"]
    assert STATE == ["changed"]
    leave.set()
    other.join()
    assert STATE == []
    with changed(), changed():
        assert STATE == ["changed"]
    assert STATE == []


def test_an_error_leaves_the_context():
    with pytest.raises(ZeroDivisionError), changed():
        raise ZeroDivisionError
    assert STATE == []
