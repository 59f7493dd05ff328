"""Worker processes for films: one per core, and gone when the process that started them is gone."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

import cv2


def pool(workers: int | None = None) -> ProcessPoolExecutor:
    """A pool of `workers` processes (default: one per core) whose children are spawned, not forked.

    TensorFlow's threads do not survive a fork.
    """
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    """What a worker does first."""
    cv2.setNumThreads(1)  # the pool already uses every core
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's worker waits for work forever, also from a parent that was killed."""
    multiprocessing.parent_process().join()
    os._exit(1)
