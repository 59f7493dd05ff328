"""Page of the demo in Gradio: its layout, and the functions of its controls."""

import contextlib
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.core.locks import locked_folder, remove_unlocked
from tfrespam.serving.inference.inputs import KINDS
from tfrespam.serving.inference.jobs import trained_on
from tfrespam.studies.demonstration import dicom_objects, models
from tfrespam.studies.demonstration.guard import Guard
from tfrespam.studies.demonstration.guard import hosts as guarded_hosts
from tfrespam.studies.demonstration.phantom_examples import examples
from tfrespam.studies.demonstration.study import Study
from tfrespam.studies.demonstration.swept_folder import SweptFolder
from tfrespam.studies.demonstration.uploads import Uploads

TITLE = "Breast-mass segmentation"
NOTICE = ("**For research. Not a medical device: no result of this page may be used for diagnosis or treatment.** "
          "Images and results stay on the computer that runs this page. They are deleted one hour after they were "
          "made, and when the page's server stops.")
HELP = (f"Drop a {KINDS} file. On a whole film, candidate masses are listed with their scores: click "
        "one to zoom in; candidates with a score below the threshold are hidden. Or click two opposite corners of a "
        "box around a suspected mass in the left image: the network then receives only that region, as in training. "
        "A third click starts a new box.")  # fmt: skip
DRAW_A_BOX = "This network was trained on crops around a mass: if this is a whole film, draw a box around the mass."
ASSUMED = "A crop file of CBIS-DDSM: its longest side is taken to be {:g} times as long as the mass."
NO_BOX = "This network was trained on whole films and receives the whole image: the box has no effect."
CSS = """
.measures table { width: 100%; } .measures td { padding: .25rem .5rem; }
.status:empty { display: none; }
footer { display: none !important; }
"""
IDLE = 3600  # seconds after which the images and the downloads of a session are deleted
SCRATCH = "tfrespam-demo-"
THRESHOLD = ("Threshold: pixels with at least this probability belong to the mask; "
             "on a film, candidates with at least this score are shown")
COLUMNS = ["number", "score", "area", "longest diameter"]
FIRST_CORNER = "First corner set: now click the opposite one."
NO_MASS = "No mass found: no candidate reaches the threshold."
NO_TABLE = gr.Dataframe(visible=False), gr.Image(value=None, visible=False)
NOTHING = (None, None, "", gr.DownloadButton(visible=False), *NO_TABLE)


class Page:
    """Page that segments images with the offered models.

    Args:
        offered: Version folders of models by displayed name.
        scratch: Folder for downloads and uploads, which the caller removes. GRADIO_TEMP_DIR must name
            `cache_of(scratch)`.
    """

    def __init__(self, offered: dict[str, Path], scratch: Path):
        self.offered, self.examples = offered, examples()
        self.scratch, self.downloads = scratch, SweptFolder(scratch / "downloads", IDLE)
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
                self.about = gr.Markdown(self._about(first))
            with gr.Column(min_width=260):
                self.file = gr.File(label=f"Image: {KINDS}", height=140, elem_id="file")
                with gr.Row():
                    self.buttons = {name: gr.Button(name, size="sm") for name in self.examples}
        gr.Markdown(HELP)
        self.status = gr.Markdown("", elem_id="status", elem_classes="status")
        self.threshold = gr.Slider(0.01, 0.99, value=self._threshold(first), step=0.01, elem_id="threshold",
                                   label=THRESHOLD, buttons=[])  # fmt: skip
        with gr.Row():
            options = {"interactive": False, "buttons": ["fullscreen"], "format": "png"}
            self.image = gr.Image(label="Contour", elem_id="picture", alt_text="The image with the mask's contour",
                                  min_width=300, **options)  # fmt: skip
            self.heat = gr.Image(label="Probability: dark 0, yellow 1", elem_id="heat", min_width=300,
                                 alt_text="The probability of mass over the image", **options)  # fmt: skip
        with gr.Row():
            self.table = gr.Dataframe(headers=COLUMNS, interactive=False, visible=False, elem_id="candidates",
                                      label="Candidates (areas in mm² and lengths in mm if the pixel spacing is known)")
            self.zoom = gr.Image(label="Candidate", elem_id="zoom", visible=False, min_width=300,
                                 alt_text="The selected candidate with its outline", **options)  # fmt: skip
        self.measures = gr.Markdown("", elem_id="measures", elem_classes="measures")
        with gr.Row():
            self.mask = gr.DownloadButton("Download mask (PNG)", visible=False, elem_id="mask")
            self.make_seg = gr.Button("Make DICOM SEG", visible=False, elem_id="make-seg")
            self.seg = gr.DownloadButton("Download DICOM SEG", visible=False, elem_id="seg")

    def _connect(self) -> None:
        shown = [self.image, self.heat, self.measures, self.mask, self.table, self.zoom]
        everything = [self.study, self.status, *shown, self.make_seg, self.seg]
        settings = [self.model, self.threshold]
        quiet = {"show_progress": "minimal", "api_visibility": "private"}
        self.file.upload(self._opened, [self.file, self.model], [self.threshold, *everything], **quiet)
        self.file.clear(lambda: (None, "", *NOTHING, *self._seg_buttons(None)), None, everything, **quiet)
        for name, button in self.buttons.items():
            study = self.examples[name]
            button.click(lambda model, study=study: self._segmented(study, model), [self.model],
                         [self.threshold, *everything], **quiet)  # fmt: skip
        self.image.select(self._clicked, [self.study, *settings], [self.threshold, *everything], **quiet)
        self.model.change(self._switched, [self.study, self.model], [self.about, self.threshold, *everything], **quiet)
        self.threshold.change(self._drawn, [self.study, *settings], [self.status, *shown, self.seg],
                              trigger_mode="always_last", **quiet)  # fmt: skip
        self.table.select(self._zoomed, [self.study], [self.zoom], **quiet)
        self.make_seg.click(self._segmentation_object, [self.study, *settings], [self.status, self.seg], **quiet)

    def _about(self, model: str) -> str:
        return models.described(models.loaded(self.offered[model]), models.finder_path(self.offered) is not None)

    def _threshold(self, model: str, study: Study | None = None) -> float:
        """Return the model's threshold; after a search of a film, the operating point of the film network."""
        known = models.loaded(self.offered[model]).metadata
        default = float(known.get("threshold", 0.5))
        if study is None or study.found is None:
            return default
        searcher = known if trained_on(known)["view"] == "film" else models.finder(self.offered).metadata
        score = (searcher.get("candidates") or {}).get("least_score")
        return max(math.floor(100 * score) / 100, 0.01) if score else default  # in steps of the slider

    def _opened(self, file: str, model: str):
        try:
            study = Study.read(Path(file))
        except UserError as error:
            return self._refused(f"This file cannot be used: {error}.")
        finally:
            Path(file).unlink(missing_ok=True)  # its content is in memory now
        return self._segmented(study, model)

    def _refused(self, message: str):
        return gr.skip(), None, f"⚠️ {message}", *NOTHING, *self._seg_buttons(None)

    def _segmented(self, before: Study, model: str, threshold: float | None = None):
        """Segment and show the image; the threshold is reset after a change between a film's search and a region."""
        loaded = models.loaded(self.offered[model])
        study = before.segmented(loaded, models.finder(self.offered) if before.is_film else None)
        if threshold is None or (before.found is None) != (study.found is None):
            threshold = self._threshold(model, study)
        status = _status(study, loaded.metadata, threshold)
        return threshold, study, status, *self._shown(study, threshold), *self._seg_buttons(study)

    def _clicked(self, study: Study | None, model: str, threshold: float, event: gr.SelectData):
        if study is None:
            return self._refused("Open an image first.")
        try:
            study = study.clicked(*event.index)
        except UserError as error:
            return gr.skip(), study, f"⚠️ {error}.", *self._shown(study, threshold), *self._seg_buttons(study)
        if study.box is None:
            return gr.skip(), study, FIRST_CORNER, *self._shown(study, threshold), *self._seg_buttons(study)
        return self._segmented(study, model, threshold)

    def _switched(self, study: Study | None, model: str):
        about = self._about(model)
        if study is None:
            return about, self._threshold(model), None, "", *NOTHING, *self._seg_buttons(None)
        return about, *self._segmented(study, model)

    def _drawn(self, study: Study | None, model: str, threshold: float):
        if study is None:  # a message about a refused file stays
            return gr.skip(), *NOTHING, gr.DownloadButton(visible=False)
        status = _status(study, models.loaded(self.offered[model]).metadata, threshold)
        return status, *self._shown(study, threshold), gr.DownloadButton(visible=False)

    def _shown(self, study: Study, threshold: float):
        rows = "\n".join(f"| {name} | {value} |" for name, value in study.measures(threshold))
        path = self._scratch_file(f"{study.name}_mask.png")
        path.write_bytes(png.encode(study.mask(threshold).astype("uint8") * 255))
        return (study.drawn(threshold), study.heat(), f"| measure | value |\n|---|---|\n{rows}",
                gr.DownloadButton(value=str(path), visible=True), *self._listed(study, threshold))  # fmt: skip

    def _listed(self, study: Study, threshold: float):
        """Show the table of candidates, and hide the image of a candidate until one is clicked."""
        if study.found is None:
            return NO_TABLE
        rows = study.rows(threshold)
        return gr.Dataframe(value=rows, visible=bool(rows)), gr.Image(value=None, visible=False)

    def _zoomed(self, study: Study | None, event: gr.SelectData):
        if study is None or not study.found:
            return gr.skip()
        return gr.Image(value=study.zoomed(min(event.index[0] + 1, len(study.found))), visible=True)

    def _seg_buttons(self, study: Study | None):
        possible = study is not None and study.header is not None
        return gr.Button(visible=possible), gr.DownloadButton(visible=False)

    def _segmentation_object(self, study: Study, model: str, threshold: float):
        path = self._scratch_file(f"{study.name}_seg.dcm")
        try:
            loaded = models.loaded(self.offered[model])
            algorithm = study.algorithm(loaded, models.finder(self.offered) if study.is_film else None, threshold)
            dicom_objects.write_segmentation(path, study.header, study.numbers(threshold), algorithm)
        except UserError as error:
            return f"⚠️ {error}.", gr.DownloadButton(visible=False)
        return gr.skip(), gr.DownloadButton(value=str(path), visible=True)  # the warning in the status is still valid

    def _scratch_file(self, name: str) -> Path:
        """Return a path in a new folder, so that the browser offers the file under exactly this name."""
        return Path(tempfile.mkdtemp(dir=self.downloads.folder)) / name

    @contextlib.contextmanager
    def swept(self) -> Iterator[None]:
        """Remove uploads that nobody read, and old downloads, during the block, after `launch`."""
        with self.uploads.swept(), self.downloads.swept():
            yield

    def launch(self, host: str, port: int | None, upload_mb: int, hosts: Iterable[str] = (), **options):
        """Serve the page and return its URL, immediately with prevent_thread_lock=True.

        Args:
            host: Address on which the server listens.
            port: Port, or None for the next free one.
            upload_mb: Largest accepted file in MB; unread uploads together may have up to four times that.
            hosts: Further host names under which browsers may open the page.
        """
        self.uploads = Uploads(cache_of(self.scratch) / "uploads", 4 * upload_mb * 10**6)
        guard = Middleware(Guard, hosts=guarded_hosts(host, hosts), folder=self.scratch, uploads=self.uploads)
        theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
        _, url, _ = self.blocks.queue(max_size=16).launch(
            server_name=host, server_port=port, max_file_size=f"{upload_mb}mb", allowed_paths=[str(self.scratch)],
            app_kwargs={"middleware": [guard], "docs_url": None, "redoc_url": None, "openapi_url": None},
            share=False, ssr_mode=False, run_history=False, footer_links=[], quiet=True, theme=theme, css=CSS,
            **options)  # fmt: skip
        self.blocks.app.uploaded_file_dir = str(self.uploads.folder)
        return url


def cache_of(scratch: Path) -> Path:
    """Return Gradio's folder for displayed images, with a subfolder for uploads."""
    return scratch / "cache"


@contextlib.contextmanager
def in_memory_folder() -> Iterator[Path]:
    """Create a folder, in memory if the system supports that, and remove it after the block.

    Folders of killed processes are removed by the next one.
    """
    home = Path("/dev/shm")
    home = home if os.access(home, os.W_OK) else Path(tempfile.gettempdir())
    remove_unlocked(home, SCRATCH)
    with locked_folder(home, SCRATCH) as folder:
        yield folder


def _status(study: Study, metadata: Mapping[str, Any], threshold: float) -> str:
    """Return the status line about the result of the network that `metadata` describes."""
    if study.corner is not None:
        return FIRST_CORNER
    if trained_on(metadata)["view"] == "film" and study.box is not None:
        return NO_BOX
    if study.found is not None:
        count = len(study.candidates(threshold))
        return f"{count} candidate{'s' if count > 1 else ''}." if count else NO_MASS
    if study.box is not None:
        return ""
    if study.is_film:
        return DRAW_A_BOX
    return ASSUMED.format(study.context) if study.square(metadata) is not None else ""
