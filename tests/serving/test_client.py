"""The client against the test double of TensorFlow Serving (double.py), over gRPC and REST."""

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
from drawn_films import drawn, png

from tfrespam import serving
from tfrespam.core.errors import UserError
from tfrespam.serving.client.client import Client, newest_version
from tfrespam.serving.client.failures import failure
from tfrespam.serving.graph.signatures import SIGNATURES
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.film_chain import FilmChain

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


def test_probabilities_match_the_local_graph(client, local):
    images = RANDOM.random((2, 20, 30, 1), np.float32)
    served = client.predict_images(images)
    assert served.dtype == np.float32 and served.shape == images.shape
    np.testing.assert_array_equal(served, local.predict_images(images))


def test_encoded_images_of_all_kinds_give_byte_identical_results(client, local):
    pictures = [encode((20, 50)), encode((40, 33), ".jpg", np.uint8), encode((16, 16), dtype=np.uint8)]
    assert client.predict_bytes(pictures) == local.predict_bytes(pictures)
    assert client.predict_bytes([]) == []


def test_responses_over_4_mib_are_received(client):
    noise = RANDOM.integers(0, 65536, (1300, 1300)).astype(np.uint16)
    (answer,) = client.predict_bytes([cv2.imencode(".png", noise)[1].tobytes()])
    assert len(answer.probability_png) > 10_000
    probability = client.predict_images(RANDOM.random((1, 1100, 1100, 1), np.float32)) if (
        not client.server.startswith("http")) else None  # fmt: skip
    assert probability is None or probability.nbytes > 4 << 20


def test_films_are_sent_to_the_film_signature(client, local):
    if "predict_film" not in SIGNATURES:
        pytest.skip("this graph has no signature for films")
    films = [encode((90, 60))]
    ((served,), (expected,)) = client.predict_film(films), local.predict_film(films)
    assert client.takes_films and served[:3] == expected[:3]
    if "candidates" in SIGNATURES["predict_film"]["outputs"]:
        tables = [[[*each.box, each.score, each.area_px] for each in chain.predict_film(films)[0].candidates]
                  for chain in (FilmChain(client), FilmChain(local))]  # fmt: skip
        np.testing.assert_allclose(*tables, rtol=1e-6)


def test_files_are_converted_to_formats_that_the_graph_reads(client, local, tmp_path):
    (tmp_path / "a.png").write_bytes(encode((20, 20)))
    pixels = cv2.imdecode(np.frombuffer(encode((24, 18)), np.uint8), cv2.IMREAD_UNCHANGED)
    dicom_files.write(tmp_path / "b.dcm", 65535 - pixels, PhotometricInterpretation="MONOCHROME1")
    expected = local.predict_bytes([cv2.imencode(".png", pixels)[1].tobytes()])[0]
    assert client.predict_file(tmp_path / "b.dcm").mask_png == expected.mask_png
    assert client.predict_file(tmp_path / "a.png") == local.predict_bytes([(tmp_path / "a.png").read_bytes()])[0]


def test_crops_of_known_context_are_shown_as_in_training(client, local, tmp_path):
    (tmp_path / "a.png").write_bytes(encode((40, 30)))
    pixels = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    wide = np.pad(pixels, ((0, 0), (1, 1)), mode="reflect")[4:36]  # a square of 1.6 * 40 / 2 pixels
    (part,) = local.predict_bytes([cv2.imencode(".png", wide)[1].tobytes()])
    mask = np.zeros((40, 30), np.uint8)
    mask[4:36] = cv2.imdecode(np.frombuffer(part.mask_png, np.uint8), cv2.IMREAD_UNCHANGED)[:, 1:-1]
    answer = client.predict_file(tmp_path / "a.png", context=2.0)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(answer.mask_png, np.uint8), cv2.IMREAD_UNCHANGED), mask)
    (streamed,) = client.stream([tmp_path], context=2.0)
    assert streamed.segmentation == answer != client.predict_file(tmp_path / "a.png")
    with pytest.raises(UserError, match="`context` must be"):
        client.predict_file(tmp_path / "a.png", context=0.5)


def test_films_in_files_are_sent_to_the_film_signature(client, local, tmp_path, monkeypatch):
    film = png(drawn(600, 400))
    (tmp_path / "film.png").write_bytes(film)
    as_film, as_crop = local.predict_film([film])[0], local.predict_bytes([film])[0]
    assert as_film.probability_png != as_crop.probability_png
    answer = client.predict_file(tmp_path / "film.png")
    assert answer.probability_png == as_film.probability_png and answer.candidates is not None
    (streamed,) = client.stream([tmp_path])
    assert streamed.segmentation.probability_png == as_film.probability_png
    assert client.predict_file(tmp_path / "film.png", film="never") == as_crop
    monkeypatch.setattr(client, "takes_films", False)
    assert client.predict_file(tmp_path / "film.png") == as_crop


def test_stream_returns_results_in_order_and_continues_after_a_bad_file(client, tmp_path):
    for number in range(9):
        (tmp_path / f"{number}.png").write_bytes(b"bad" if number == 4 else encode((15 + number, 20)))
    answers = list(client.stream([tmp_path], progress=True))
    assert [answer.file.name for answer in answers] == [f"{number}.png" for number in range(9)]
    for number, answer in enumerate(answers):
        assert (answer.error is None) == (answer.segmentation is not None) == (number != 4)
    masks = [np.frombuffer(answer.segmentation.mask_png, np.uint8) for answer in answers if not answer.error]
    assert [cv2.imdecode(mask, 0).shape[0] for mask in masks] == [15, 16, 17, 18, 20, 21, 22, 23]


def test_bad_images_are_an_error_with_their_positions(client):
    good = encode((10, 10))
    with pytest.raises(serving.ImageRefusedError, match="not a readable PNG or JPEG") as caught:
        client.predict_bytes([good, b"bad", good, b""])
    assert caught.value.positions == (1, 3)


@pytest.mark.parametrize("options", [{"model": "other"}, {"version": 7}, {"label": "unknown"}])
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_unknown_models_versions_and_labels_are_not_found(double, kind, options):
    with Client(address(double, kind), patience=0, **options) as client, pytest.raises(serving.ModelNotFoundError):
        client.predict_bytes([encode((10, 10))])


def test_an_unknown_signature_is_not_found(client):
    with pytest.raises(serving.ModelNotFoundError):
        client._segment("predict_nothing", [encode((10, 10))])


@pytest.mark.parametrize("options", [{"version": 1}, {"label": "stable"}])
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_versions_and_labels_can_be_requested(double, kind, options):
    with Client(address(double, kind), **options) as client:
        assert client.versions() == {1: "AVAILABLE"} and newest_version(client) == 1
        assert len(client.predict_bytes([encode((10, 10))])) == 1


def test_versions_and_signatures_are_listed(client):
    assert client.versions() == {1: "AVAILABLE", 2: "AVAILABLE"} and newest_version(client) == 2
    assert set(client.signatures()) == set(SIGNATURES)


@pytest.mark.parametrize(("code", "said", "kind"), [
    ("RESOURCE_EXHAUSTED", "OOM when allocating tensor with shape[8,1]", serving.TooMuchDataError),
    ("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 4)", serving.TooMuchDataError),
    ("INTERNAL", "for the test", serving.ServerFaultError),
    ("DEADLINE_EXCEEDED", "for the test", serving.DeadlineExceededError),
    ("NOT_FOUND", "for the test", serving.ModelNotFoundError),
    ("INVALID_ARGUMENT", "for the test", serving.ServerFaultError),
    ("UNAUTHENTICATED", "for the test", serving.CredentialsError),
])  # fmt: skip
def test_other_errors_have_their_type_and_are_not_retried(client, double, code, said, kind):
    double.models.refuse, calls = [(code, said)], double.models.calls
    with pytest.raises(kind) as caught:
        client.predict_bytes([encode((10, 10))])
    assert isinstance(caught.value, UserError) and double.models.calls == calls + 1
    assert type(caught.value) is kind and said in str(caught.value)


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNIMPLEMENTED"])
def test_a_missing_signature_is_recognised_from_the_list_of_signatures(client, monkeypatch, code):
    """The server's own words differ between its versions; its list of signatures does not."""
    def refuse(*_):
        raise failure(code, "no idea", "server")

    with monkeypatch.context() as patch:
        patch.setattr(client._transport, "predict", refuse)
        with pytest.raises(serving.ModelNotFoundError, match="has no signature predict_nothing; it has predict_bytes"):
            client._predict("predict_nothing", "image_bytes", [b""], 1 << 20)


def test_a_busy_server_is_retried_longer_than_an_absent_one(double, caplog):
    """All threads taken: "Server Threadpool Exhausted" over gRPC; a queue that is full over both."""
    words = [("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")] * 3
    for kind in ("grpc", "rest"):
        double.models.refuse, calls = list(words), double.models.calls
        with Client(address(double, kind), patience=2) as client, caplog.at_level(logging.WARNING):
            assert len(client.predict_bytes([encode((10, 10))])) == 1
        assert double.models.calls == calls + 4
    assert caplog.text.count("retrying for up to 20 s") == 2  # a busy server is waited for ten times as long


def test_32_client_threads_are_served_by_two_server_threads(small_export):
    """The real server takes 4 x cores calls; the others were lost."""
    from concurrent.futures import ThreadPoolExecutor

    with Double(Models(small_export, "tfrespam", slow=0.02), grpc_max_threads=2) as double:
        clients = [Client(double.grpc_address, patience=10) for _ in range(32)]
        picture = encode((10, 10))
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda client: client.predict_bytes([picture]), clients))
        assert len(answers) == 32 and all(answer == answers[0] for answer in answers)
        assert double.threads.refused > 0


def test_an_unavailable_server_is_retried(client, double):
    double.models.refuse, calls = [("UNAVAILABLE", "queue full")] * 2, double.models.calls
    assert len(client.predict_bytes([encode((10, 10))])) == 1
    assert double.models.calls == calls + 3


def test_one_warning_reports_an_unavailable_server(client, double, caplog):
    double.models.refuse = [("UNAVAILABLE", "queue full")] * 2
    with caplog.at_level(logging.WARNING):
        client.predict_bytes([encode((10, 10))])
    (told,) = [record.getMessage() for record in caplog.records if record.name == "tfrespam.serving.client.retry"]
    assert "queue full" in told and told.endswith("retrying for up to 3 s")


def test_outputs_of_an_unknown_model_are_reported(client, monkeypatch):
    monkeypatch.setattr(client._transport, "predict", lambda *_: {"scores": np.zeros(1)})
    with pytest.raises(serving.WrongAnswerError, match=r"returned \['scores'\]; expected mask_png_bytes"):
        client.predict_bytes([encode((10, 10))])


@pytest.mark.parametrize("answer", [{}, {"metadata": []}, {"metadata": {"signature_def": 1}}])
def test_metadata_without_signatures_are_a_wrong_answer(double, monkeypatch, answer):
    client = Client(double.rest_address)
    monkeypatch.setattr(client._transport, "_ask", lambda *_: answer)
    with pytest.raises(serving.WrongAnswerError, match="describes no signatures"):
        client.signatures()


@pytest.mark.parametrize(("server", "said"), [
    ("http://127.0.0.1:9", "Failed to establish a new connection: .*refused"),
    ("http://no-such-host.invalid:9", "Failed to resolve"),
])  # fmt: skip
def test_rest_errors_give_the_reason_for_a_failed_connection(server, said):
    with pytest.raises(serving.ServerUnavailableError, match=f"^{server}: {said}") as caught:
        Client(server, patience=0).versions()
    assert "HTTPConnection" not in str(caught.value)


def test_a_slow_response_exceeds_the_deadline(double):
    double.models.refuse, double.models.slow = [], 2.0
    for kind in ("grpc", "rest"):
        started = time.monotonic()
        with Client(address(double, kind), timeout=0.5) as client, pytest.raises(serving.DeadlineExceededError):
            client.predict_bytes([encode((10, 10))])
        assert time.monotonic() - started < 2
    double.models.slow = 0.0


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_a_new_client_does_not_share_the_failures_of_another(small_export, kind):
    with Double(Models(small_export, "tfrespam")) as gone:
        ports, server = (gone.grpc_port, gone.rest_port), address(gone, kind)
    with Client(server, patience=2.0) as older:
        with pytest.raises(serving.ServerUnavailableError):
            older.versions()
        with Double(Models(small_export, "tfrespam"), *ports), Client(server, patience=0) as newer:
            assert newest_version(newer) == 2


@pytest.mark.parametrize("server", ["127.0.0.1:9", "http://127.0.0.1:9"])
def test_an_absent_server_is_unavailable_after_patience_and_then_immediately(server):
    client = Client(server, patience=1.0)
    for least, most in ((0.2, 3.0), (0.0, 0.5)):
        started = time.monotonic()
        with pytest.raises(serving.ServerUnavailableError, match="127.0.0.1"):
            client.predict_bytes([b"x"])
        assert least <= time.monotonic() - started < most


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_a_restarted_server_is_used_again(small_export, kind):
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
def test_invalid_addresses_are_rejected(server):
    with pytest.raises(UserError, match="host:8500"):
        Client(server)


def test_certificates_must_exist_and_need_an_encrypted_server(tmp_path):
    file = tmp_path / "ca.pem"
    for server in ("grpcs://host:1", "https://host:1"):
        with pytest.raises(UserError, match=f"no such file with certificates: {file}"):
            Client(server, ca=str(file))
    file.touch()
    for server in ("host:1", "http://host:1"):
        with pytest.raises(UserError, match=r"for encrypted servers .*Received: .*ca.pem"):
            Client(server, certificate=str(file), key=str(file))


def test_contradictory_arguments_are_rejected():
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
