"""Damaged files: one bit flipped, or truncated."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield `count` damaged versions: every fourth is truncated, the others have one bit flipped."""
    draw = random.Random(seed)
    for number in range(count):
        place = draw.randrange(len(content))
        if number % 4 == 0:
            yield content[:place]
        else:
            yield content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


def outcomes(file: Path, count: int, read: Callable[[], object], refusal: type[Exception], seed: int = 0) -> list[str]:
    """Call `read` on damaged versions of `file`, then restore it. Returns "refused" or the result as text for each."""
    whole, found = file.read_bytes(), []
    for content in damaged(whole, count, seed):
        file.write_bytes(content)
        try:
            found.append(str(read()))
        except refusal:
            found.append("refused")
    file.write_bytes(whole)
    return found
