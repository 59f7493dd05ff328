"""Identifier, timeout and size limit of one request."""

import uuid
from typing import NamedTuple

MIB = 1 << 20
_PER_PIXEL = 8  # bytes: mask and probability as PNG that does not compress, 1 + 2 with filter bytes, in base64
_PER_VALUE = 32  # bytes of a float32 as JSON text, at most


class Call(NamedTuple):
    """One request.

    Args:
        id: Sent as `x-request-id`, for the logs of client and server.
        timeout: Seconds within which the complete answer must arrive.
        limit: Largest size of the answer in bytes.
    """

    id: str
    timeout: float
    limit: int

    @classmethod
    def new(cls, timeout: float, limit: int = 16 * MIB) -> "Call":
        """Create a request with a new id."""
        return cls(uuid.uuid4().hex[:16], timeout, limit)


def limit_of_images(pixels: list[int]) -> int:
    """Return the largest size in bytes of masks and probabilities of images with these numbers of pixels."""
    return MIB * (1 + len(pixels)) + _PER_PIXEL * sum(pixels)


def limit_of_values(count: int) -> int:
    """Return the largest size in bytes of `count` numbers as JSON."""
    return MIB + _PER_VALUE * count
