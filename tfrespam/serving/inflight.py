"""Work that overlaps, in order and in bounds."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], concurrency: int) -> Iterator[Result]:
    """`work(item)` of each item, in the items' order; at most `concurrency` at a time are begun and not yet taken.

    Results that nobody has taken yet count, so a slow reader holds the workers back and memory stays bounded.
    """
    if concurrency == 1:
        yield from map(work, items)
        return
    waiting = deque()
    with ThreadPoolExecutor(concurrency) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == concurrency:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
