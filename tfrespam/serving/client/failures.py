"""Errors of a client of a model server; each type requires another reaction of the caller."""

import re
from collections.abc import Sequence

from tfrespam.core.errors import UserError


class ServingError(UserError):
    """Base class of the errors below; `code` is the name of gRPC's status code."""

    code = "UNKNOWN"


class ServerUnavailableError(ServingError):
    """The server does not answer, or cannot accept requests now. The request can be sent again."""

    code = "UNAVAILABLE"


class ServerBusyError(ServerUnavailableError):
    """The server works, but has no free thread or place in its queue. The request can be sent again."""

    code = "RESOURCE_EXHAUSTED"


class DeadlineExceededError(ServingError):
    """The answer was not complete in time. The server may still compute it, so the request is not sent again."""

    code = "DEADLINE_EXCEEDED"


class ImageRefusedError(ServingError):
    """The graph rejected an image that is unreadable or too large; `positions` says which of the request."""

    code = "INVALID_ARGUMENT"

    @property
    def positions(self) -> tuple[int, ...]:
        """Indices of the images in the request, from 0; () if the server does not report them."""
        found = re.search(r"image_bytes\[([\d ]+)\]", str(self))
        return tuple(map(int, found[1].split())) if found else ()


class ModelNotFoundError(ServingError):
    """The server does not serve this model, version, label or signature."""

    code = "NOT_FOUND"


class TooMuchDataError(ServingError):
    """The request or its answer exceeds the largest message size, or the server has not enough memory for it."""

    code = "RESOURCE_EXHAUSTED"


class CredentialsError(ServingError):
    """A certificate or token was rejected. The message says whether by the client or by the server."""

    code = "UNAUTHENTICATED"


class WrongAnswerError(ServingError):
    """The answer is not of a tfrespam graph: a wrong count, type, size or value. It must not be used.

    Args:
        message: The first fault.
        answers: For each position in the request a valid result, or the fault as text. Empty if the answer as a whole
            is wrong.
    """

    code = "DATA_LOSS"

    def __init__(self, message: str, answers: Sequence = ()):
        super().__init__(message)
        self.answers = list(answers)


class ServerFaultError(ServingError):
    """Any other error of the server, or a server of another kind."""


_GRAPHS = ("INVALID_ARGUMENT", "INTERNAL")  # the graph's error in TensorFlow Serving, and in Triton
LONGEST_MESSAGE = 500  # characters of a server's message that are kept
_TYPES = {kind.code: kind for kind in (ServerUnavailableError, DeadlineExceededError, ModelNotFoundError,
                                       CredentialsError)} | {"PERMISSION_DENIED": CredentialsError}  # fmt: skip
_NO_SUCH = re.compile(r"signature|version label|servable", re.IGNORECASE)
_MISSING = re.compile(r"not found|unrecognized|unknown|no such", re.IGNORECASE)
_TOO_MUCH = re.compile(r"larger than max|too large|\bOOM\b|out of memory|allocat|memory", re.IGNORECASE)
_OUR_REFUSAL = re.compile(r"certificate.verify.failed|self.signed certificate|unable to get local issuer|"
                          r"hostname mismatch|no match found for server name", re.IGNORECASE)  # fmt: skip
_THEIR_REFUSAL = re.compile(r"alert|certificate.required|bad.certificate|unknown.ca\b", re.IGNORECASE)


def failure(code: str, message: str, address: str) -> ServingError:
    """Create the error for gRPC's status `code`; the server's message is cleaned for the terminal."""
    if code in _GRAPHS and (ours := re.search(r"image_bytes\[[\d ]+\] [^\]\n\\]+", message)):
        return ImageRefusedError(clean(ours[0]))  # the message of the graph's own check within TensorFlow's
    message = clean(message)
    kind = _kind(code, message)
    error = kind(f"{address}: {_explained(kind, message or 'no reason given')} ({code})")
    error.code = code
    return error


def clean(message: str) -> str:
    """Put `message` on one line without control characters, and truncate it to LONGEST_MESSAGE."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in message).split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}…"


def _kind(code: str, message: str) -> type[ServingError]:
    if code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION") and _NO_SUCH.search(message) and _MISSING.search(message):
        return ModelNotFoundError  # TensorFlow Serving has other codes, which differ between gRPC and REST
    if code == "RESOURCE_EXHAUSTED":  # memory, or threads as in "Server Threadpool Exhausted"
        return TooMuchDataError if _TOO_MUCH.search(message) else ServerBusyError
    if code == "UNAVAILABLE" and (_OUR_REFUSAL.search(message) or _tls_alert(message)):
        return CredentialsError
    return _TYPES.get(code, ServerFaultError)


def _tls_alert(message: str) -> bool:
    return bool(re.search(r"ssl|tls", message, re.IGNORECASE) and _THEIR_REFUSAL.search(message))


def _explained(kind: type[ServingError], message: str) -> str:
    if kind is not CredentialsError:
        return message
    if _OUR_REFUSAL.search(message):
        return f"the client does not trust the server's certificate (`ca` names the file to trust): {message}"
    return f"the server refused the client's certificate or token (`certificate`, `key`, `token_file`): {message}"
