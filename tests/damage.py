"""Files with one bit changed, or cut short."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` damaged versions: one in four is cut short, the others have a bit flipped."""
    draw = random.Random(seed)
    for number in range(count):
        place = draw.randrange(len(content))
        if number % 4 == 0:
            yield content[:place]
        else:
            yield content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


def outcomes(file: Path, count: int, read: Callable[[], object], refusal: type[Exception], seed: int = 0) -> list[str]:
    """What `read` makes of damaged versions of `file`, which is whole again afterwards: "refused", or what it gives."""
    whole, found = file.read_bytes(), []
    for content in damaged(whole, count, seed):
        file.write_bytes(content)
        try:
            found.append(str(read()))
        except refusal:
            found.append("refused")
    file.write_bytes(whole)
    return found
