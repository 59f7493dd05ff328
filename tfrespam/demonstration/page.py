"""The page itself, in Gradio: what is where, and what each control does."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import gradio as gr

from tfrespam.demonstration import dicom_objects, models
from tfrespam.demonstration.examples import examples
from tfrespam.demonstration.study import Study
from tfrespam.errors import UserError
from tfrespam.files import alone
from tfrespam.serving import region
from tfrespam.serving.cases import trained_on

TITLE = "Breast-mass segmentation"
NOTICE = ("**For research. Not a medical device: no result of this page may be used for diagnosis or treatment.** "
          "Pictures stay on the computer that runs this page, in its memory, and are gone when the page is closed.")
HELP = ("Drop a PNG, JPEG, TIFF or DICOM file. On a whole film, click two opposite corners of a box around the "
        "suspected mass in the left picture: the network then sees that region, as it did in training. A third click "
        "begins a new box.")  # fmt: skip
DRAW_A_BOX = "This network has only seen crops around a mass: if this is a whole film, draw a box around the mass."
NO_BOX = "This network was trained on whole films and is shown all of this one: the box changes nothing."
CSS = """
.measures table { width: 100%; } .measures td { padding: .25rem .5rem; }
.status:empty { display: none; }
footer { display: none !important; }
"""
IDLE = 3600  # seconds after which a session's pictures are forgotten
SCRATCH = "tfrespam-demo-"
NOTHING = (None, None, "", gr.DownloadButton(visible=False))


class Page:
    """The page for some models.

    Args:
        offered: Version folders by the name shown.
        scratch: Folder for downloads, removed by the caller.
    """

    def __init__(self, offered: dict[str, Path], scratch: Path):
        self.offered, self.scratch, self.examples = offered, scratch, examples()
        with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(60, IDLE)) as self.blocks:
            self._lay_out()
            self._connect()

    def _lay_out(self) -> None:
        first = next(iter(self.offered))
        self.study = gr.State(None, time_to_live=IDLE)
        gr.Markdown(f"# {TITLE}\n\n{NOTICE}")
        with gr.Row():
            with gr.Column(min_width=260):
                self.model = gr.Dropdown(list(self.offered), value=first, label="Model", elem_id="model")
                self.about = gr.Markdown(models.told(models.loaded(self.offered[first])))
            with gr.Column(min_width=260):
                self.file = gr.File(label="Picture: PNG, JPEG, TIFF or DICOM", height=140, elem_id="file")
                with gr.Row():
                    self.buttons = {name: gr.Button(name, size="sm") for name in self.examples}
        gr.Markdown(HELP)
        self.status = gr.Markdown("", elem_id="status", elem_classes="status")
        self.threshold = gr.Slider(0.01, 0.99, value=self._threshold(first), step=0.01, elem_id="threshold",
                                   label="Threshold: least probability that counts as mass", buttons=[])  # fmt: skip
        with gr.Row():
            options = {"interactive": False, "buttons": ["fullscreen"], "format": "png"}
            self.picture = gr.Image(label="Contour", elem_id="picture", alt_text="The picture with the mask's contour",
                                    min_width=300, **options)  # fmt: skip
            self.heat = gr.Image(label="Probability: dark 0, yellow 1", elem_id="heat", min_width=300,
                                 alt_text="The probability of mass over the picture", **options)  # fmt: skip
        self.measures = gr.Markdown("", elem_id="measures", elem_classes="measures")
        with gr.Row():
            self.mask = gr.DownloadButton("Download mask (PNG)", visible=False, elem_id="mask")
            self.make_seg = gr.Button("Make DICOM SEG", visible=False, elem_id="make-seg")
            self.seg = gr.DownloadButton("Download DICOM SEG", visible=False, elem_id="seg")

    def _connect(self) -> None:
        shown = [self.picture, self.heat, self.measures, self.mask]
        everything = [self.study, self.status, *shown, self.make_seg, self.seg]
        settings = [self.model, self.threshold]
        quiet = {"show_progress": "minimal", "api_visibility": "private"}
        self.file.upload(self._opened, [self.file, *settings], everything, **quiet)
        self.file.clear(lambda: (None, "", *NOTHING, *self._seg_buttons(None)), None, everything, **quiet)
        for name, button in self.buttons.items():
            study = self.examples[name]
            button.click(lambda model, threshold, study=study: self._segmented(study, model, threshold), settings,
                         everything, **quiet)  # fmt: skip
        self.picture.select(self._clicked, [self.study, *settings], everything, **quiet)
        self.model.change(self._switched, [self.study, self.model], [self.about, self.threshold, *everything], **quiet)
        self.threshold.change(self._drawn, [self.study, self.threshold], [*shown, self.seg],
                              trigger_mode="always_last", **quiet)  # fmt: skip
        self.make_seg.click(self._segmentation_object, [self.study, *settings], [self.status, self.seg], **quiet)

    def _threshold(self, model: str) -> float:
        return float(models.loaded(self.offered[model]).metadata.get("threshold", 0.5))

    def _opened(self, file: str, model: str, threshold: float):
        try:
            study = Study.read(Path(file))
        except UserError as error:
            return self._refused(f"This file cannot be used: {error}.")
        finally:
            Path(file).unlink(missing_ok=True)  # what was read is in memory now
        return self._segmented(study, model, threshold)

    def _refused(self, message: str):
        return None, f"⚠️ {message}", *NOTHING, *self._seg_buttons(None)

    def _segmented(self, study: Study, model: str, threshold: float):
        loaded = models.loaded(self.offered[model])
        study = study.segmented(loaded)
        told = _told(study, trained_on(loaded.metadata)["view"])
        return study, told, *self._shown(study, threshold), *self._seg_buttons(study)

    def _clicked(self, study: Study | None, model: str, threshold: float, event: gr.SelectData):
        if study is None:
            return self._refused("Open a picture first.")
        try:
            study = study.clicked(*event.index)
        except UserError as error:
            return study, f"⚠️ {error}.", *self._shown(study, threshold), *self._seg_buttons(study)
        if study.box is None:
            told = "First corner set: now click the opposite one."
            return study, told, *self._shown(study, threshold), *self._seg_buttons(study)
        return self._segmented(study, model, threshold)

    def _switched(self, study: Study | None, model: str):
        about, threshold = models.told(models.loaded(self.offered[model])), self._threshold(model)
        if study is None:
            return about, threshold, None, "", *NOTHING, *self._seg_buttons(None)
        return about, threshold, *self._segmented(study, model, threshold)

    def _drawn(self, study: Study | None, threshold: float):
        return *(NOTHING if study is None else self._shown(study, threshold)), gr.DownloadButton(visible=False)

    def _shown(self, study: Study, threshold: float):
        rows = "\n".join(f"| {name} | {value} |" for name, value in study.measures(threshold))
        path = self._scratch_file(f"{study.name}_mask.png")
        path.write_bytes(cv2.imencode(".png", study.mask(threshold).astype("uint8") * 255)[1].tobytes())
        return (study.drawn(threshold), study.heat(), f"| measure | value |\n|---|---|\n{rows}",
                gr.DownloadButton(value=str(path), visible=True))  # fmt: skip

    def _seg_buttons(self, study: Study | None):
        possible = study is not None and study.header is not None
        return gr.Button(visible=possible), gr.DownloadButton(visible=False)

    def _segmentation_object(self, study: Study, model: str, threshold: float):
        path = self._scratch_file(f"{study.name}_seg.dcm")
        try:
            metadata = models.loaded(self.offered[model]).metadata
            dicom_objects.write_segmentation(path, study.header, study.mask(threshold), metadata, threshold)
        except UserError as error:
            return f"⚠️ {error}.", gr.DownloadButton(visible=False)
        return gr.skip(), gr.DownloadButton(value=str(path), visible=True)  # what the status warns of still holds

    def _scratch_file(self, name: str) -> Path:
        """A path in a folder of its own, so that the browser is offered just this name."""
        return Path(tempfile.mkdtemp(dir=self.scratch)) / name

    def launch(self, host: str, port: int | None, upload_mb: int, **options):
        """Serves the page; returns its URL at once with prevent_thread_lock=True."""
        theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
        _, url, _ = self.blocks.queue(max_size=16).launch(
            server_name=host, server_port=port, max_file_size=f"{upload_mb}mb", allowed_paths=[str(self.scratch)],
            share=False, ssr_mode=False, run_history=False, footer_links=[], quiet=True, theme=theme, css=CSS,
            **options)  # fmt: skip
        return url


@contextlib.contextmanager
def in_memory_folder() -> Iterator[Path]:
    """A folder that is gone with the block, in memory where the system has such a place.

    What a killed page left behind is removed by the next one.
    """
    home = Path("/dev/shm")
    home = home if os.access(home, os.W_OK) else Path(tempfile.gettempdir())
    for left in home.glob(f"{SCRATCH}*"):
        with contextlib.suppress(OSError), alone(left) as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=home, ignore_cleanup_errors=True) as made, alone(made):
        yield Path(made)


def _told(study: Study, view: str) -> str:
    """What the user should know about what a network trained on `view` has been shown."""
    if view == "film":
        return NO_BOX if study.box is not None else ""
    return DRAW_A_BOX if study.box is None and region.looks_like_film(study.pixels) else ""
