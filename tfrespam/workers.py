"""Worker processes for films, gone when the process that started them is gone."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import resource_tracker

import cv2


def cores() -> int:
    """Processor cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `workers` processes; what was not begun when the block ends is not done.

    The processes are spawned, not forked: TensorFlow's threads do not survive a fork.
    """
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)
    try:
        with _deaf_to_ctrl_c():
            for _ in range(workers):
                executor.submit(int)  # starts a process, since none is idle yet
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started in the block never hear Ctrl-C, which is for their parent: it ends the pool."""
    resource_tracker.ensure_running()  # when it starts later, it lifts the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """What a worker does first."""
    cv2.setNumThreads(1)  # the pool already uses every core
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's worker waits for work forever, also from a parent that was killed."""
    multiprocessing.parent_process().join()
    os._exit(1)
