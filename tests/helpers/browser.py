"""Headless Chromium for tests of pages."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1400, "height": 1000}


@contextlib.contextmanager
def page(viewport=WIDE, **options) -> Iterator:
    """Open a page that collects console errors, exceptions and failed requests in `page.faults`."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_context(viewport=viewport, **options).new_page()
        opened.set_default_timeout(120_000)
        opened.faults = []
        opened.on("console", lambda message: message.type == "error" and opened.faults.append(message.text))
        opened.on("pageerror", lambda error: opened.faults.append(str(error)))
        opened.on("requestfailed", lambda request: opened.faults.append(f"{request.url}: {request.failure}"))
        try:
            yield opened
        finally:
            browser.close()
