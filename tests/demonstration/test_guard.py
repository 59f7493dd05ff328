"""Attacks on the demo page over raw HTTP; each is rejected or has no effect."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the extra [demo] is not installed")
SCRIPT = b"<html><script>alert(document.domain)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>'
LIMIT = 10**6  # bytes of one upload; four times as much of all


@pytest.fixture(scope="module")
def page():
    """Start a page with the pretrained network; return its port and its folder."""
    before = folders()
    command = [sys.executable, "-m", "tfrespam.demo", "--upload_mb", "1", "--models_dir", "nowhere"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    port = int(re.search(r":(\d+)", process.stdout.readline())[1])
    yield port, (folders() - before).pop()
    process.send_signal(signal.SIGINT)
    process.wait(60)


def folders():
    return {folder for home in ("/dev/shm", "/tmp") for folder in Path(home).glob("tfrespam-demo-*")}


def ask(page, method, path, body=None, **headers):
    """Send a request; return status, headers and body. `headers` replace Host and others, with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", page[0], timeout=60)
    sent = {"Host": f"127.0.0.1:{page[0]}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, sent)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


def upload(page, name, content, **headers):
    body = (b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() +
            b'"\r\nContent-Type: text/html\r\n\r\n' + content + b"\r\n--x--\r\n")  # fmt: skip
    return ask(page, "POST", "/gradio_api/upload", body, Content_Type="multipart/form-data; boundary=x", **headers)


def test_requests_of_the_page_itself_are_accepted(page):
    here = f"http://127.0.0.1:{page[0]}"
    for name in ("127.0.0.1", "localhost"):
        status, headers, body = ask(page, "GET", "/", Host=f"{name}:{page[0]}", Sec_Fetch_Site="none")
        assert status == 200 and b"Breast-mass segmentation" in body
    assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert ask(page, "GET", "/config", Origin=here, Sec_Fetch_Site="same-origin")[0] == 200
    status, _, body = upload(page, "a.png", b"x", Origin=here, Sec_Fetch_Site="same-origin")
    assert status == 200 and json.loads(body)[0].startswith(str(page[1]))


@pytest.mark.parametrize(("name", "content"), [("evil.html", SCRIPT), ("evil.svg", SVG), ("evil.png", SCRIPT)])
def test_1_an_uploaded_script_is_not_served(page, name, content):
    status, _, body = upload(page, name, content)
    (path,) = json.loads(body)
    assert status == 200 and Path(path).read_bytes() == content
    for form in ("/gradio_api/file=", "/gradio_api/file/", "/file=", "//gradio_api/file="):
        status, headers, got = ask(page, "GET", f"{form}{path}")
        assert status in (403, 404) and content not in got and "html" not in headers.get("content-type", "")
    dotted = path.replace("/uploads/", "/./uploads/../uploads/")
    assert ask(page, "GET", f"/gradio_api/file={dotted}")[0] == 403


def test_2_downloads_other_than_images_are_attachments(page):
    made = page[1] / "downloads" / "made"
    made.mkdir(exist_ok=True)
    for name, content in (("report.html", SCRIPT), ("report.svg", SVG), ("report.dcm", b"DICM")):
        (made / name).write_bytes(content)
        status, headers, _ = ask(page, "GET", f"/gradio_api/file={made / name}")
        assert status == 200 and headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment")
        assert headers["content-security-policy"].startswith("sandbox")
    (made / "mask.png").write_bytes(b"\x89PNG")
    assert ask(page, "GET", f"/gradio_api/file={made / 'mask.png'}")[1]["content-type"] == "image/png"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"])
def test_3_post_requests_of_another_origin_are_rejected(page, origin):
    assert upload(page, "a.png", b"x", Origin=origin)[0] == 403
    join = json.dumps({"data": [], "fn_index": 0, "session_hash": "a"})
    assert ask(page, "POST", "/gradio_api/queue/join", join, Origin=origin, Content_Type="text/plain")[0] == 403


def test_4_cross_site_post_requests_without_origin_are_rejected(page):
    for site in ("cross-site", "same-site"):
        assert upload(page, "a.png", b"x", Sec_Fetch_Site=site)[0] == 403
        assert ask(page, "GET", "/config", Sec_Fetch_Site=site, Sec_Fetch_Dest="script")[0] == 403
    visit = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "navigate"}
    assert ask(page, "GET", "/", **visit)[0] == 200  # a link to the page


@pytest.mark.parametrize("host", ["evil.example:7860", "127.0.0.1.evil.example", "", "[::1", "10.9.9.9"])
def test_5_requests_with_a_foreign_host_name_are_rejected(page, host):
    """DNS rebinding: the attacker's host name resolves to this machine, so the browser treats the page as theirs."""
    assert ask(page, "GET", "/", Host=host)[0] in (400, 403)
    assert upload(page, "a.png", b"x", Host=host, Origin=f"http://{host}")[0] in (400, 403)


def test_6_the_total_size_of_uploads_is_limited_and_old_ones_are_removed(page):
    answers = [upload(page, f"{number}.png", os.urandom(900_000))[0] for number in range(8)]
    assert answers[:3] == [200] * 3 and answers[-1] == 413
    held = sum(path.stat().st_size for path in (page[1] / "cache" / "uploads").rglob("*") if path.is_file())
    assert held <= 4 * LIMIT
    for path in (page[1] / "cache" / "uploads").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 1000,) * 2)
    assert upload(page, "new.png", b"x")[0] == 200
    left = [path.name for path in (page[1] / "cache" / "uploads").rglob("*") if path.is_file()]
    assert left == ["new.png"]


def test_7_an_upload_needs_a_length_and_has_a_size_limit(page):
    assert upload(page, "big.png", bytes(LIMIT + 100_000))[0] == 413
    connection = http.client.HTTPConnection("127.0.0.1", page[0], timeout=60)
    connection.request("POST", "/gradio_api/upload", iter([b"x" * 1000] * 10), encode_chunked=True, headers={
        "Host": f"127.0.0.1:{page[0]}", "Transfer-Encoding": "chunked"})  # fmt: skip
    assert connection.getresponse().status == 411
    connection.close()
    assert upload(page, "a.png", b"x", Content_Length="99999999999")[0] == 413


@pytest.mark.parametrize("path", [
    "/etc/passwd", "../../../etc/passwd", "/proc/self/environ", "{folder}/../../etc/passwd", "",
    "{folder}/cache/../../../etc/passwd", "saved_models/pretrained/2/metadata.json", "%2e%2e/%2e%2e/etc/passwd",
    "{folder}/downloads/link", "/etc/passwd%00.png",
])  # fmt: skip
def test_8_files_outside_the_folder_are_not_served(page, path):
    link = page[1] / "downloads" / "link"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    status, _, body = ask(page, "GET", f"/gradio_api/file={path.format(folder=page[1])}")
    assert status in (403, 404) and b"root:" not in body and b"PATH=" not in body


@pytest.mark.parametrize("path", ["/gradio_api/file=http://127.0.0.1:1/x", "/gradio_api/proxy=http://127.0.0.1:1/x",
                                  "/gradio_api/file=https://example.org/", "/gradio_api/file=//example.org/x",
                                  "/gradio_api/proxy=https://evil.hf.space/"])  # fmt: skip
def test_9_the_server_is_not_a_proxy(page, path):
    assert ask(page, "GET", path)[0] in (403, 404)


@pytest.mark.parametrize("name", ["../../../evil.html", "..\\..\\evil.html", "/etc/evil", "a\x00b.png", "." * 300, ""])
def test_10_file_names_cannot_leave_the_upload_folder(page, name):
    before = {path for path in page[1].rglob("*") if "uploads" not in path.parts}
    status, _, body = upload(page, name, b"content of an attack")
    if status == 200:
        assert Path(json.loads(body)[0]).resolve().is_relative_to((page[1] / "cache" / "uploads").resolve())
    assert {path for path in page[1].rglob("*") if "uploads" not in path.parts} == before
    assert not Path("/etc/evil").exists() and not (page[1].parent / "evil.html").exists()


@pytest.mark.parametrize("path", ["/gradio_api/api/predict", "/gradio_api/run/predict", "/gradio_api/call/predict",
                                  "/gradio_api/component_server", "/gradio_api/vibe-edit", "/docs", "/openapi.json",
                                  "/monitoring", "/gradio_api/stream/1"])  # fmt: skip
def test_11_unused_endpoints_are_closed(page, path):
    for method in ("GET", "POST"):
        assert ask(page, method, path, b"{}" if method == "POST" else None)[0] in (403, 404, 405)
