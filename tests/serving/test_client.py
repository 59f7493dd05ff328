"""The client against the test double of TensorFlow Serving (double.py), over both of its interfaces."""

import base64
import logging
import subprocess
import sys
import threading
import time

import cv2
import dicom_files
import numpy as np
import pytest
from double import Double, Models

from tfrespam import serving
from tfrespam.errors import UserError
from tfrespam.serving import saved_model
from tfrespam.serving.client import Client, newest_version
from tfrespam.serving.signatures import SIGNATURES

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def local(small_export):
    return saved_model.load(small_export)


@pytest.fixture(scope="module")
def double(small_export):
    with Double(Models(small_export, "tfrespam", {"stable": 1})) as double:
        yield double


@pytest.fixture(params=["grpc", "rest"])
def client(double, request):
    double.models.refuse, double.models.slow = [], 0.0
    with Client(address(double, request.param), patience=3, timeout=20) as client:
        yield client


def address(double, kind):
    return double.grpc_address if kind == "grpc" else double.rest_address


def encode(shape, suffix=".png", dtype=np.uint16) -> bytes:
    smooth = cv2.GaussianBlur(RANDOM.random(shape).astype(np.float32), (0, 0), 2)
    picture = cv2.normalize(smooth, None, 0, np.iinfo(dtype).max, cv2.NORM_MINMAX).astype(dtype)
    return cv2.imencode(suffix, picture)[1].tobytes()


def test_images_get_the_probabilities_of_the_graph(client, local):
    images = RANDOM.random((2, 20, 30, 1), np.float32)
    served = client.predict_images(images)
    assert served.dtype == np.float32 and served.shape == images.shape
    np.testing.assert_array_equal(served, local.predict_images(images))


def test_bytes_of_all_kinds_and_sizes_get_the_same_answer_to_the_byte(client, local):
    pictures = [encode((20, 50)), encode((40, 33), ".jpg", np.uint8), encode((16, 16), dtype=np.uint8)]
    assert client.predict_bytes(pictures) == local.predict_bytes(pictures)
    assert client.predict_bytes([]) == []


def test_answers_over_4_mib_come_through(client):
    noise = RANDOM.integers(0, 65536, (1300, 1300)).astype(np.uint16)
    (answer,) = client.predict_bytes([cv2.imencode(".png", noise)[1].tobytes()])
    assert len(answer.probability_png) > 10_000
    probability = client.predict_images(RANDOM.random((1, 1100, 1100, 1), np.float32)) if (
        not client.server.startswith("http")) else None  # fmt: skip
    assert probability is None or probability.nbytes > 4 << 20


def test_films_go_through_their_own_signature(client, local):
    if "predict_film" not in SIGNATURES:
        pytest.skip("this graph has no signature for films")
    films = [encode((90, 60))]
    assert client.takes_films and client.predict_film(films) == local.predict_film(films)


def test_files_are_sent_as_the_graph_can_read_them(client, local, tmp_path):
    (tmp_path / "a.png").write_bytes(encode((20, 20)))
    pixels = cv2.imdecode(np.frombuffer(encode((24, 18)), np.uint8), cv2.IMREAD_UNCHANGED)
    dicom_files.write(tmp_path / "b.dcm", 65535 - pixels, PhotometricInterpretation="MONOCHROME1")
    expected = local.predict_bytes([cv2.imencode(".png", pixels)[1].tobytes()])[0]
    assert client.predict_file(tmp_path / "b.dcm").mask_png == expected.mask_png
    assert client.predict_file(tmp_path / "a.png") == local.predict_bytes([(tmp_path / "a.png").read_bytes()])[0]


def test_stream_answers_in_order_and_goes_on_after_a_bad_file(client, tmp_path):
    for number in range(9):
        (tmp_path / f"{number}.png").write_bytes(b"bad" if number == 4 else encode((15 + number, 20)))
    answers = list(client.stream([tmp_path], progress=True))
    assert [answer.file.name for answer in answers] == [f"{number}.png" for number in range(9)]
    for number, answer in enumerate(answers):
        assert (answer.error is None) == (answer.segmentation is not None) == (number != 4)
    masks = [np.frombuffer(answer.segmentation.mask_png, np.uint8) for answer in answers if not answer.error]
    assert [cv2.imdecode(mask, 0).shape[0] for mask in masks] == [15, 16, 17, 18, 20, 21, 22, 23]


def test_a_bad_picture_is_an_error_with_its_positions(client):
    good = encode((10, 10))
    with pytest.raises(serving.PictureRefusedError, match="not a readable PNG or JPEG") as caught:
        client.predict_bytes([good, b"bad", good, b""])
    assert caught.value.positions == (1, 3)


@pytest.mark.parametrize("options", [{"model": "other"}, {"version": 7}, {"label": "unknown"}])
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_what_is_not_served_is_not_found(double, kind, options):
    with Client(address(double, kind), patience=0, **options) as client, pytest.raises(serving.ModelNotFoundError):
        client.predict_bytes([encode((10, 10))])


def test_an_unknown_signature_is_not_found(client):
    with pytest.raises(serving.ModelNotFoundError):
        client._segment("predict_nothing", [encode((10, 10))])


@pytest.mark.parametrize("options", [{"version": 1}, {"label": "stable"}])
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_versions_and_labels_can_be_asked_for(double, kind, options):
    with Client(address(double, kind), **options) as client:
        assert client.versions() == {1: "AVAILABLE"} and newest_version(client) == 1
        assert len(client.predict_bytes([encode((10, 10))])) == 1


def test_tells_what_is_served(client):
    assert client.versions() == {1: "AVAILABLE", 2: "AVAILABLE"} and newest_version(client) == 2
    assert set(client.signatures()) == set(SIGNATURES)


@pytest.mark.parametrize(("code", "kind"), [
    ("RESOURCE_EXHAUSTED", serving.TooMuchDataError), ("INTERNAL", serving.ServerFaultError),
    ("DEADLINE_EXCEEDED", serving.DeadlineExceededError), ("NOT_FOUND", serving.ModelNotFoundError),
    ("INVALID_ARGUMENT", serving.ServerFaultError),
])  # fmt: skip
def test_other_refusals_are_typed_and_not_tried_again(client, double, code, kind):
    double.models.refuse, calls = [(code, "for the test")], double.models.calls
    with pytest.raises(kind, match="for the test") as caught:
        client.predict_bytes([encode((10, 10))])
    assert isinstance(caught.value, UserError) and double.models.calls == calls + 1


def test_an_unavailable_server_is_asked_again(client, double):
    double.models.refuse, calls = [("UNAVAILABLE", "queue full")] * 2, double.models.calls
    assert len(client.predict_bytes([encode((10, 10))])) == 1
    assert double.models.calls == calls + 3


def test_the_user_is_told_once_that_the_server_is_away(client, double, caplog):
    double.models.refuse = [("UNAVAILABLE", "queue full")] * 2
    with caplog.at_level(logging.WARNING):
        client.predict_bytes([encode((10, 10))])
    (told,) = [record.getMessage() for record in caplog.records if record.name == "tfrespam.serving.client"]
    assert "queue full" in told and told.endswith("asking again for up to 3 s")


def test_a_model_of_another_origin_is_named_as_such(client, monkeypatch):
    monkeypatch.setattr(client._transport, "predict", lambda *_: {"scores": np.zeros(1)})
    with pytest.raises(serving.ServerFaultError, match=r"answers \['scores'\]; expected mask_png_bytes"):
        client.predict_bytes([encode((10, 10))])


@pytest.mark.parametrize("answer", [{}, {"metadata": []}, {"metadata": {"signature_def": 1}}])
def test_metadata_without_signatures_is_the_servers_fault(double, monkeypatch, answer):
    client = Client(double.rest_address)
    monkeypatch.setattr(client._transport, "_ask", lambda *_: answer)
    with pytest.raises(serving.ServerFaultError, match="describes no signatures"):
        client.signatures()


@pytest.mark.parametrize(("server", "said"), [
    ("http://127.0.0.1:9", "Failed to establish a new connection: .*refused"),
    ("http://no-such-host.invalid:9", "Failed to resolve"),
])  # fmt: skip
def test_rest_says_why_nobody_can_be_reached(server, said):
    with pytest.raises(serving.ServerUnavailableError, match=f"^{server}: {said}") as caught:
        Client(server, patience=0).versions()
    assert "HTTPConnection" not in str(caught.value)


def test_a_slow_answer_meets_the_deadline(double):
    double.models.refuse, double.models.slow = [], 2.0
    for kind in ("grpc", "rest"):
        started = time.monotonic()
        with Client(address(double, kind), timeout=0.5) as client, pytest.raises(serving.DeadlineExceededError):
            client.predict_bytes([encode((10, 10))])
        assert time.monotonic() - started < 2
    double.models.slow = 0.0


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_a_new_client_asks_for_itself_whatever_another_has_found(small_export, kind):
    with Double(Models(small_export, "tfrespam")) as gone:
        ports, server = (gone.grpc_port, gone.rest_port), address(gone, kind)
    with Client(server, patience=2.0) as older:
        with pytest.raises(serving.ServerUnavailableError):
            older.versions()
        with Double(Models(small_export, "tfrespam"), *ports), Client(server, patience=0) as newer:
            assert newest_version(newer) == 2


@pytest.mark.parametrize("server", ["127.0.0.1:9", "http://127.0.0.1:9"])
def test_nobody_there_is_unavailable_after_patience_and_at_once_from_then_on(server):
    client = Client(server, patience=1.0)
    for least, most in ((0.2, 3.0), (0.0, 0.5)):
        started = time.monotonic()
        with pytest.raises(serving.ServerUnavailableError, match="127.0.0.1"):
            client.predict_bytes([b"x"])
        assert least <= time.monotonic() - started < most


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_a_server_that_comes_back_is_found(small_export, kind):
    models = Models(small_export, "tfrespam")
    with Double(models) as first:
        ports = first.grpc_port, first.rest_port
        client = Client(address(first, kind), patience=30)
        expected = client.predict_bytes([encode((10, 12))])
    came_back = []

    def come_back():
        time.sleep(1.0)
        came_back.append(Double(models, *ports).__enter__())

    thread = threading.Thread(target=come_back)
    thread.start()
    assert len(client.predict_bytes([encode((10, 12))])) == len(expected)
    thread.join()
    came_back[0].__exit__()


@pytest.mark.parametrize("server", ["", "host", "host:port", "ftp://host:1", "http://", "grpcs://host"])
def test_addresses_that_are_none(server):
    with pytest.raises(UserError, match="host:8500"):
        Client(server)


def test_certificates_must_exist_and_be_of_use(tmp_path):
    file = tmp_path / "ca.pem"
    for server in ("grpcs://host:1", "https://host:1"):
        with pytest.raises(UserError, match=f"no such file with certificates: {file}"):
            Client(server, ca=str(file))
    file.touch()
    for server in ("host:1", "http://host:1"):
        with pytest.raises(UserError, match=r"for grpcs:// and https:// servers. Received: .*ca.pem"):
            Client(server, certificate=(str(file), str(file)))


def test_arguments_that_contradict_each_other():
    with pytest.raises(UserError, match="not both"):
        Client("http://host:1", version=1, label="a")
    with pytest.raises(UserError, match=r"\(N, H, W, 1\)"):
        Client("http://host:1").predict_images(np.zeros((3, 3)))


def test_rest_needs_no_tensorflow(double, tmp_path):
    """In a process of its own: from the import to the mask of a DICOM file."""
    dicom_files.write(tmp_path / "a.dcm", RANDOM.integers(0, 4096, (20, 30)).astype(np.uint16))
    code = ("import sys; from tfrespam.serving import Client\n"
            f"for answer in Client({double.rest_address!r}).stream([{str(tmp_path)!r}]):\n"
            "    assert answer.segmentation.mask_png.startswith(b'\\x89PNG'), answer.error\n"
            "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'grpc')))")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                        folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl is not installed")
    return folder


def test_grpc_over_tls(small_export, certificates):
    import grpc

    pair = (certificates / "key.pem").read_bytes(), (certificates / "cert.pem").read_bytes()
    with Double(Models(small_export, "tfrespam"), credentials=grpc.ssl_server_credentials([pair])) as double:
        trusted = Client(f"grpcs://127.0.0.1:{double.grpc_port}", ca=str(certificates / "cert.pem"))
        assert len(trusted.predict_bytes([encode((10, 10))])) == 1
        for server in (f"grpcs://127.0.0.1:{double.grpc_port}", double.grpc_address):  # not trusted; not encrypted
            with pytest.raises(serving.ServerUnavailableError):
                Client(server, patience=0.5).predict_bytes([encode((10, 10))])


def test_the_double_follows_the_rest_document(double):
    """Row and column format, one output without its name, errors as JSON: g3doc/api_rest.md."""
    import requests

    url = f"{double.rest_address}/v1/models/tfrespam"
    image = RANDOM.random((4, 4, 1), np.float32).tolist()
    rows = requests.post(f"{url}:predict", json={"instances": [image]}, timeout=10).json()
    named = requests.post(f"{url}:predict", json={"instances": [{"image": image}]}, timeout=10).json()
    column = requests.post(f"{url}/versions/1:predict", json={"inputs": [image]}, timeout=10).json()
    assert rows["predictions"] == named["predictions"] == column["outputs"]
    assert np.shape(rows["predictions"]) == (1, 4, 4, 1)
    body = {"signature_name": "predict_bytes", "instances": [{"b64": base64.b64encode(encode((5, 6))).decode()}] * 2}
    several = requests.post(f"{url}:predict", json=body, timeout=10)
    assert [set(row) for row in several.json()["predictions"]] == [set(SIGNATURES["predict_bytes"]["outputs"])] * 2
    for body in ({}, {"instances": [image], "inputs": [image]}, {"instances": "x"}, {"inputs": {"wrong": [image]}}):
        refused = requests.post(f"{url}:predict", json=body, timeout=10)
        assert refused.status_code == 400 and list(refused.json()) == ["error"]
    assert requests.get(f"{double.rest_address}/v1/models/other", timeout=10).status_code == 404
    status = requests.get(url, timeout=10).json()["model_version_status"]
    fine = {"error_code": "OK", "error_message": ""}
    assert status[0] == {"version": "2", "state": "AVAILABLE", "status": fine}
    inputs = requests.get(f"{url}/metadata", timeout=10).json()["metadata"]["signature_def"]["signature_def"]
    assert inputs["predict_bytes"]["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
