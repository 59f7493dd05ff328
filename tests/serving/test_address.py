import pytest

from tfrespam.core.errors import UserError
from tfrespam.serving.client.address import connect
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.grpc_transport import GrpcTransport
from tfrespam.serving.client.kserve import KserveTransport
from tfrespam.serving.client.rest import RestTransport


def transport(server, label=None):
    return connect(server, "tfrespam", None, label, Credentials(), None, None)


@pytest.mark.parametrize(("server", "kind"), [
    ("localhost:8500", GrpcTransport), ("grpcs://host:8500", GrpcTransport), ("http://host:8501", RestTransport),
    ("https://host:8501", RestTransport), ("kserve://host:8001", KserveTransport),
])  # fmt: skip
def test_the_address_determines_the_transport(server, kind):
    assert type(transport(server)) is kind


@pytest.mark.parametrize("server", ["localhost", "ftp://host:21", "host:port", ":8500", "http://",
                                    "http://host:port", "https://[bad"])
def test_other_addresses_are_refused(server):
    with pytest.raises(UserError, match="host:8500 .*Received"):
        transport(server)


def test_labels_are_rejected_for_the_open_inference_protocol():
    with pytest.raises(UserError, match="Received: 'stable'"):
        transport("kserve://host:8001", "stable")


@pytest.mark.parametrize("server", ["localhost:8500", "http://host:8501", "kserve://host:8001"])
@pytest.mark.parametrize("proxy", ["localhost:3128", "http://host:port", "http://[bad", "http://", "http://a:99999"])
def test_a_proxy_without_scheme_host_or_valid_port_is_refused(server, proxy):
    with pytest.raises(UserError, match="`proxy` must be http://host:port, such as.* Received:") as caught:
        connect(server, "tfrespam", None, None, Credentials(), None, proxy)
    assert str(caught.value).endswith(repr(proxy))
