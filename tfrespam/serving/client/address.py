"""Choose the transport for the address of a server."""

from tfrespam.core.errors import UserError
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.grpc_transport import GrpcTransport
from tfrespam.serving.client.kserve import KserveTransport

FORMS = ("host:8500 or grpcs://host:8500 (gRPC), http://host:8501 or https://host:8501 (REST), kserve://host:8001 or "
         "kserves://host:8001 (Open Inference Protocol)")  # fmt: skip
_HTTP, _GRPC, _KSERVE = ("http", "https"), ("", "grpc", "grpcs"), ("kserve", "kserves")
_ENCRYPTED = "grpcs", "https", "kserves"


def connect(server: str, model: str, version: int | None, label: str | None, credentials: Credentials,
            keepalive: float | None, proxy: str | None):  # fmt: skip
    """Return the transport for the address `server`; nothing is sent yet. Raises UserError for an invalid address."""
    if proxy and not (proxy.startswith(("http://", "https://")) and _has_host(proxy)):
        raise UserError(f"`proxy` must be http://host:port, such as http://localhost:3128. Received: {proxy!r}")
    scheme, _, rest = server.rpartition("://")
    host, _, port = rest.rstrip("/").rpartition(":")
    if not (_has_host(server) if scheme in _HTTP else scheme in _GRPC + _KSERVE and host and port.isdecimal()):
        raise UserError(f"`server` must be {FORMS}. Received: {server!r}")
    credentials.check(server, scheme in _ENCRYPTED)
    if scheme in _HTTP:
        from tfrespam.serving.client.rest import RestTransport

        return RestTransport(server, model, version, label, credentials, proxy)
    if scheme in _KSERVE:
        if label:
            raise UserError(f"the Open Inference Protocol has no labels of versions. Received: {label!r}")
        return KserveTransport(rest, model, version, scheme == "kserves", credentials, keepalive, proxy)
    return GrpcTransport(rest, model, version, label, scheme == "grpcs", credentials, keepalive, proxy)


def _has_host(address: str) -> bool:
    """Return whether http://... names a host and, if any, a port."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        return bool(parse_url(address).host)
    except LocationParseError:
        return False
