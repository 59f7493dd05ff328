"""Open gRPC channels with the client's limits, and convert gRPC errors to `ServingError`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tfrespam.serving.client.call import Call
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.failures import failure

if TYPE_CHECKING:
    import grpc

LARGEST_ANSWER = 1 << 29  # bytes; masks and probabilities of films have up to 200 million
# Short backoffs detect a restarted server within seconds. Without a local subchannel pool, a new client shares the
# connection of an older one and fails without a request while that one waits. Proxies of the environment are not used.
_OPTIONS = {"grpc.max_send_message_length": -1, "grpc.max_receive_message_length": LARGEST_ANSWER,
            "grpc.initial_reconnect_backoff_ms": 200, "grpc.min_reconnect_backoff_ms": 200,
            "grpc.max_reconnect_backoff_ms": 2000, "grpc.use_local_subchannel_pool": 1}  # fmt: skip


def channel(address: str, secure: bool, credentials: Credentials, keepalive: float | None = None,
            proxy: str | None = None) -> "grpc.Channel":  # fmt: skip
    """Create a channel, which connects on first use.

    Args:
        address: host:port.
        secure: Whether to use TLS.
        credentials: Certificates and token.
        keepalive: Seconds without data during a request after which the connection is probed; it is closed after 20 s
            without an answer. The server must allow probes at this rate, or it closes the connection.
        proxy: Address of an HTTP proxy.
    """
    import grpc

    options = _OPTIONS | {"grpc.enable_http_proxy": 0}
    if proxy:
        options |= {"grpc.enable_http_proxy": 1, "grpc.http_proxy": proxy}
    if keepalive is not None:
        options |= {"grpc.keepalive_time_ms": round(1000 * keepalive), "grpc.keepalive_timeout_ms": 20_000}
    if not secure:
        return grpc.insecure_channel(address, list(options.items()))
    files = credentials.ca, credentials.key, credentials.certificate
    trusted, key, chain = (Path(file).read_bytes() if file else None for file in files)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted, key, chain), list(options.items()))


def ask(method: Callable, request, call: Call, credentials: Credentials, address: str):
    """Call a stub's `method` and return its answer. Raises ServingError."""
    import grpc

    metadata = [("x-request-id", call.id), *credentials.headers().items()]
    try:
        return method(request, timeout=call.timeout, metadata=metadata)
    except grpc.RpcError as error:
        debug = getattr(error, "debug_error_string", str)()
        raise failure(error.code().name, _explained(error.details() or "", debug), address) from None


def _explained(details: str, debug: str) -> str:
    """Add which side rejected a message that is too large, and the TLS error, which gRPC reports separately."""
    if "message larger than max" in details:
        end = "the client refused an answer" if "CLIENT" in details or "CLIENT" in debug else "the server refused"
        return f"{end}: {details}"
    for reason in ("CERTIFICATE_VERIFY_FAILED", "CERTIFICATE_REQUIRED", "UNKNOWN_CA"):
        if reason in debug and reason not in details:
            return f"{details} (TLS: {reason})"
    return details
