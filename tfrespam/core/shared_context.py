"""Contexts that change the state of the process, shared by the threads inside them."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager


def shared_context(make: Callable[[], AbstractContextManager]) -> Callable[[], AbstractContextManager]:
    """Decorate a function that returns a context manager: the first thread enters it, and the last one leaves it.

    If each thread saved and restored the state, one would restore that of another, while others need it or for ever.
    """
    lock, entered, inside = threading.Lock(), contextlib.ExitStack(), 0

    @contextlib.contextmanager
    def shared() -> Iterator[None]:
        nonlocal inside
        with lock:
            if not inside:
                entered.enter_context(make())
            inside += 1
        try:
            yield
        finally:
            with lock:
                inside -= 1
                if not inside:
                    entered.close()

    shared.__doc__ = make.__doc__
    return shared
