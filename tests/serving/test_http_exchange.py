"""Limits of time, size and address of one HTTP exchange, against servers that violate them."""

import gzip
import socket
import threading
import time

import pytest

from tfrespam import serving
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.http_exchange import Exchange

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def server():
    """Start a server that answers each request by `answer(connection)`; return its address and the requests."""
    opened = []

    def start(answer):
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)
        requests = []

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        requests.append(received(connection))
                        answer(connection)
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}", requests

    yield start
    for listening in opened:
        listening.close()


def received(connection) -> bytes:
    """Receive a request with its body, which may arrive in separate packets."""
    data = connection.recv(65536)
    while data.startswith(b"POST") and not data.endswith(b"image"):
        data += connection.recv(65536)
    return data


def send(address, timeout=5.0, limit=1000, **options):
    return Exchange(address, Credentials(), **options).send("POST", f"{address}/x", b"image", {}, timeout, limit)


def drip(connection, data):
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def test_a_response_is_returned_completely(server):
    address, requests = server(lambda connection: connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}"))
    assert send(address) == (200, b"{}")
    assert requests[0].endswith(b"\r\n\r\nimage") and b"accept-encoding: identity" in requests[0].lower()


def test_connections_are_reused(server):
    def answer(connection):
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
        connection.recv(65536)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

    address, requests = server(answer)
    exchange = Exchange(address, Credentials())
    replies = [exchange.send("GET", f"{address}/x", None, {}, 5.0, 100) for _ in range(2)]
    assert replies == [(200, b"{}")] * 2 and len(requests) == 1


@pytest.mark.parametrize("part", ["headers", "body", "chunks", "endless", "silence", "continue"])
def test_the_deadline_covers_the_whole_response(server, part):
    """Each byte arrives within the deadline, so a timeout between bytes would never end the exchange."""
    def answer(connection):
        if part == "headers":
            drip(connection, HEAD + b"X-Padding: " + b"x" * 200)
        elif part == "body":
            connection.sendall(HEAD + b"Content-Length: 200\r\n\r\n")
            drip(connection, b"x" * 200)
        elif part == "chunks":
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            drip(connection, b"1\r\nx\r\n" * 100)
        elif part == "endless":  # without a length, the end of the connection is the end of the answer
            connection.sendall(HEAD + b"\r\n")
            drip(connection, b"x" * 200)
        elif part == "continue":
            drip(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 20)
        else:
            time.sleep(5)

    address, _ = server(answer)
    started = time.monotonic()
    with pytest.raises(serving.DeadlineExceededError, match="no complete answer within 0.5 s"):
        send(address, timeout=0.5)
    assert 0.4 < time.monotonic() - started < 1.5


@pytest.mark.parametrize("length", [b"Content-Length: 100000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_the_size_of_a_response_is_limited(server, length):
    def answer(connection):
        connection.sendall(HEAD + length + b"\r\n")
        for _ in range(1000):
            connection.sendall(b"64\r\n" + b"x" * 100 + b"\r\n" if b"chunked" in length else b"x" * 100)

    address, _ = server(answer)
    with pytest.raises(serving.TooMuchDataError, match="the client refused an answer that is larger than max: 1000"):
        send(address)


def test_a_compressed_response_is_rejected_before_decompression(server):
    bomb = gzip.compress(b" " * (1 << 24))
    address, _ = server(lambda connection: connection.sendall(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb))  # fmt: skip
    with pytest.raises(serving.ServerFaultError, match=r"refused a compressed answer \(gzip\)"):
        send(address, limit=1 << 20)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_rejected_and_not_followed(server, status):
    elsewhere, got = server(lambda connection: connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}"))
    address, _ = server(lambda connection: connection.sendall(
        f"HTTP/1.1 {status} Go\r\nLocation: {elsewhere}/x\r\nContent-Length: 0\r\n\r\n".encode()))  # fmt: skip
    with pytest.raises(serving.ServerFaultError, match=f"refused to follow a redirect to {elsewhere}"):
        send(address)
    assert got == []


def test_neither_proxies_nor_passwords_of_the_environment_are_used(server, monkeypatch, tmp_path):
    answer = HEAD + b"Content-Length: 2\r\n\r\n{}"
    proxy, taken = server(lambda connection: connection.sendall(answer))
    address, requests = server(lambda connection: connection.sendall(answer))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login doctor password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert send(address).status == 200
    assert taken == [] and len(requests) == 1 and b"authorization" not in requests[0].lower()


def test_a_proxy_is_used_when_configured(server):
    proxy, taken = server(lambda connection: connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}"))
    assert send("http://server.invalid:1", proxy=proxy).status == 200
    assert taken[0].startswith(b"POST http://server.invalid:1/x ")


def test_a_closed_connection_is_an_unavailable_server(server):
    address, _ = server(lambda connection: None)
    with pytest.raises(serving.ServerUnavailableError):
        send(address)
    address, _ = server(lambda connection: connection.sendall(HEAD + b"Content-Length: 10\r\n\r\n{}"))
    with pytest.raises(serving.ServerUnavailableError):
        send(address)


def test_a_server_that_does_not_speak_http_is_reported(server):
    address, _ = server(lambda connection: connection.sendall(b"\x00\x00\x12\x04\x00"))
    with pytest.raises(serving.ServingError, match=address):
        send(address)
