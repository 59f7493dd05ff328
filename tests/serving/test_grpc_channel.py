from types import SimpleNamespace

import grpc
import pytest

from tfrespam.serving.client import failures
from tfrespam.serving.client.call import Call
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.grpc_channel import ask, channel


class Refused(grpc.RpcError):
    def __init__(self, code, details, debug=""):
        self._told = code, details, debug

    def code(self):
        return SimpleNamespace(name=self._told[0])

    def details(self):
        return self._told[1]

    def debug_error_string(self):
        return self._told[2]


def test_calls_send_their_id_and_timeout():
    seen = {}

    def method(request, timeout, metadata):
        seen.update(request=request, timeout=timeout, metadata=dict(metadata))
        return "answer"

    assert ask(method, "request", Call("id1", 2.5, 100), Credentials(), "host:1") == "answer"
    assert seen == {"request": "request", "timeout": 2.5, "metadata": {"x-request-id": "id1"}}


@pytest.mark.parametrize(("error", "kind", "told"), [
    (Refused("UNAVAILABLE", "refused"), failures.ServerUnavailableError, "refused"),
    (Refused("RESOURCE_EXHAUSTED", "CLIENT: Received message larger than max"), failures.TooMuchDataError,
     "the client refused an answer"),
    (Refused("UNAVAILABLE", "handshake", "CERTIFICATE_VERIFY_FAILED: self signed certificate"),
     failures.CredentialsError, "TLS: CERTIFICATE_VERIFY_FAILED"),
])  # fmt: skip
def test_grpc_errors_become_serving_errors(error, kind, told):
    def method(request, timeout, metadata):
        raise error

    with pytest.raises(kind, match=told):
        ask(method, None, Call.new(1.0), Credentials(), "host:1")


def test_a_channel_can_be_created_without_a_server():
    for options in ({}, {"keepalive": 10.0}, {"proxy": "http://proxy:3128"}):
        with channel("localhost:1", False, Credentials(), **options) as made:
            assert isinstance(made, grpc.Channel)
