"""Makes tensorboard.png, report.png and demo.png: the pages as Chromium shows them, on a run with phantom data.

    python -m tfrespam.train
    python docs/images/make_screens.py runs/phantom/RUN

Needs the extras [report,demo,test] and Chromium (Debian: apt-get install chromium).
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from tfrespam.training.tensorboard.server import served

HERE = Path(__file__).parent
CASES = "tf-image-loader img"


def main(run: Path) -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        tensorboard(page, run)
        report(page, run)
        demo(page)
        browser.close()


def tensorboard(page, run: Path) -> None:
    """The Images tab, cases and gates."""
    with served(run, 0) as url:
        page.goto(f"{url}#images")
        page.locator(CASES).first.wait_for()
        page.mouse.click(600, 91)  # the field "Filter tags"
        page.keyboard.type("cases|stage[24]")
        page.wait_for_timeout(6000)  # pictures fade in
        save(page, "tensorboard.png")


def report(page, run: Path) -> None:
    """The head of a run on a desk, and its pictures on a phone in the dark."""
    phone = page.context.browser.new_page(viewport={"width": 390, "height": 1000}, color_scheme="dark")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        subprocess.run([sys.executable, "-m", "tfrespam.report", str(run), "--output", str(file)], check=True)
        for view, place in ((page, "run1"), (phone, "run1-gallery")):
            view.goto(file.as_uri())
            view.locator(f"#{place}").evaluate("heading => heading.scrollIntoView()")
        save(page, "report.png", beside=phone)


def demo(page) -> None:
    """The example film, searched by the shipped networks, and its first candidate enlarged."""
    page.set_viewport_size({"width": 1280, "height": 1840})
    command = [sys.executable, "-m", "tfrespam.demo", "--model", "saved_models/pretrained"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        page.goto(process.stdout.readline().strip())
        page.get_by_role("button", name="Example: whole film").click()
        page.locator("#candidates [role=row][data-index] [role=gridcell]").nth(1).click()
        page.locator("#zoom img").wait_for()
        page.wait_for_timeout(3000)  # messages fade
        save(page, "demo.png")
        process.terminate()


def save(page, name: str, beside=None) -> None:
    """The page, and another of its height `beside` it. Few colours keep the file small."""
    shots = [Image.open(io.BytesIO(each.screenshot())).convert("RGB") for each in (page, beside) if each]
    shot = Image.fromarray(np.concatenate([np.asarray(each) for each in shots], axis=1))
    shot.quantize(256, method=Image.Quantize.MAXCOVERAGE).save(HERE / name, optimize=True)
    print(f"{name}: {os.path.getsize(HERE / name) / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
