"""The page in a browser."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import browser
import cv2
import numpy as np
import pydicom
import pytest
from demonstration.phantom_dicom import write_film

SEARCHED = re.compile("candidate|No mass found")  # what the status tells of a film


def start(models_dir, *options):
    """Start the stage as a process; return it and the URL that it prints."""
    command = [sys.executable, "-m", "tfrespam.demo", "--models_dir", str(models_dir), "--port",
               str(free_port()), *options]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline().strip()


def free_port():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def models_dir(trained, tmp_path_factory):
    """A model with two versions, the second with another threshold."""
    import shutil

    home = tmp_path_factory.mktemp("demo") / "models"
    shutil.copytree(f"{trained[0].models_dir}/exp/1", home / "exp" / "1")
    shutil.copytree(f"{trained[0].models_dir}/exp/1", home / "exp" / "2")
    metadata = json.loads((home / "exp" / "2" / "metadata.json").read_text())
    (home / "exp" / "2" / "metadata.json").write_text(json.dumps(metadata | {"threshold": 0.25}))
    os.utime(home / "exp" / "1" / "saved_model.pb")
    return home


@pytest.fixture(scope="module")
def url(models_dir):
    process, address = start(models_dir)
    yield address
    process.send_signal(signal.SIGINT)
    assert process.wait(60) in (0, 130)


def scratch_folders():
    return {folder for home in ("/dev/shm", "/tmp") for folder in Path(home).glob("tfrespam-demo-*")}


def area(page):
    """Wait until the page shows an area and return it."""
    page.wait_for_function("/area/.test(document.querySelector('#measures').innerText)")
    return int(re.search(r"area\s+(?:[\d.]+ mm² \()?(\d+) px", page.locator("#measures").inner_text())[1])


def set_threshold(page, value):
    before = page.locator("#picture img").get_attribute("src")
    page.locator("#threshold input[type=number]").fill(str(value))
    page.locator("#threshold input[type=number]").press("Tab")
    page.wait_for_function("before => document.querySelector('#picture img')?.src != before", arg=before)


def draw_box(page):
    picture = page.locator("#picture img")
    for share in (0.35, 0.65):
        before, box = picture.get_attribute("src"), picture.bounding_box()
        picture.click(position={"x": share * box["width"], "y": share * box["height"]})
        page.wait_for_function("before => document.querySelector('#picture img')?.src != before", arg=before)


def upload(page, file):
    page.locator("#file input[type=file]").set_input_files(str(file))


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [browser.WIDE, browser.PHONE])
def test_upload_threshold_slider_and_download_work(url, models_dir, tmp_path, viewport):
    from tfrespam.serving.inference import saved_model

    pixels = np.linspace(0, 20000, 90 * 120).reshape(90, 120).astype(np.uint16)
    cv2.circle(pixels, (60, 45), 25, 60000, -1)
    cv2.imwrite(str(tmp_path / "my crop.png"), pixels)
    probability = saved_model.load(models_dir / "exp" / "1").predict_images(pixels[None, ..., None] / 65535)[0, ..., 0]
    middle = round(float(np.median(probability)), 2)
    with browser.page(viewport) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        page.get_by_text("Not a medical device").wait_for()
        upload(page, tmp_path / "my crop.png")
        assert abs(area(page) - int((probability >= 0.5).sum())) <= 2
        set_threshold(page, middle)
        page.wait_for_function("text => document.querySelector('#measures').innerText.includes(text)",
                               arg=f"{int((probability >= middle).sum())} px")  # fmt: skip
        with page.expect_download() as download:
            page.locator("#mask").click()
        assert download.value.suggested_filename == "my crop_mask.png"
        mask = cv2.imread(str(download.value.path()), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, np.where(probability >= middle, 255, 0))
        for name in ("#picture img", "#heat img"):
            assert page.locator(name).get_attribute("alt")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert all(address.startswith((url, "data:", "blob:")) for address in asked)  # nothing from elsewhere
        assert not [fault for fault in page.faults if "ERR_ABORTED" not in fault]
    kept = [file for folder in scratch_folders() for file in folder.rglob("my crop.png")]
    assert not kept


@pytest.mark.slow
def test_broken_files_are_rejected_and_the_next_file_works(url, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (tmp_path / "letter.txt").write_text("dear sir")
    film = write_film(tmp_path / "film.dcm", 300, 200)
    (tmp_path / "cut.dcm").write_bytes(film.read_bytes()[:2000])
    with browser.page() as page:
        page.goto(url)
        for name in ("broken.png", "letter.txt", "cut.dcm"):
            upload(page, tmp_path / name)
            page.locator("#status").get_by_text("This file cannot be used").wait_for()
            assert not page.locator("#mask").is_visible()
            page.get_by_label("Clear").or_(page.get_by_label("Remove this file")).first.click()
            page.wait_for_function("document.querySelector('#status').innerText.trim() == ''")
        upload(page, film)
        assert area(page) >= 0


@pytest.mark.slow
def test_a_large_film_can_be_segmented_within_a_box(url, tmp_path):
    film = write_film(tmp_path / "large.dcm", 4000, 2600)
    assert film.stat().st_size > 20_000_000
    with browser.page() as page:
        page.goto(url)
        upload(page, film)
        page.locator("#status").get_by_text(SEARCHED).wait_for()
        assert area(page) >= 0
        draw_box(page)
        page.wait_for_function("document.querySelector('#status').innerText.trim() == ''")
        share = float(re.search(r"share of the image\s+([\d.]+) %", page.locator("#measures").inner_text())[1])
        assert share < 30  # nothing outside the region


@pytest.mark.slow
def test_the_mask_of_a_dicom_file_can_be_downloaded_as_dicom(url, tmp_path):
    highdicom = pytest.importorskip("highdicom")
    film = write_film(tmp_path / "film é.dcm", 600, 400)
    with browser.page() as page:
        page.goto(url)
        upload(page, film)
        page.locator("#status").get_by_text(SEARCHED).wait_for()
        draw_box(page)
        page.wait_for_function("document.querySelector('#status').innerText.trim() == ''")
        shown, warning = area(page), page.locator("#status").inner_text()
        page.locator("#make-seg").click()
        with page.expect_download() as download:
            page.locator("#seg").click()
        assert download.value.suggested_filename == "film é_seg.dcm"
        assert page.locator("#status").inner_text() == warning
        made = highdicom.seg.segread(download.value.path())
        assert made.StudyInstanceUID == pydicom.dcmread(film).StudyInstanceUID
        assert (made.Rows, made.Columns, int(made.pixel_array.sum())) == (600, 400, shown)
        set_threshold(page, 0.99)
        page.locator("#seg").wait_for(state="hidden")  # it was of another mask
        page.get_by_role("button", name="Example: crop").click()
        page.locator("#make-seg").wait_for(state="hidden")  # no DICOM file


@pytest.mark.slow
def test_examples_and_models_can_be_switched(url):
    with browser.page() as page:
        page.goto(url)
        page.get_by_role("button", name="Example: crop").click()
        first = area(page)
        page.locator("#model input").click()
        page.get_by_role("option", name="exp 2").click()
        page.wait_for_function("document.querySelector('#threshold input[type=number]').value == '0.25'")
        page.wait_for_function("text => !document.querySelector('#measures').innerText.includes(text)",
                               arg=f"{first} px")  # fmt: skip
        assert area(page) > first


@pytest.mark.slow
def test_server_listens_on_loopback_limits_uploads_and_removes_files(models_dir):
    before = scratch_folders()
    process, address = start(models_dir, "--upload_mb", "1")
    try:
        assert address.startswith("http://127.0.0.1:")
        port = address.rstrip("/").rpartition(":")[2]
        listening = Path("/proc/net/tcp").read_text()
        assert f"0100007F:{int(port):04X}" in listening and f"00000000:{int(port):04X}" not in listening
        body = (b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.png\"\r\n\r\n" + b"0" * 2_000_000
                + b"\r\n--x--\r\n")  # fmt: skip
        request = urllib.request.Request(f"{address}gradio_api/upload", body,
                                         {"Content-Type": "multipart/form-data; boundary=x"})  # fmt: skip
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        assert refused.value.code == 413
    finally:
        process.terminate()
        process.wait(60)
    assert not scratch_folders() - before


@pytest.fixture
def film_models_dir(tmp_path):
    """A film network that detects bright regions."""
    import keras

    from tfrespam.evaluation.candidates import CandidateRule
    from tfrespam.serving.graph.signatures import export_archive

    image = keras.Input((96, 64, 1))
    bright = keras.layers.Conv2D(1, 1, activation="sigmoid")
    network = keras.Model(image, bright(image))
    bright.set_weights([np.full((1, 1, 1, 1), 20.0), np.full(1, -12.0)])
    folder = tmp_path / "models" / "bright" / "1"
    export_archive(network, folder, (96, 64), 0.5, True, film_threshold=0.5, rule=CandidateRule(0.2))
    metadata = {"data": {"view": "film"}, "film_threshold": 0.5, "candidates": {"threshold": 0.2}}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder.parents[1]


def test_films_start_at_the_operating_point_and_boxes_at_the_threshold(film_models_dir, tmp_path):
    from tfrespam.studies.demonstration import models
    from tfrespam.studies.demonstration.gradio_page import Page

    file = film_models_dir / "bright" / "1" / "metadata.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known | {"candidates": {"threshold": 0.2, "least_score": 0.3758}}))
    film = np.full((480, 300), 600, np.uint16)
    cv2.ellipse(film, (0, 240), (200, 160), 0, 0, 360, 25000, -1)
    cv2.circle(film, (75, 240), 24, 60000, -1)
    cv2.imwrite(str(tmp_path / "film.png"), film)
    page = Page(models.offered(str(film_models_dir), None), tmp_path)
    (name,) = page.offered
    threshold, study, *_ = page._opened(str(tmp_path / "film.png"), name)
    assert threshold == 0.37 and study.found is not None and page._threshold(name) == 0.5
    assert page._segmented(study, name, 0.6)[0] == 0.6  # the user's own


def test_the_status_counts_the_candidates_that_are_shown(film_models_dir, tmp_path):
    from tfrespam.studies.demonstration import gradio_page, models

    film = np.full((480, 300), 600, np.uint16)
    cv2.ellipse(film, (0, 240), (200, 160), 0, 0, 360, 25000, -1)
    cv2.circle(film, (75, 240), 24, 60000, -1)
    cv2.circle(film, (60, 330), 14, 42000, -1)  # a dimmer one
    cv2.imwrite(str(tmp_path / "film.png"), film)
    page = gradio_page.Page(models.offered(str(film_models_dir), None), tmp_path)
    (name,) = page.offered
    _, study, status, *_ = page._opened(str(tmp_path / "film.png"), name)
    assert status == "2 candidates."
    said = [page._drawn(study, name, threshold)[0] for threshold in (0.3, 0.9, 0.9999)]
    assert said == ["2 candidates.", "1 candidate.", gradio_page.NO_MASS]
    assert page._drawn(study.clicked(5, 5), name, 0.9)[0] == gradio_page.FIRST_CORNER


def test_the_status_tells_of_an_assumed_context():
    from tfrespam.studies.demonstration import gradio_page
    from tfrespam.studies.demonstration.study import Study

    one, several = ({"data": {"view": "roi", "context": 1.6}, "augment": {"context_range": contexts}}
                    for contexts in ([], [1.0, 2.4]))  # fmt: skip
    study = Study("crop", np.zeros((90, 80), np.uint8), context=1.35)
    assert "1.35 times as long as the mass" in gradio_page._status(study, one, 0.5)
    assert gradio_page._status(study, several, 0.5) == gradio_page._status(Study("a", study.pixels), one, 0.5) == ""
    boxed = dataclasses.replace(study, box=(10, 10, 30, 30))
    assert gradio_page._status(boxed, one, 0.5) == ""


def test_masks_for_download_are_removed_after_an_hour(film_models_dir, tmp_path):
    from tfrespam.studies.demonstration import gradio_page, models

    page = gradio_page.Page(models.offered(str(film_models_dir), None), tmp_path)
    new, old = (page._scratch_file("film_mask.png") for _ in range(2))
    for path, age in ((new, 3590), (old, 3610)):
        path.touch()
        for each in (path, path.parent):
            os.utime(each, (time.time() - age,) * 2)
    page.downloads.sweep()
    assert new.exists() and not old.parent.exists() and "one hour" in gradio_page.NOTICE


@pytest.mark.slow
def test_a_dropped_film_lists_candidates_that_move_with_the_threshold(film_models_dir, tmp_path):
    film = np.full((480, 300), 600, np.uint16)
    cv2.ellipse(film, (0, 240), (200, 160), 0, 0, 360, 25000, -1)
    cv2.circle(film, (75, 240), 24, 60000, -1)
    cv2.circle(film, (60, 330), 14, 42000, -1)  # a dimmer one
    cv2.imwrite(str(tmp_path / "film.png"), film)
    process, url = start(film_models_dir)
    try:
        with browser.page() as page:
            page.goto(url)
            upload(page, tmp_path / "film.png")
            page.locator("#status").get_by_text("2 candidates").wait_for()
            rows = page.locator("#candidates [role=row][data-index]")
            rows.nth(1).wait_for()
            assert rows.count() == 2
            whole = area(page)
            rows.nth(1).locator("[role=gridcell]").nth(1).click()
            page.locator("#zoom img").wait_for()
            set_threshold(page, 0.9)
            page.locator("#status").get_by_text("1 candidate.").wait_for()
            rows.nth(1).wait_for(state="detached")
            assert rows.count() == 1 and 0 < area(page) < whole
            set_threshold(page, 0.3)
            rows.nth(1).wait_for()
            assert area(page) == whole
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
