"""What can go wrong between a client and TensorFlow Serving, one type for each thing that a caller can do about it."""

import re

from tfrespam.errors import UserError


class ServingError(UserError):
    """Any of the below; `code` is the name of gRPC's status code."""

    code = "UNKNOWN"


class ServerUnavailableError(ServingError):
    """Nobody answers, or the server is overloaded. The request can be sent again."""

    code = "UNAVAILABLE"


class DeadlineExceededError(ServingError):
    """The answer did not come in time. The server may still be busy with it, so it is not sent again."""

    code = "DEADLINE_EXCEEDED"


class PictureRefusedError(ServingError):
    """The graph refused an input: no readable picture, or too large a one. `positions` tells which of the request's."""

    code = "INVALID_ARGUMENT"

    @property
    def positions(self) -> tuple[int, ...]:
        """Numbers in the request, from 0; () when the server does not tell."""
        found = re.search(r"image_bytes\[([\d ]+)\]", str(self))
        return tuple(map(int, found[1].split())) if found else ()


class ModelNotFoundError(ServingError):
    """The server does not serve this model, version, label or signature."""

    code = "NOT_FOUND"


class TooMuchDataError(ServingError):
    """The request or its answer is larger than a message may be, or the server has no memory left for it."""

    code = "RESOURCE_EXHAUSTED"


class ServerFaultError(ServingError):
    """Everything else: the server's own trouble, or a server that is none of TensorFlow Serving's."""


_TYPES = {kind.code: kind for kind in (ServerUnavailableError, DeadlineExceededError, ModelNotFoundError,
                                       TooMuchDataError)}  # fmt: skip
_NO_SUCH = re.compile(r"signature key|version label|servable", re.IGNORECASE)


def failure(code: str, message: str, address: str) -> ServingError:
    """The error for gRPC's status `code` and the server's message."""
    if code == PictureRefusedError.code and (ours := re.search(r"image_bytes\[[\d ]+\] [^\]\n]+", message)):
        return PictureRefusedError(ours[0].strip())  # the sentence of the graph's own check inside TensorFlow's report
    if code == PictureRefusedError.code and _NO_SUCH.search(message):
        code = ModelNotFoundError.code
    error = _TYPES.get(code, ServerFaultError)(f"{address}: {message.strip() or 'no reason given'} ({code})")
    error.code = code
    return error
