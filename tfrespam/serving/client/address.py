"""Choose the transport for the address of a server."""

from tfrespam.core.errors import UserError
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.grpc_transport import GrpcTransport
from tfrespam.serving.client.kserve import KserveTransport

FORMS = ("host:8500 or grpcs://host:8500 (gRPC), http://host:8501 or https://host:8501 (REST), kserve://host:8001 or "
         "kserves://host:8001 (Open Inference Protocol)")  # fmt: skip
_ENCRYPTED = "grpcs", "https", "kserves"


def connect(server: str, model: str, version: int | None, label: str | None, credentials: Credentials,
            keepalive: float | None, proxy: str | None):  # fmt: skip
    """Return the transport for the address `server`; nothing is sent yet. Raises UserError for an invalid address."""
    if proxy and not proxy.startswith(("http://", "https://")):
        raise UserError(f"`proxy` must be http://host:port. Received: {proxy!r}")
    scheme, _, rest = server.rpartition("://")
    credentials.check(server, scheme in _ENCRYPTED)
    host, _, port = rest.rstrip("/").rpartition(":")
    if scheme in ("http", "https") and rest:
        from tfrespam.serving.client.rest import RestTransport

        return RestTransport(server, model, version, label, credentials, proxy)
    if scheme not in ("", "grpc", "grpcs", "kserve", "kserves") or not host or not port.isdecimal():
        raise UserError(f"`server` must be {FORMS}. Received: {server!r}")
    if scheme.startswith("kserve"):
        if label:
            raise UserError(f"the Open Inference Protocol has no labels of versions. Received: {label!r}")
        return KserveTransport(rest, model, version, scheme == "kserves", credentials, keepalive, proxy)
    return GrpcTransport(rest, model, version, label, scheme == "grpcs", credentials, keepalive, proxy)
