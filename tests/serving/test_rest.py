import base64
import json

import numpy as np
import pytest

from tfrespam.serving.client import failures
from tfrespam.serving.client.call import Call
from tfrespam.serving.client.http_exchange import Reply
from tfrespam.serving.client.rest import RestTransport

CALL = Call("id1", 2.0, 100)


@pytest.fixture
def asked(monkeypatch):
    """A transport whose server answers `asked.reply`; it records the requests."""
    transport = RestTransport("http://host:8501/", "tfrespam", 3, None)

    class Asked:
        reply, sent = Reply(200, b"{}"), []

    def send(method, url, data, headers, timeout, limit):
        Asked.sent.append((method, url, json.loads(data) if data else None, headers["x-request-id"], timeout, limit))
        return Asked.reply

    monkeypatch.setattr(transport._exchange, "send", send)
    Asked.transport, Asked.sent = transport, []
    return Asked


def answer(asked, content, status=200):
    asked.reply = Reply(status, json.dumps(content).encode())


def test_bytes_are_sent_and_received_in_base64(asked):
    answer(asked, {"outputs": {"mask_png_bytes": [{"b64": base64.b64encode(b"png").decode()}, {"b64": "?"}],
                               "tumour_fraction": [0.5, 0.25]}})  # fmt: skip
    found = asked.transport.predict("predict_bytes", "image_bytes", [b"a"], CALL)
    assert found["mask_png_bytes"] == [b"png", None]
    np.testing.assert_array_equal(found["tumour_fraction"], np.float32([0.5, 0.25]))
    assert asked.sent == [("POST", "http://host:8501/v1/models/tfrespam/versions/3:predict",
                           {"signature_name": "predict_bytes", "inputs": {"image_bytes": [{"b64": "YQ=="}]}},
                           "id1", 2.0, 100)]  # fmt: skip


def test_versions_and_signatures_are_read(asked):
    answer(asked, {"model_version_status": [{"version": "3", "state": "AVAILABLE"}]})
    assert asked.transport.versions(CALL) == {3: "AVAILABLE"}
    answer(asked, {"metadata": {"signature_def": {"signature_def": {"predict_bytes": {}}}}})
    assert asked.transport.signatures(CALL) == {"predict_bytes": {}}


@pytest.mark.parametrize(("status", "content", "kind"), [
    (404, {"error": "not there"}, failures.ModelNotFoundError), (503, {"error": "later"},
                                                                 failures.ServerUnavailableError),
    (413, {"error": "too large"}, failures.TooMuchDataError), (200, {}, failures.WrongAnswerError),
    (200, [], failures.ServerFaultError),
])  # fmt: skip
def test_error_statuses_and_malformed_responses_are_errors(asked, status, content, kind):
    answer(asked, content, status)
    with pytest.raises(kind):
        asked.transport.predict("predict_bytes", "image_bytes", [b"a"], CALL)


def test_a_response_without_json_is_a_server_fault(asked):
    asked.reply = Reply(200, b"<html>")
    with pytest.raises(failures.ServerFaultError, match="without JSON"):
        asked.transport.versions(CALL)
