"""Read the films of a data set in worker processes of this machine; does not use TensorFlow."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator

from tfrespam.core.console import progress
from tfrespam.core.provenance import cores
from tfrespam.core.workers import pool
from tfrespam.data.preparing.film_examples import CropPolicy, film_examples
from tfrespam.data.readers.records import Film

KILLED = ("a process that reads films was killed, most likely because of too little memory: read fewer films at once "
          "with `workers` 1. Or a script of your own called this outside of `if __name__ == \"__main__\":`, and so "
          "started itself again in each process")
Read = Callable[[str], Iterable[tuple]]  # split -> result of `film_examples` for each of its films, in order


@contextlib.contextmanager
def reading(source: str, films: dict[str, list[Film]], policy: CropPolicy, workers: int | None) -> Iterator[Read]:
    """Start to read all films, and yield a function that returns the results of a split.

    The processes start when the block is entered, so that they read while the caller imports TensorFlow.

    Args:
        source: Name of the source's module.
        films: Films of each split.
        policy: How examples are cropped.
        workers: Number of processes; the number of cores if None.

    Raises:
        UserError: A process was killed.
    """
    read, count = functools.partial(film_examples, source), sum(map(len, films.values()))
    with pool(max(1, min(workers or cores(), count)), KILLED) as processes:

        def start(split: str) -> Iterable[tuple]:
            return processes.map(read, films[split], [policy] * len(films[split]), chunksize=4)

        started = {split: start(split) for split in films}
        yield lambda split: _with_progress(started.pop(split, None) or start(split), len(films[split]))


def _with_progress(results: Iterable[tuple], count: int) -> Iterator[tuple]:
    bar, advance = progress("reading films", count)
    with bar:
        for result in results:
            advance()
            yield result
