"""`predict --server` against the test double of TensorFlow Serving in a separate process that can be killed."""

import csv
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import dicom_files
import numpy as np
import pydicom
import pytest
from double import Double, Models
from server_process import Server

from tfrespam.core.errors import UserError
from tfrespam.predict import predict
from tfrespam.serving.client import client
from tfrespam.serving.inference.saved_model import read_metadata
from tfrespam.serving.inference.written import IMAGE_ENDINGS


@pytest.fixture(scope="module")
def server(small_export):
    server = Server(small_export)
    yield server
    server.kill()


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        smooth = cv2.GaussianBlur(random.random((30 + number, 40)).astype(np.float32), (0, 0), 3)
        pixels = np.rint(cv2.normalize(smooth, None, 0, 65535, cv2.NORM_MINMAX)).astype(np.uint16)
        cv2.imwrite(str(folder / f"{number:02}.png"), pixels)
    dicom_files.write(folder / "film.dcm", pixels, PatientID="Doe-4711", PatientName="Doe^Jane")
    return folder


def table(folder):
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def results(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(IMAGE_ENDINGS)}


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_files_are_identical_to_those_without_a_server(server, small_export, pictures, tmp_path, kind):
    options = {"batch_size": 3, "film": "never"}
    predict(str(pictures), output=str(tmp_path / "local"), model=str(small_export), **options)
    predict(str(pictures), output=str(tmp_path / "served"), server=server.addresses[kind], **options)
    local, served = results(tmp_path / "local"), results(tmp_path / "served")
    assert local == served and len(local) == 13 * len(IMAGE_ENDINGS)
    tables = [(tmp_path / side / "predictions.csv").read_bytes() for side in ("local", "served")]
    assert tables[0] == tables[1]
    assert sorted(os.listdir(tmp_path / "served")) == sorted([*served, "predictions.csv"])


def test_films_are_sent_one_by_one(small_export, pictures, tmp_path):
    """A scan takes seconds: several in one request would not meet the deadline."""
    options = {"film": "always", "batch_size": 8}
    with Double(Models(small_export, "tfrespam")) as double:
        predict(str(pictures), output=str(tmp_path / "served"), server=double.rest_address, **options)
        assert double.models.calls == 13
    predict(str(pictures), output=str(tmp_path / "local"), model=str(small_export), **options)
    assert results(tmp_path / "served") == results(tmp_path / "local")


def test_patient_ids_are_hashed_by_default(server, pictures, tmp_path, capfd):
    options = {"output": str(tmp_path / "out"), "server": server.addresses["grpc"], "film": "never"}
    predict(str(pictures), **options)
    text = (tmp_path / "out" / "predictions.csv").read_text() + "".join(capfd.readouterr())
    assert "4711" not in text and "Doe" not in text
    rows = table(tmp_path / "out")
    assert re.fullmatch("[0-9a-f]{16}", rows["film"]["patient"]) and rows["00"]["patient"] == ""
    predict(str(pictures), patient_ids=True, **options)
    assert table(tmp_path / "out")["film"]["patient"] == "Doe-4711"


def test_dicom_files_get_dicom_objects(server, small_export, pictures, tmp_path, capfd):
    pytest.importorskip("highdicom")
    study = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3", "PatientID": "Doe-4711"}
    pixels = cv2.imread(str(pictures / "03.png"), cv2.IMREAD_UNCHANGED)
    film = dicom_files.write(tmp_path / "film.dcm", pixels, SOPClassUID=dicom_files.MAMMOGRAPHY,
                             ImagerPixelSpacing=[0.1, 0.1], **study)  # fmt: skip
    options = {"film": "never", "dicom_seg": True, "dicom_probability": True, "dicom_sr": True}
    predict(str(film), str(pictures / "00.png"), output=str(tmp_path / "out"), server=server.addresses["grpc"],
            model=str(small_export), **options)  # fmt: skip
    made = sorted(path.name for path in (tmp_path / "out").glob("*.dcm"))
    assert made == ["film_probability.dcm", "film_seg.dcm", "film_sr.dcm"]
    seg = pydicom.dcmread(tmp_path / "out" / "film_seg.dcm")
    mask = cv2.imread(str(tmp_path / "out" / "film_mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(seg.pixel_array > 0, mask > 0)
    known = read_metadata(small_export / "2")
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert known["sha256"] in algorithm.AlgorithmParameters and seg.PatientID == "Doe-4711"
    assert "4711" not in "".join(capfd.readouterr())
    predict(str(film), output=str(tmp_path / "local"), model=str(small_export), **options)
    local = pydicom.dcmread(tmp_path / "local" / "film_seg.dcm")
    assert local.SOPInstanceUID == seg.SOPInstanceUID and local.PixelData == seg.PixelData


def test_missing_uids_of_a_dicom_file_are_reported(server, pictures, tmp_path):
    with pytest.raises(UserError, match="1 of 13 files"):
        predict(str(pictures), output=str(tmp_path / "out"), server=server.addresses["grpc"], film="never",
                dicom_seg=True)  # fmt: skip
    assert "lacks StudyInstanceUID" in table(tmp_path / "out")["film"]["status"]


def test_a_bad_image_does_not_affect_the_others(server, pictures, tmp_path):
    (pictures / "bad.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="1 of 14 files could not be segmented"):
        predict(str(pictures), output=str(tmp_path / "out"), server=server.addresses["grpc"], film="never")
    assert table(tmp_path / "out")["bad"]["status"].startswith("failed: ")


def test_invalid_server_options_are_rejected(server, pictures, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="Servable not found.*other"):
        predict(str(pictures), output=str(tmp_path / "out"), server=server.addresses["rest"], served_name="other")
    with pytest.raises(UserError, match="host:8500"):
        predict(str(pictures), output=str(tmp_path / "out"), server="nowhere")
    with monkeypatch.context() as patch, pytest.raises(UserError, match="has the signatures serving_default"):
        patch.setattr(client.Client, "signatures", lambda _: {"serving_default": {}})
        predict(str(pictures), output=str(tmp_path / "out"), server=server.addresses["rest"])
    with pytest.raises(UserError, match="`box` and `context` with `server` need `model`"):
        predict(str(pictures / "00.png"), output=str(tmp_path / "out"), server=server.addresses["rest"],
                box=(1, 1, 9, 9))  # fmt: skip
    with pytest.raises(UserError, match="`timeout` must be a number of seconds above 0. Received: 0"):
        predict(str(pictures), output=str(tmp_path / "out"), server=server.addresses["rest"], timeout=0)
    with pytest.raises(UserError, match="`keepalive` must be a number of seconds, 1 or more. Received: 0"):
        predict(str(pictures), output=str(tmp_path / "out"), server=server.addresses["rest"], keepalive=0)


def test_client_sends_certificate_and_token_over_tls(small_export, pictures, tmp_path):
    """As in docs/how-to/serving.md: mutual TLS and a token file, all from the command line."""
    import certificates
    import grpc

    pem = certificates.make(tmp_path / "pem")
    (tmp_path / "token").write_text("word\n")
    pair = (pem / "server.key").read_bytes(), (pem / "server.pem").read_bytes()
    shown = grpc.ssl_server_credentials([pair], (pem / "ca.pem").read_bytes(), require_client_auth=True)
    models = Models(small_export, "tfrespam")
    with Double(models, credentials=shown) as double:
        done = called(str(pictures), "--output", tmp_path / "out", "--server", f"grpcs://127.0.0.1:{double.grpc_port}",
                      "--ca", pem / "ca.pem", "--certificate", pem / "client.pem", "--key", pem / "client.key",
                      "--token_file", tmp_path / "token", "--keepalive", "30", "--film", "never")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {request["authorization"] for request in models.requests} == {"Bearer word"}
    assert {row["status"] for row in table(tmp_path / "out").values()} == {"ok"}


def test_logs_can_be_lines_of_json(small_export, pictures, tmp_path):
    """Each request by the id that the server sees, each file with its state, and the error, on standard error."""
    (pictures / "bad.png").write_bytes(b"no picture")
    models = Models(small_export, "tfrespam")
    with Double(models) as double:
        done = called(str(pictures), "--output", tmp_path / "out", "--server", double.rest_address, "--film", "never",
                      "--log_format", "json")  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    sent = {line["request"] for line in lines if "request" in line}
    assert sent == {request["x-request-id"] for request in models.requests} and len(sent) >= 4
    states = {Path(line["file"]).name: line["status"] for line in lines if "status" in line}
    assert states.pop("bad.png") == "failed" and set(states.values()) == {"ok"} and len(states) == 13
    assert lines[-1]["level"] == "ERROR" and "1 of 14 files could not be segmented" in lines[-1]["message"]


def called(*words):
    command = [sys.executable, "-m", "tfrespam.predict", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_files_missed_by_a_killed_server_are_done_by_the_next_call(small_export, pictures, tmp_path, kind,
                                                                     capsys, monkeypatch):  # fmt: skip
    """The server is killed during the call and restarted before the second call."""
    monkeypatch.setattr(client, "PATIENCE", 1.0)
    output, server = tmp_path / "out", Server(small_export, slow=0.3)

    def kill_when_some_are_done():
        while len(list(output.glob("*_mask.png"))) < 4:
            time.sleep(0.01)
        server.kill()

    killer = threading.Thread(target=kill_when_some_are_done)
    killer.start()
    with pytest.raises(UserError, match="files were not segmented.*segments only these"):
        predict(str(pictures), output=str(output), server=server.addresses[kind], batch_size=1, film="never")
    killer.join()
    rows, said = table(output), capsys.readouterr().err
    undone = {name for name, row in rows.items() if row["status"].startswith("undone: ")}
    done = {name for name, row in rows.items() if row["status"] == "ok"}
    assert undone and len(done) >= 4 and undone | done == set(rows) and len(rows) == 13
    assert {Path(line.split(": ")[1]).stem for line in said.splitlines() if line.startswith("undone: ")} == undone
    assert {name.removesuffix("_mask.png") for name in results(output) if name.endswith("_mask.png")} == done
    written = {name: (output / f"{name}_mask.png").stat().st_mtime_ns for name in done}

    again = Server(small_export, *server.ports)
    predict(str(pictures), output=str(output), server=again.addresses[kind], batch_size=1, film="never")
    again.kill()
    assert {row["status"] for row in table(output).values()} == {"ok"} and list(table(output)) == list(rows)
    assert written == {name: (output / f"{name}_mask.png").stat().st_mtime_ns for name in done}  # not done again
    predict(str(pictures), output=str(tmp_path / "local"), model=str(small_export), batch_size=1, film="never")
    assert results(output) == results(tmp_path / "local")


@pytest.mark.slow
def test_all_files_are_done_when_a_killed_server_restarts(small_export, pictures, tmp_path):
    output, servers = tmp_path / "out", [Server(small_export, slow=0.3)]
    address = servers[0].addresses["grpc"]

    def kill_and_return():
        while len(list(output.glob("*_mask.png"))) < 4:
            time.sleep(0.01)
        servers[0].kill()
        servers.append(Server(small_export, *servers[0].ports))

    killer = threading.Thread(target=kill_and_return)
    killer.start()
    predict(str(pictures), output=str(output), server=address, batch_size=1, film="never")
    killer.join()
    servers[1].kill()
    assert {row["status"] for row in table(output).values()} == {"ok"}

