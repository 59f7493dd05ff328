"""Load tests against the test double: a thousand requests of 32 clients, and three `predict` calls at once."""

import csv
import os
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import cv2
import dicom_files
import numpy as np
import pytest
from server_process import Server, resident

from tfrespam.core.errors import UserError
from tfrespam.serving import ImageRefusedError
from tfrespam.serving.client.client import Client
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.inputs import read

CLIENTS, REQUESTS, BROKEN = 32, 1000, 0.05
GROWTH = 1.10  # of the memory between the second and the last quarter of the requests


def smooth(shape, dtype):
    noise = np.random.default_rng(shape[0]).random(shape).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(blurred, None, 0, np.iinfo(dtype).max, cv2.NORM_MINMAX).astype(dtype)


def good_files(folder):
    """Yield two files of each kind: (signature, file)."""
    for number in (0, 1):
        names = {kind: folder / f"{kind}{number}" for kind in ("flat.png", "deep.png", "a.jpg", "film.png", "b.dcm")}
        for kind, shape, dtype in (("flat.png", (60, 40), np.uint8), ("deep.png", (50, 70), np.uint16),
                                   ("a.jpg", (44, 44), np.uint8), ("film.png", (300, 200), np.uint16)):  # fmt: skip
            picture = smooth((shape[0] + number, shape[1]), dtype)
            names[kind].write_bytes(cv2.imencode(names[kind].suffix[:4], picture)[1].tobytes())
            yield "predict_film" if kind == "film.png" else "predict_bytes", names[kind]
        dicom_files.write(names["b.dcm"], smooth((40 + number, 30), np.uint16), PhotometricInterpretation="MONOCHROME1")
        yield "predict_bytes", names["b.dcm"]


@pytest.mark.slow
def test_32_clients_get_the_results_of_local_prediction(small_export, tmp_path):
    local, good = saved_model.load(small_export), list(good_files(tmp_path))
    expected = [getattr(local, signature)([read(file).encoded])[0] for signature, file in good]
    png = good[0][1].read_bytes()
    broken = [b"", b"no picture", png[:50], png[:-30], good[2][1].read_bytes()[:90]]
    (tmp_path / "half.dcm").write_bytes(good[4][1].read_bytes()[:1500])
    draw = random.Random(0)
    wanted = [("broken" if draw.random() < BROKEN else "good", draw.randrange(10)) for _ in range(REQUESTS)]
    server = Server(small_export, log=tmp_path / "server.log")
    clients = [Client(server.addresses["rest" if number % 2 else "grpc"], timeout=120) for number in range(CLIENTS)]
    weights = []

    def ask(number: int) -> str:
        client, (kind, choice) = clients[number % CLIENTS], wanted[number]
        weights.append((server.memory(), resident(os.getpid())))
        if kind == "good":
            signature, file = good[choice]
            answer = getattr(client, signature)([read(file).encoded])[0]
            # servers list the candidates of films as well
            return "equal" if answer[:3] == expected[choice][:3] else "different"
        if choice == 9:
            with pytest.raises(UserError, match="damaged or truncated"):
                client.predict_file(tmp_path / "half.dcm")
            return "typed error"
        with pytest.raises(ImageRefusedError, match=r"image_bytes\[0\] not a readable"):
            client.predict_bytes([broken[choice % len(broken)]])
        return "typed error"

    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            found = Counter(pool.map(ask, range(REQUESTS)))
    finally:
        server.kill()
    bad = sum(kind == "broken" for kind, _ in wanted)
    assert found == {"equal": REQUESTS - bad, "typed error": bad} and 30 <= bad <= 70
    print(f"server: {refusals(tmp_path / 'server.log')} calls refused and sent again")
    assert refusals(tmp_path / "server.log") > 0  # it has had more to do than it has threads
    quarter = REQUESTS // 4
    for name, column in zip(("server", "client"), zip(*weights, strict=True), strict=True):
        growth = np.median(column[-quarter:]) / np.median(column[quarter : 2 * quarter])
        print(f"{name}: {np.median(column[-quarter:]) / 2**20:.0f} MiB, {growth:.3f} of what it was")
        assert growth <= GROWTH, name


@pytest.mark.slow
def test_three_simultaneous_predict_calls_complete_all_files(small_export, tmp_path):
    """Twelve requests at the same time for the eight threads of a server with two cores: one call was aborted."""
    (tmp_path / "in").mkdir()
    for number in range(100):
        cv2.imwrite(str(tmp_path / "in" / f"{number:03}.png"), smooth((40 + number % 7, 50), np.uint16))
    server = Server(small_export, slow=0.2, log=tmp_path / "server.log", grpc_max_threads=8)
    command = [sys.executable, "-m", "tfrespam.predict", tmp_path / "in", "--server", server.addresses["grpc"],
               "--film", "never", "--batch_size", "1"]  # fmt: skip
    try:
        calls = [subprocess.Popen([*command, "--output", tmp_path / f"out{number}"], stdout=subprocess.DEVNULL)
                 for number in range(3)]  # fmt: skip
        assert [call.wait(600) for call in calls] == [0, 0, 0]
    finally:
        server.kill()
    for number in range(3):
        with open(tmp_path / f"out{number}" / "predictions.csv", newline="", encoding="utf-8") as file:
            assert Counter(row["status"] for row in csv.DictReader(file)) == {"ok": 100}
    print(f"server: {refusals(tmp_path / 'server.log')} calls refused and sent again")
    assert refusals(tmp_path / "server.log") > 0


def refusals(log) -> int:
    """Return the number of calls that the server has rejected, from the last line of its log."""
    return int(log.read_text().splitlines()[-1].split()[0])
