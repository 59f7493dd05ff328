"""Repeat requests while a server is unreachable or busy, with growing pauses that differ between clients."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tfrespam.serving.client.failures import ServerBusyError, ServerUnavailableError

FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0  # seconds between two attempts
BUSY = 10  # factor of `patience` for a busy server, which will answer later
LOGGER = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Retry:
    """Repeat a request while the server is unreachable or busy; thread-safe.

    Once a request has waited `patience` seconds for an unreachable server, others are sent only once until it answers
    again. This does not apply to a busy server, which answers other requests.

    Args:
        patience: Seconds during which a request is repeated while the server cannot be reached; BUSY times as long
            while the server reports that it is busy.
    """

    def __init__(self, patience: float):
        self._patience = patience
        self._warned = threading.Event()  # set from the first repeated request until one is answered
        self._warned_busy = threading.Event()  # never cleared: a busy server rejects one request and answers the next
        self._gone = threading.Event()  # set while the server has been unreachable for over `patience`

    def __call__(self, ask: Callable[[], Answer]) -> Answer:
        """Call `ask`, again only while it raises ServerUnavailableError, and return its answer."""
        start, wait = time.monotonic(), FIRST_WAIT
        while True:
            try:
                answer = ask()
                self._warned.clear()
                self._gone.clear()
                return answer
            except ServerUnavailableError as error:
                pause = wait * random.uniform(0.5, 1.0)  # so that clients do not all retry at the same time
                self._check(error, time.monotonic() + pause - start)
            time.sleep(pause)
            wait = min(2 * wait, LONGEST_WAIT)

    def _check(self, error: ServerUnavailableError, waited: float) -> None:
        """Raise `error` if the time is up; otherwise log a warning, once."""
        busy = isinstance(error, ServerBusyError)
        patience = self._patience * (BUSY if busy else 1)
        if waited > patience or self._gone.is_set() and not busy:
            if not busy:
                self._gone.set()
            raise error
        warned = self._warned_busy if busy else self._warned
        if not warned.is_set():
            warned.set()
            LOGGER.warning("%s; retrying for up to %g s", error, patience)
