"""HTTP requests with limits of time and size, sent only to the given address."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import urllib3
from urllib3 import connection, connectionpool, exceptions

from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.failures import ServingError, failure

_CHUNK = 1 << 16  # bytes
_SILENCE = 60  # seconds without data after which the operating system probes a connection


class Reply(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes


class Exchange:
    """Connections to one server; thread-safe.

    Redirects are rejected, and proxies and passwords of the environment and ~/.netrc are ignored.

    Args:
        address: http://host:port or https://host:port.
        credentials: Certificates and token.
        proxy: Address of a proxy, or None.
    """

    def __init__(self, address: str, credentials: Credentials, proxy: str | None = None):
        self._address = address
        options = {"retries": False, "maxsize": 64, "socket_options": _keepalive()}
        if address.startswith("https"):
            options |= {"cert_reqs": "CERT_REQUIRED", "ca_certs": credentials.ca,
                        "cert_file": credentials.certificate, "key_file": credentials.key}  # fmt: skip
        self._pool = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def send(self, method: str, url: str, body: bytes | None, headers: dict[str, str], timeout: float,
             limit: int) -> Reply:  # fmt: skip
        """Send a request and return its answer.

        Raises:
            ServingError: The answer is not complete within `timeout` seconds, has more than `limit` bytes, is a
                redirect, or is compressed.
        """
        end = time.monotonic() + timeout
        try:
            reply = self._pool.urlopen(method, url, body=body, headers={"Accept-Encoding": "identity", **headers},
                                       redirect=False, preload_content=False, decode_content=False,
                                       timeout=urllib3.Timeout(connect=timeout, read=timeout))  # fmt: skip
            try:
                self._check(reply)
                return Reply(reply.status, b"".join(self._body(reply, end, limit)))
            finally:
                reply.close()  # no effect after a complete answer, whose connection is back in the pool
        except (exceptions.HTTPError, OSError) as error:
            if time.monotonic() >= end:
                raise self._failed("DEADLINE_EXCEEDED", f"no complete answer within {timeout:g} s") from None
            raise self._failed(*_reason(error)) from None

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _check(self, reply: urllib3.BaseHTTPResponse) -> None:
        if 300 <= reply.status < 400:
            raise self._failed("UNKNOWN", "the client refused to follow a redirect to "
                               f"{reply.headers.get('Location', 'nowhere')}: images are sent only to the given "
                               "server")  # fmt: skip
        if (coding := reply.headers.get("Content-Encoding", "identity").lower()) != "identity":
            raise self._failed("DATA_LOSS", f"the client refused a compressed answer ({coding}): it "
                               "requested none")  # fmt: skip

    def _body(self, reply: urllib3.BaseHTTPResponse, end: float, limit: int) -> Iterator[bytes]:
        """Yield the answer in chunks, within the limits of time and size."""
        size = 0
        with _cut(reply.shutdown, end - time.monotonic()):
            while True:
                chunk = reply.read1(_CHUNK)
                size += len(chunk)
                if max(size, int(reply.headers.get("Content-Length") or 0)) > limit:
                    raise self._failed("RESOURCE_EXHAUSTED", "the client refused an answer that is larger than max: "
                                       f"{limit} bytes")  # fmt: skip
                if not chunk:
                    break
                yield chunk
        if time.monotonic() >= end:  # the connection was closed, which looks like the end without a Content-Length
            raise TimeoutError

    def _failed(self, code: str, message: str) -> ServingError:
        return failure(code, message, self._address)


class _Deadlined:
    """Mixin for connections: the timeout applies to all headers of an answer together, not to each read."""

    def getresponse(self):
        with _cut(lambda: self.sock.shutdown(socket.SHUT_RDWR), self.timeout):
            return super().getresponse()


class _HttpConnection(_Deadlined, connection.HTTPConnection):
    pass


class _HttpsConnection(_Deadlined, connection.HTTPSConnection):
    pass


class _HttpPool(connectionpool.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _cut:  # noqa: N801
    """Call `shut` if the block takes longer than `seconds`; the timeout of a socket restarts with every byte."""

    def __init__(self, shut, seconds: float):
        self._timer = threading.Timer(max(seconds, 0), self._quietly, [shut])
        self._timer.daemon = True

    @staticmethod
    def _quietly(shut) -> None:
        with contextlib.suppress(OSError, AttributeError, RuntimeError, ValueError):  # already closed
            shut()

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_) -> None:
        self._timer.cancel()


def _keepalive() -> list[tuple[int, int, int]]:
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_KEEPIDLE"):
        options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENCE))
    return options


def _reason(error: Exception) -> tuple[str, str]:
    """Return gRPC's code for an error of urllib3, and its message without the object at its start."""
    said = re.sub(r"^(<[^>]*>|\w+\([^)]*\)): ", "", str(error)) or type(error).__name__
    match error:
        case exceptions.SSLError():
            trust = re.search("certificate|alert|unknown.ca", said, re.IGNORECASE)
            if not trust and "EOF" in said:  # under TLS 1.3 a rejected client may see the end before the alert
                return "UNAVAILABLE", said
            return "UNAUTHENTICATED" if trust else "UNKNOWN", said
        case exceptions.NewConnectionError() | exceptions.ConnectTimeoutError() | exceptions.ProxyError():
            return "UNAVAILABLE", said
        case exceptions.TimeoutError() | TimeoutError():
            return "DEADLINE_EXCEEDED", said
        case exceptions.ProtocolError() | OSError():
            return "UNAVAILABLE", said
        case _:
            return "UNKNOWN", said
