"""`predict --server` against servers with wrong answers: each affected file is reported, the others are segmented."""

import base64
import csv
import http.server
import io
import json
import re
import struct
import subprocess
import sys
import threading
import zlib

import cv2
import numpy as np
import pytest

SIDE, GIANT = 156, 20_000
MEMORY = 500  # MiB that `predict` may take at most, whatever the server sends; 250 without a fault


def png(pixels) -> str:
    return base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


def giant() -> str:
    """Make a PNG of GIANT x GIANT black pixels, a few hundred kB."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeezer = zlib.compressobj(9)
    rows = b"".join(squeezer.compress(bytes(GIANT + 1)) for _ in range(GIANT)) + squeezer.flush()
    head = struct.pack(">IIBBBBB", GIANT, GIANT, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


MASK, PROBABILITY = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint16)
MASK[40:80, 40:80], PROBABILITY[40:80, 40:80] = 255, 60000
SMALL = {"mask_png_bytes": {"b64": png(MASK[:10, :10])}, "probability_png_bytes": {"b64": png(PROBABILITY[:10, :10])}}

# what an answer for one picture holds in place of the right values, and what is told
ONE = {
    "nan": ({"tumour_fraction": float("nan")}, "tumour_fraction of nan"),
    "bad_base64": ({"mask_png_bytes": {"b64": "###"}}, "is not a PNG"),
    "number": ({"mask_png_bytes": 1}, "is not a PNG"),
    "text": ({"mask_png_bytes": {"b64": base64.b64encode(b"hello").decode()}}, "is not a PNG"),
    "small": (SMALL, "of 10 x 10 pixels; expected 156 x 156"),
    "colour": ({"mask_png_bytes": {"b64": png(np.dstack([MASK] * 3))}}, "colour; expected 8 bits, grey"),
    "bomb": ({"mask_png_bytes": None}, f"of {GIANT} x {GIANT} pixels"),  # filled in where it is needed
}
# what all of an answer is in its place
ALL = {
    "no_list": (lambda outputs: outputs | {"mask_png_bytes": 7}, "returned 7 as mask_png_bytes; expected 1"),
    "too_many": (lambda outputs: outputs | {"mask_png_bytes": outputs["mask_png_bytes"] * 2}, "returned 2 values"),
    "empty": (lambda outputs: {name: [] for name in outputs}, "returned 0 values"),
    "list": (lambda outputs: [1], r"returned \[''\]; expected mask_png_bytes"),
}
# what is sent in place of any answer
RAW = {
    "html": (200, {}, b"<html>\x1b[31mno", "status 200 without JSON"),
    "escapes": (400, {}, json.dumps({"error": "\x1b]0;TITLE\x07\x1b[2J evil"}).encode(), "evil"),
    "redirect": (307, {"Location": "http://127.0.0.1:1/v1"}, b"{}", "refused to follow a redirect"),
    "gzip_bomb": (200, {"Content-Encoding": "gzip"}, None, "refused a compressed answer"),
    "nested": (200, {}, b"[" * 100_000, "without JSON"),
    "long": (200, {}, b'{"outputs": "' + b"x" * (64 << 20), "larger than max"),
}


class Wrong(http.server.BaseHTTPRequestHandler):
    """A server that answers wrongly in the way of `mode`, for some modes only if the first pixel is white."""

    mode = ""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: N802
        if self.path.endswith("/metadata"):
            return self.send({"metadata": {"signature_def": {"signature_def": {"predict_bytes": {}}}}})
        version = "abc" if self.mode == "versions" else "1"
        return self.send({"model_version_status": [{"version": version, "state": "AVAILABLE"}]})

    def do_POST(self):  # noqa: N802
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]["image_bytes"]
        bad = [cv2.imdecode(np.frombuffer(base64.b64decode(each["b64"]), np.uint8), 0)[0, 0] == 255 for each in asked]
        if self.mode in RAW and any(bad):
            status, headers, body, _ = RAW[self.mode]
            return self.reply(status, bomb() if body is None else body, headers)
        rows = [self.row(wrong) for wrong in bad]
        outputs = {name: [row[name] for row in rows] for name in rows[0]}
        return self.send({"outputs": ALL[self.mode][0](outputs) if self.mode in ALL and any(bad) else outputs})

    def row(self, wrong: bool) -> dict:
        right = {"mask_png_bytes": {"b64": png(MASK)}, "probability_png_bytes": {"b64": png(PROBABILITY)},
                 "tumour_fraction": 0.1}  # fmt: skip
        if not wrong or self.mode not in ONE:
            return right
        return right | (ONE[self.mode][0] if self.mode != "bomb" else {"mask_png_bytes": {"b64": giant()}})

    def send(self, answer) -> None:
        self.reply(200, json.dumps(answer).encode(), {})

    def reply(self, status, body, headers) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def bomb() -> bytes:
    """Make a compressed file of one GiB of spaces."""
    import gzip

    data = io.BytesIO()
    with gzip.GzipFile(fileobj=data, mode="wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b" " * (1 << 24))
    return data.getvalue()


@pytest.fixture
def server():
    opened = []

    def start(mode):
        made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Wrong,), {"mode": mode}))
        made.handle_error = lambda *_: None  # a client that hangs up
        opened.append(made)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{made.server_address[1]}"

    yield start
    for made in opened:
        made.shutdown()
        made.server_close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three images; the second gets a wrong answer."""
    folder = tmp_path_factory.mktemp("in")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 200, (SIDE, SIDE)).astype(np.uint8)
        pixels[0, 0] = 255 if number == 1 else 0
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


MEASURED = """
from pathlib import Path
from tfrespam.predict import main
try:
    main()
finally:  # not ru_maxrss, which begins with the memory of the tests' own process
    print("peak", int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024)
"""


def predicted(pictures, output, address, *options):
    """Run `predict`; return exit status, messages, rows by name, and peak memory in MiB."""
    command = [sys.executable, "-c", MEASURED, str(pictures), "--output", str(output), "--server", address, "--film",
               "never", *options]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    rows = {}
    if (output / "predictions.csv").exists():
        with open(output / "predictions.csv", newline="", encoding="utf-8") as file:
            rows = {row["name"]: row for row in csv.DictReader(file)}
    return done.returncode, done.stderr, rows, int(re.search(r"peak (\d+)", done.stdout)[1])


@pytest.mark.parametrize("mode", [*ONE, *ALL])
def test_a_wrong_answer_affects_only_its_image(server, pictures, tmp_path, mode):
    status, said, rows, memory = predicted(pictures, tmp_path / "out", server(mode))
    told = (ONE | ALL)[mode][1]
    lines = said.splitlines()
    assert status == 2 and "Traceback" not in said and len(lines) == 2
    assert re.match(f"undone: .*1.png: http.*{told}", lines[0])
    assert lines[1].startswith("error: 1 of 3 files were not segmented")
    assert [row["status"].partition(":")[0] for row in rows.values()] == ["ok", "undone", "ok"]
    assert not list((tmp_path / "out").glob("1_*")) and len(list((tmp_path / "out").glob("[02]_*.png"))) == 6
    assert memory < MEMORY


@pytest.mark.parametrize("mode", RAW)
def test_an_invalid_response_affects_only_its_request(server, pictures, tmp_path, mode):
    status, said, rows, memory = predicted(pictures, tmp_path / "out", server(mode), "--batch_size", "1")
    assert status == 2 and "Traceback" not in said and "\x1b" not in said and "\x07" not in said
    state = "failed" if mode == "long" else "undone"  # the next answer would be too large too
    assert re.match(f"{state}: .*1.png: http.*{RAW[mode][3]}", said.splitlines()[0]) and len(said.splitlines()) == 2
    assert [row["status"].partition(":")[0] for row in rows.values()] == ["ok", state, "ok"]
    assert not list((tmp_path / "out").glob("1_*")) and memory < MEMORY


def test_invalid_versions_end_the_call_before_images_are_sent(server, pictures, tmp_path):
    status, said, rows, _ = predicted(pictures, tmp_path / "out", server("versions"))
    assert status == 2 and len(said.splitlines()) == 1 and "has no versions" in said and rows == {}


def test_undone_images_are_segmented_by_the_next_call(server, pictures, tmp_path):
    assert predicted(pictures, tmp_path / "out", address := server("small"))[0] == 2
    Wrong.__subclasses__()[-1].mode = "right"
    status, said, rows, _ = predicted(pictures, tmp_path / "out", address)
    assert (status, said) == (0, "") and [row["status"] for row in rows.values()] == ["ok"] * 3
