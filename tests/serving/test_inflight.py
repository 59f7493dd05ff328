import threading
import time

import pytest

from tfrespam.serving.client.inflight import in_order


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_results_are_returned_in_order(concurrency):
    def work(number):
        time.sleep(0.02 if number % 3 == 0 else 0)
        return -number

    assert list(in_order(work, range(20), concurrency)) == [-number for number in range(20)]
    assert list(in_order(work, [], concurrency)) == []


def test_the_number_of_concurrent_calls_is_limited():
    begun, lock, most = [0], threading.Lock(), 0

    def work(number):
        with lock:
            begun[0] += 1
        return number

    for taken, _ in enumerate(in_order(work, range(30), 4), start=1):
        time.sleep(0.005)  # a slow reader
        most = max(most, begun[0] - taken)
    assert most <= 4 and begun[0] == 30


def test_calls_run_concurrently():
    together = threading.Barrier(3, timeout=5)
    assert len(list(in_order(lambda _: together.wait(), range(3), 3))) == 3


def test_no_new_calls_are_started_after_an_error():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise KeyError(number)
        return number

    with pytest.raises(KeyError):
        list(in_order(work, range(100), 2))
    assert len(begun) < 10
