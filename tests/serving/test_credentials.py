"""Certificates and tokens over both transports, and errors that name the rejecting side."""

import http.server
import ssl
import threading

import certificates
import cv2
import grpc
import numpy as np
import pytest
from double import Double, HttpDouble, Models

from tfrespam import serving
from tfrespam.core.errors import UserError
from tfrespam.serving.client.client import Client
from tfrespam.serving.client.credentials import Credentials

PICTURE = cv2.imencode(".png", np.arange(100, dtype=np.uint8).reshape(10, 10))[1].tobytes()


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def models(small_export):
    return Models(small_export, "tfrespam")


@pytest.fixture(params=["grpc", "rest"])
def mutual(request, pem, models):
    """Address of a server with mutual TLS."""
    if request.param == "grpc":
        pair = (pem / "server.key").read_bytes(), (pem / "server.pem").read_bytes()
        shown = grpc.ssl_server_credentials([pair], (pem / "ca.pem").read_bytes(), require_client_auth=True)
        with Double(models, credentials=shown) as double:
            yield f"grpcs://127.0.0.1:{double.grpc_port}"
        return
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pem / "ca.pem")
    context.load_cert_chain(pem / "server.pem", pem / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    handler = type("Bound", (HttpDouble,), {"models": models})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # refused clients
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def files(pem, name="client", ca="ca"):
    return {"ca": str(pem / f"{ca}.pem"), "certificate": str(pem / f"{name}.pem"), "key": str(pem / f"{name}.key")}


def test_mutual_tls_works(mutual, pem):
    with Client(mutual, **files(pem), patience=1) as client:
        assert len(client.predict_bytes([PICTURE])) == 1


def test_the_client_rejects_an_unknown_server(mutual, pem):
    with (Client(mutual, **files(pem, ca="stranger"), patience=30) as client,
          pytest.raises(serving.CredentialsError, match="the client does not trust the server's certificate")):
        client.predict_bytes([PICTURE])


def test_the_server_rejects_an_unknown_client(mutual, pem):
    """With TLS 1.3 the client is told after the handshake; gRPC sometimes only closes the connection."""
    with (Client(mutual, **files(pem, "stranger"), patience=0) as client,
          pytest.raises((serving.CredentialsError, serving.ServerUnavailableError)) as caught):
        client.predict_bytes([PICTURE])
    if isinstance(caught.value, serving.CredentialsError):
        assert "the server refused the client's certificate" in str(caught.value)


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_the_token_is_read_and_sent_with_each_request(models, tmp_path, kind):
    (tmp_path / "token").write_text("first\n")
    with Double(models) as double:
        server = double.grpc_address if kind == "grpc" else double.rest_address
        with Client(server, token_file=str(tmp_path / "token")) as client:
            client.versions()
            (tmp_path / "token").write_text("second")
            client.signatures()
    sent = [request["authorization"] for request in models.requests[-2:]]
    assert sent == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_client_and_server_log_the_same_request_id(models, kind, caplog):
    with Double(models) as double, caplog.at_level("DEBUG", logger="tfrespam.serving.client.client"):
        with Client(double.grpc_address if kind == "grpc" else double.rest_address) as client:
            client.predict_bytes([PICTURE])
        (record,) = [record for record in caplog.records if "predict_bytes" in record.getMessage()]
        assert models.requests[-1]["x-request-id"] == record.request and record.request in record.getMessage()


def test_a_token_is_not_sent_unencrypted(tmp_path):
    (tmp_path / "token").write_text("secret")
    for server in ("10.1.2.3:8500", "http://server:8501", "[bad:8500"):
        with pytest.raises(UserError, match="would be sent unencrypted"):
            Client(server, token_file=str(tmp_path / "token"))
    Client("https://server:8501", token_file=str(tmp_path / "token")).close()


@pytest.mark.parametrize("content", [b"", b"two words", b"a\nb", b"\xff\xfe"])
def test_a_file_without_a_valid_token_is_rejected(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(UserError, match="token"):
        Credentials(token_file=str(tmp_path / "token")).headers()
    with pytest.raises(UserError, match="cannot be read"):
        Credentials(token_file=str(tmp_path / "none")).headers()


def test_a_certificate_needs_its_key(pem):
    with pytest.raises(UserError, match="belong together.*`key`"):
        Client("grpcs://host:1", certificate=str(pem / "client.pem"))


@pytest.mark.parametrize("kind", ["grpc", "rest"])
@pytest.mark.parametrize("code", ["UNAUTHENTICATED"])
def test_a_token_rejected_by_the_server_is_reported(models, kind, code, tmp_path):
    (tmp_path / "token").write_text("old")
    models.refuse = [(code, "token expired")]
    with Double(models) as double:
        server = double.grpc_address if kind == "grpc" else double.rest_address
        with (Client(server, token_file=str(tmp_path / "token")) as client,
              pytest.raises(serving.CredentialsError, match="the server refused .* token .*: token expired")):
            client.predict_bytes([PICTURE])
