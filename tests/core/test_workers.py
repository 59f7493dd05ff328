import os
import time

import pytest

from tfrespam.core.errors import UserError
from tfrespam.core.workers import pool


def test_results_of_other_processes_are_returned_in_order():
    with pool(2) as workers:
        assert list(workers.map(abs, [-3, 2, -1])) == [3, 2, 1]
        assert workers.submit(os.getpid).result() != os.getpid()


def test_a_killed_process_is_reported():
    with pytest.raises(UserError, match="a worker process was killed"), pool(1) as workers:
        workers.submit(os._exit, 9).result()
    with pytest.raises(UserError, match="^what to do$"), pool(1, "what to do") as workers:
        list(workers.map(os._exit, [9]))


def test_jobs_that_have_not_started_are_cancelled_at_the_end():
    with pool(1) as workers:
        workers.submit(time.sleep, 0.5)
        waiting = [workers.submit(time.sleep, 60) for _ in range(5)]
        waiting[0].cancel()
    assert waiting[-1].cancelled()
