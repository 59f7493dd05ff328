"""Pool of worker processes for films; workers exit when their parent process ends."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker

import cv2

from tfrespam.core.errors import UserError

KILLED = "a worker process was killed, most likely because of too little memory"


@contextlib.contextmanager
def pool(workers: int, killed: str = KILLED) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of `workers` processes; jobs that have not started when the block ends are cancelled.

    The processes are spawned, not forked: TensorFlow's threads do not survive a fork.

    Raises:
        UserError: A process was killed; the message is `killed`.
    """
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)
    try:
        with _interrupt_blocked():
            for _ in range(workers):
                executor.submit(int)  # starts a process, since none is idle yet
        yield executor
    except BrokenProcessPool:
        raise UserError(killed) from None
    finally:
        executor.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Block SIGINT (Ctrl-C) in processes started inside the block; their parent handles it and ends the pool."""
    resource_tracker.ensure_running()  # if it started later, it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Initialise a worker process."""
    cv2.setNumThreads(1)  # the pool already uses all cores
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit when the parent process ends; pool workers would otherwise block forever."""
    multiprocessing.parent_process().join()
    os._exit(1)
